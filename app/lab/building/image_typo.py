"""A release names an image tag that does not exist; the old pods keep serving."""

from datetime import UTC, datetime, timedelta

from app.lab.building.samples import flat, stepped
from app.lab.building.scene import Container, PodState, Revision, Scene
from app.lab.building.telling import KSM, MIB, event, lines, pod_series, replica_series, state_series
from app.lab.building.workload import waiting

NOW = datetime(2026, 3, 9, 11, 5, tzinfo=UTC)
DEPLOY = NOW - timedelta(minutes=22)
APP, SPACE = "report-builder", "reporting"
OLD = Container(APP, f"registry.example.com/reporting/{APP}:2026.3.1", 9000)
NEW = OLD.tagged("2026.3.11-rc")
POD = f"{APP}-79d6f8c5b4-p6k3v"
MISSING = f'failed to pull and unpack image "{NEW.image}": failed to resolve reference "{NEW.image}": {NEW.image}: not found'


def build() -> Scene:
    scene = Scene("image-typo", SPACE, NOW, "Release 2026.3.11-rc was rolled out before its image was pushed")
    born = NOW - timedelta(days=5)
    held = waiting("ImagePullBackOff", f'Back-off pulling image "{NEW.image}": ErrImagePull: {MISSING}')
    scene.deployment(
        APP,
        [Revision(11, "6c5b7f9d48", born, OLD, "2026.3.1"), Revision(12, "79d6f8c5b4", DEPLOY, NEW, "2026.3.11-rc")],
        [PodState("p6k3v", "node-b", DEPLOY, False, 0, held, phase="Pending")],
        former=[PodState("f9h2x", "node-a", born), PodState("n5q7c", "node-c", born)],
    )
    scene.service(APP, 80, 9000)
    told = {"host": "node-b", "field": APP, "first": DEPLOY + timedelta(seconds=2)}
    event(
        scene,
        f"Pod/{POD}",
        "Failed",
        f'Failed to pull image "{NEW.image}": rpc error: code = NotFound desc = {MISSING}',
        NOW - timedelta(minutes=3),
        type="Warning",
        count=8,
        **told,
    )
    event(scene, f"Pod/{POD}", "Failed", "Error: ErrImagePull", NOW - timedelta(minutes=3), type="Warning", count=8, **told)
    event(scene, f"Pod/{POD}", "BackOff", f'Back-off pulling image "{NEW.image}"', NOW - timedelta(seconds=20), type="Warning", count=91, **told)
    event(
        scene,
        f"Deployment/{APP}",
        "ScalingReplicaSet",
        f"Scaled up replica set {APP}-79d6f8c5b4 from 0 to 1",
        DEPLOY,
        component="deployment-controller",
    )
    for suffix in ("f9h2x", "n5q7c"):
        name = f"{APP}-6c5b7f9d48-{suffix}"
        scene.log(name, APP, lines(NOW - timedelta(minutes=8), timedelta(minutes=1), ["INFO  report weekly-turnover built in 14 s"] * 8))
        pod_series(scene, name, APP, flat(230 * MIB, name), limit=512 * MIB)
        state_series(scene, name, APP, flat(0), flat(1))
    state_series(scene, POD, APP, flat(0), flat(0))
    replica_series(scene, APP, 2, stepped(2, 2, DEPLOY))
    words = {"summary": "Pod has been in a non-ready state for more than 15 minutes.", "description": f"Pod {SPACE}/{POD} has been non-ready."}
    scene.alert("KubePodNotReady", "warning", DEPLOY + timedelta(minutes=15), words, namespace=SPACE, pod=POD, job=KSM["job"])
    scene.expected = {
        "state": "fault",
        "causes": [{"object": f"Deployment/{SPACE}/{APP}", "class": "image_not_found"}],
        "accept": [],
        "symptoms": [f"Pod/{SPACE}/{POD}"],
        "key_evidence": [MISSING],
    }
    return scene
