"""The parts in, the HTTP application out; called by `main`, which gives the lifespan that starts and stops the parts."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from app.controller import briefing_routes, health_routes, intake_routes, reading_routes
from app.controller.docs import describe
from app.controller.intake import QueueLimit
from app.controller.parts import ControllerParts
from app.controller.problem import on_away, on_failure, on_http, on_invalid, on_refused
from app.controller.request_id import RequestIds
from app.domain.errors import Refused, StoreAway
from app.domain.frozen import JsonObject

DESCRIPTION = "Receives alerts, investigates each by itself, and answers with a verdict that can be checked."


class Application(FastAPI):
    """FastAPI with our description of itself: bodies that we parse by hand have their schemas in it."""

    def openapi(self) -> JsonObject:
        if not self.openapi_schema:
            self.openapi_schema = describe(self)
        return self.openapi_schema


def create_app(parts: ControllerParts, lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None) -> FastAPI:
    """`parts.versions["sre-agent"]` is the API's version."""
    app = Application(title="sre-agent", version=parts.versions.get("sre-agent", "0"), description=DESCRIPTION, lifespan=lifespan)
    app.state.parts = parts
    app.state.queue_limit = QueueLimit()
    app.add_middleware(RequestIds, new_id=parts.new_id)
    app.add_exception_handler(Refused, on_refused)
    app.add_exception_handler(StoreAway, on_away)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(Exception, on_failure)
    for module in (intake_routes, reading_routes, briefing_routes, health_routes):
        app.include_router(module.router)
    return app
