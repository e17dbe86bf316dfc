"""A small HTTP server that speaks the Anthropic Messages API as the vendor documents it: status codes, error bodies
(`{"type": "error", "error": {"type", "message"}, "request_id"}`), `request-id` and `retry-after` headers, `tool_use`
blocks, usage. It answers a script, one reply per request, and keeps what it was asked."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]
ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}


@dataclass
class Say:
    """One reply. `tool` fills the forced tool with `input` (text is sent before it); without `input`, `text` alone."""

    input: Json | None = None
    text: str = ""
    tool: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    hang: bool = False
    stop: str = ""
    usage: tuple[int, int] = (1000, 50)


@dataclass
class Anthropic:
    url: str
    requests: list[Json]
    headers: list[dict[str, str]]
    script: list[Say]
    released: threading.Event
    arrived: threading.Event


def message(request: Json, say: Say, number: int) -> Json:
    blocks: list[Json] = [{"type": "text", "text": say.text}] if say.text else []
    if say.input is not None:
        name = say.tool or request["tools"][0]["name"]
        blocks.append({"type": "tool_use", "id": f"toolu_{number:04d}", "name": name, "input": say.input})
    return {
        "id": f"msg_{number:04d}",
        "type": "message",
        "role": "assistant",
        "model": request["model"],
        "content": blocks,
        "stop_reason": say.stop or ("tool_use" if say.input is not None else "end_turn"),
        "stop_sequence": None,
        "usage": {
            "input_tokens": say.usage[0],
            "output_tokens": say.usage[1],
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "service_tier": "standard",
        },
    }


def refused(request: Json, headers: dict[str, str]) -> tuple[int, str] | None:
    """What the vendor itself would refuse."""
    if not headers.get("x-api-key") and not headers.get("authorization", "").startswith("Bearer "):
        return 401, "x-api-key header is required"
    if not headers.get("anthropic-version"):
        return 400, "anthropic-version: header is required"
    missing = [f for f in ("model", "max_tokens", "messages") if f not in request]
    return (400, f"{missing[0]}: Field required") if missing else None


def handler(api: Anthropic) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65536

        def log_message(self, *_: object) -> None: ...

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            api.requests.append(request)
            api.arrived.set()
            api.headers.append({k.lower(): v for k, v in self.headers.items()})
            number = len(api.requests)
            wrong = refused(request, api.headers[-1])
            say = Say(status=wrong[0], text=wrong[1]) if wrong else api.script.pop(0)
            if say.hang:
                api.released.wait(10)
                self.close_connection = True
                return
            self.answer(say, message(request, say, number), number)

        def answer(self, say: Say, good: Json, number: int) -> None:
            identity = f"req_{number:04d}"
            bad = {"type": "error", "error": {"type": ERRORS.get(say.status, "api_error"), "message": say.text}, "request_id": identity}
            body = say.raw if say.raw is not None else json.dumps(good if say.status == 200 else bad).encode()
            self.send_response(say.status)
            for name, value in {"content-type": "application/json", "content-length": str(len(body)), "request-id": identity, **say.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    return Handler


@contextmanager
def anthropic_server() -> Iterator[Callable[..., Anthropic]]:
    """-> a function that takes the script and gives the running server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.daemon_threads = True
    api = Anthropic(f"http://127.0.0.1:{server.server_address[1]}", [], [], [], threading.Event(), threading.Event())
    server.RequestHandlerClass = handler(api)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()

    def script(*says: Say) -> Anthropic:
        api.script[:] = says
        return api

    try:
        yield script
    finally:
        api.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
