"""Why a probe fails, from its specification, the container's ports and the kubelet's words."""

from typing import Any

import pytest

from app.diagnosis.signals.probes import classify

REFUSED = "dial tcp 10.0.0.9:8080: connect: connection refused"
DEADLINE = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
PORTS = [{"name": "http", "containerPort": 8080}, {"name": "metrics", "containerPort": 9100}]


def http(port: object, scheme: str = "HTTP", **more: int) -> dict[str, Any]:
    return {"httpGet": {"port": port, "path": "/", "scheme": scheme}, "initialDelaySeconds": 15, "periodSeconds": 10, "failureThreshold": 3} | more


@pytest.mark.parametrize(
    ("probe", "message", "fault"),
    [
        (http("http"), "HTTP probe failed with statuscode: 503", "failing"),
        (http("http"), REFUSED, "failing"),
        (http("http"), DEADLINE, "failing"),
        (http("http", initialDelaySeconds=3, periodSeconds=3, failureThreshold=2), REFUSED, "too_strict"),
        (http("web"), REFUSED, "wrong_port"),
        (http(8081), REFUSED, "wrong_port"),
        (http(8081), "HTTP probe failed with statuscode: 500", "failing"),
        (http("http"), "http: server gave HTTP response to HTTPS client", "wrong_protocol"),
    ],
)
def test_a_port_asked_by_its_name_is_the_port_of_that_name(probe: dict[str, Any], message: str, fault: str) -> None:
    assert classify({"name": "c", "ports": PORTS, "livenessProbe": probe}, "liveness", f"Liveness probe failed: {message}") == fault


@pytest.mark.parametrize(("other", "fault"), [("HTTPS", "wrong_protocol"), ("HTTP", "failing")])
def test_plain_http_is_the_wrong_protocol_where_the_other_probe_of_the_port_speaks_tls(other: str, fault: str) -> None:
    container = {"name": "c", "ports": PORTS, "readinessProbe": http("http"), "livenessProbe": http(8080, other)}
    assert classify(container, "readiness", "Readiness probe failed: HTTP probe failed with statuscode: 400") == fault
