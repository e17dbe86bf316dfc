"""A container (spec and status) -> lines of text, one fact each. Used for pods and for the templates of workloads.

Every line begins with the prefix it is given (`pod shop/cart-1 container server`), so that a quote names its object.
"""

import json
from typing import Any

from app.domain.frozen import JsonObject

MAX_VARIABLES = 40
OWN_FACTS = {"fieldRef", "resourceFieldRef"}  # a variable that repeats what the pod itself says


def spec_lines(prefix: str, container: JsonObject) -> list[str]:
    """Image, resources, probes, ports, command, environment; what is not set has no line, resources always do."""
    lines = [f"{prefix}: image {container.get('image', '(none)')}" + _suffix(" pull policy ", container.get("imagePullPolicy"))]
    resources = container.get("resources") or {}
    lines.append(f"{prefix}: limits {_pairs(resources.get('limits'))}; requests {_pairs(resources.get('requests'))}")
    if container.get("ports"):
        lines.append(f"{prefix}: ports {', '.join(_port(p) for p in container['ports'])}")
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(probe):
            lines.append(f"{prefix}: {probe} {probe_text(container[probe])}{_patience(probe, container[probe])}")
    if container.get("restartPolicy") == "Always":
        lines.append(f"{prefix}: sidecar, restartPolicy Always: starts in order and keeps running")
    for part in ("command", "args"):
        if container.get(part):
            lines.append(f"{prefix}: {part} {json.dumps(container[part])[:500]}")
    told = [v for v in container.get("env") or () if not OWN_FACTS & set(v.get("valueFrom") or ())]
    lines += [f"{prefix}: env {variable_text(v)}" for v in told[:MAX_VARIABLES]]
    lines += [f"{prefix}: {len(told) - MAX_VARIABLES} more env variables"] if len(told) > MAX_VARIABLES else []
    lines += [f"{prefix}: envFrom {_env_from(e)}" for e in container.get("envFrom") or ()]
    return lines


def status_lines(prefix: str, status: JsonObject) -> list[str]:
    """State, last state, readiness and restarts."""
    lines = [f"{prefix}: {_state(kind, state)}" for kind, state in sorted((status.get("state") or {}).items()) if state is not None]
    lines += [f"{prefix}: last state {_state(kind, state)}" for kind, state in sorted((status.get("lastState") or {}).items()) if state]
    ready = "ready" if status.get("ready") else "not ready"
    started = "" if status.get("started") is not False else ", not started"
    lines.append(f"{prefix}: {ready}, restarts {status.get('restartCount', 0)}{started}")
    return lines


def _state(kind: str, state: JsonObject) -> str:
    if kind == "running":
        return f"running since {state.get('startedAt', 'unknown')}"
    said = _suffix(": ", state.get("message"))
    if kind == "waiting":
        return f"waiting {state.get('reason', '(no reason)')}{said}"
    at = _suffix(" at ", state.get("finishedAt")) + (f" (started {state['startedAt']})" if state.get("startedAt") else "")
    signal = _suffix(" signal ", state.get("signal"))
    return f"terminated {state.get('reason', '(no reason)')} exit {state.get('exitCode', '?')}{signal}{at}{said}"


def probe_text(probe: JsonObject) -> str:
    """`httpGet :8080/healthz delay=0s timeout=1s period=10s success=1 failure=3`, with the API's defaults filled in."""
    if probe.get("httpGet"):
        get = probe["httpGet"]
        scheme = "" if get.get("scheme", "HTTP") == "HTTP" else f"{get['scheme']} "
        how = f"httpGet {scheme}{get.get('host', '')}:{get.get('port')}{get.get('path', '/')}"
    elif probe.get("tcpSocket"):
        how = f"tcpSocket :{probe['tcpSocket'].get('port')}"
    elif probe.get("grpc"):
        how = f"grpc :{probe['grpc'].get('port')}" + _suffix(" service ", probe["grpc"].get("service"))
    else:
        how = f"exec {json.dumps((probe.get('exec') or {}).get('command') or [])}"
    numbers = (("delay", "initialDelaySeconds", 0, "s"), ("timeout", "timeoutSeconds", 1, "s"), ("period", "periodSeconds", 10, "s"))
    counts = (("success", "successThreshold", 1, ""), ("failure", "failureThreshold", 3, ""))
    return " ".join([how, *(f"{short}={probe.get(name, default)}{unit}" for short, name, default, unit in (*numbers, *counts))])


def _patience(name: str, probe: JsonObject) -> str:
    """How long a container may take to start before the kubelet kills it."""
    if name != "startupProbe":
        return ""
    seconds = int(probe.get("initialDelaySeconds") or 0) + int(probe.get("failureThreshold") or 3) * int(probe.get("periodSeconds") or 10)
    return f" (gives up after {seconds} s)"


def variable_text(variable: JsonObject) -> str:
    """`NAME=value`, `NAME from configMapKeyRef app/key`, or the name alone when its value was withheld."""
    name, source = variable.get("name", ""), variable.get("valueFrom") or {}
    for kind, ref in sorted(source.items()):
        optional = " (optional)" if isinstance(ref, dict) and ref.get("optional") else ""
        parts = [str(ref[p]) for p in ("name", "key", "fieldPath", "resource") if isinstance(ref, dict) and ref.get(p)]
        return f"{name} from {kind} {'/'.join(parts)}{optional}"
    return f"{name}={variable['value']}" if "value" in variable else f"{name} (value withheld or empty)"


def _env_from(source: JsonObject) -> str:
    found = [f"{kind} {(source[kind] or {}).get('name')}" for kind in ("configMapRef", "secretRef") if source.get(kind)]
    return ", ".join(found)


def _port(port: JsonObject) -> str:
    return f"{port.get('containerPort')}/{port.get('protocol', 'TCP')}" + (f" ({port['name']})" if port.get("name") else "")


def _pairs(values: JsonObject | None) -> str:
    return " ".join(f"{k}={v}" for k, v in sorted((values or {}).items())) or "none"


def _suffix(lead: str, value: Any) -> str:
    return f"{lead}{value}" if value not in (None, "") else ""
