"""Logs and events that ask the API server for a version of a built-in group that it does not serve (any more) -> version skew.
Reads `get_logs`, `check_events`. A kind of someone else's group is a CustomResourceDefinition that is missing, which is another cause.

Versions go with the deprecation guide of Kubernetes: Ingress of extensions/v1beta1 in 1.22, CronJob of batch/v1beta1 in 1.25,
FlowSchema of v1beta3 in 1.32."""

import re

from app.diagnosis.reading import Reading
from app.diagnosis.world import RECENT, Found, World, cite, signal
from app.domain.log_times import moment_of
from app.domain.target import ObjectRef

_BUILT_IN = (
    r"(extensions|apps|batch|policy|autoscaling|(networking|discovery|storage|rbac\.authorization|admissionregistration|apiextensions|certificates"
    r"|coordination|events|node|scheduling|authentication|authorization|apiregistration|resource|flowcontrol\.apiserver|internal\.apiserver)\.k8s\.io)"
)
# apimachinery's NoKindMatchError, client-go's reflector, kubectl and Helm.
GONE = re.compile(
    rf"no matches for kind \W*(?P<kind>\w+)\W* in version \W*(?P<version>{_BUILT_IN}/v\d\w*)"
    r"|failed to (list|watch) \*(?P<version2>v\d+(alpha|beta)\d+\.\w+): the server could not find the requested resource",
    re.I,
)


def find(world: World) -> Found:
    for reading in world.readings:
        pod = next((p for p in world.of("Pod") if p.name == reading.result.data.get("pod")), None) if reading.tool == "get_logs" else None
        if pod is not None:
            yield from _told(world, reading, [str(x) for x in reading.result.data.get("lines") or []], world.workload_of(pod))
    for event in world.events:
        if event.item.get("type") == "Warning" and world.age(event) <= RECENT:
            yield from _told(world, event.reading, [str(event.item.get("message"))], world.top(world.about(event)))


def _told(world: World, reading: Reading, lines: list[str], where: ObjectRef) -> Found:
    asked = [(line, match) for line in lines if (match := GONE.search(line))]
    if asked:
        line, match = asked[-1]
        version = match["version"] or match["version2"]
        state = f"{where.name} asks for {match['kind'] or ''} {version}, which this API server does not serve".replace("  ", " ")
        yield signal("api_version_gone", where, state, cite(reading, (line,)), moment_of(line, world.now), {"state": state})
