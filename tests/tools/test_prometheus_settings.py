"""Settings of Prometheus become its configuration; metrics of one's own are read by the names that are set."""

from typing import Any

import pytest

from app.domain.errors import CannotStart
from app.main import tools
from app.settings import Settings
from app.tools.golden_signals import OWN_NAMES, OwnName
from app.tools.prometheus_settings import PROMETHEUS_SETTINGS, prometheus_of
from tests.tools.servers import Asked, Reply, reply, serving


def settings(**said: Any) -> Settings:
    return Settings(_env_file=None, **said)


def made(**said: Any) -> dict[str, Any]:
    given = settings(**said)
    return prometheus_of({name: getattr(given, name) for name in PROMETHEUS_SETTINGS})


def test_own_names_go_before_those_that_are_known() -> None:  # covers CFG-02
    own = made(prometheus_metrics="checkout_lag=shop_lag_.+, stock = stock_(left|gone)")["own_names"]
    assert own == (OwnName("checkout_lag", "shop_lag_.+"), OwnName("stock", "stock_(left|gone)"), *OWN_NAMES)
    assert made() == {"prometheus": None, "own_names": OWN_NAMES}


async def test_tenant_and_token_are_sent_and_own_names_are_asked_for() -> None:
    def handle(asked: Asked) -> Reply:
        return reply({"status": "success", "data": [] if asked.path.endswith("/series") else {"alerts": []}})

    async with serving(handle) as server:
        said = settings(prometheus_url=server.url, prometheus_tenant="shop", prometheus_token="t0ken", prometheus_metrics="lag=shop_lag_.+")
        registry, sources = tools(said)
        assert sources.names == {"prometheus"} and sources.prometheus is not None
        await sources.prometheus.alerts()
        tool = registry.get("get_metrics")
        assert tool is not None
        await sources.aclose()
        assert {k: server.asked[0].headers.get(k) for k in ("authorization", "x-scope-orgid")} == {
            "authorization": "Bearer t0ken",
            "x-scope-orgid": "shop",
        }


@pytest.mark.parametrize("pair", ["lag", "lag=", "=x", "Lag Time=x", "lag=.*", "lag=(", "lag=.+"])
def test_a_name_that_cannot_be_used_is_refused_with_its_variable(pair: str) -> None:
    with pytest.raises(CannotStart, match="SRE_AGENT_PROMETHEUS_METRICS"):
        tools(settings(prometheus_metrics=pair))
