"""A setting is changed, the image is not: the process refuses the new value and ends at once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from app.lab.building.samples import flat, stepped
from app.lab.building.scene import Container, PodState, Revision, Scene
from app.lab.building.telling import KSM, MIB, calm, event, lines, pod_series, replica_series, state_series
from app.lab.building.workload import terminated, waiting

NOW = datetime(2026, 3, 20, 14, 31, tzinfo=UTC)
CHANGE = NOW - timedelta(minutes=17)
SPACE, APP, CODE, FORMER = "notices", "notice-sender", "8b5d7f9c64", "66d9c7f8b5"
OLD = Container(APP, f"registry.example.com/notices/{APP}:5.20.1", 8080, {"SEND_WORKERS": "12", "SMTP_HOST": "mail.notices"})
NEW = replace(OLD, env=OLD.env | {"SEND_WORKERS": "12x"})
ERROR = 'FATAL config: SEND_WORKERS: invalid value "12x": must be a whole number'


def build() -> Scene:
    scene = Scene("bad-setting", SPACE, NOW, "SEND_WORKERS was changed from 12 to 12x; the new pod ends at start, old pods keep working")
    born = NOW - timedelta(days=4)
    ended = terminated(1, "Error", NOW - timedelta(minutes=2, seconds=11), NOW - timedelta(minutes=2, seconds=10))
    held = waiting("CrashLoopBackOff", f"back-off 5m0s restarting failed container={APP}")
    scene.deployment(
        APP,
        [Revision(30, FORMER, born, OLD), Revision(31, CODE, CHANGE, NEW)],
        [PodState("t5w8z", "node-c", CHANGE, False, 8, held, ended)],
        former=[PodState("g3j6m", "node-a", born), PodState("n9q4s", "node-b", born)],
    )
    scene.service(APP, 80, 8080)
    pod = f"{APP}-{CODE}-t5w8z"
    start = [f"INFO  {APP} 5.20.1 starting", "INFO  reading configuration from the environment", ERROR]
    for previous in (False, True):
        scene.log(pod, APP, lines(NOW - timedelta(minutes=2, seconds=11), timedelta(), start), previous)
    told = {"host": "node-c", "field": APP, "first": CHANGE + timedelta(seconds=3)}
    backing = f"Back-off restarting failed container {APP} in pod {pod}_{SPACE}"
    event(scene, f"Pod/{pod}", "BackOff", backing, NOW - timedelta(seconds=25), type="Warning", count=74, **told)
    pulled = f'Container image "{NEW.image}" already present on machine and can be accessed by the pod'
    event(scene, f"Pod/{pod}", "Pulled", pulled, NOW - timedelta(minutes=2, seconds=12), count=9, **told)
    up = f"Scaled up replica set {APP}-{CODE} from 0 to 1"
    event(scene, f"Deployment/{APP}", "ScalingReplicaSet", up, CHANGE, component="deployment-controller")
    calm(scene, APP, FORMER, ("g3j6m", "n9q4s"), 210, "INFO  sent 40 notices")
    pod_series(scene, pod, APP, flat(6 * MIB, pod), limit=512 * MIB)
    state_series(scene, pod, APP, lambda at: 8 * (at - CHANGE) / (NOW - CHANGE), flat(0))
    replica_series(scene, APP, 2, stepped(2, 2, CHANGE))
    words = {"summary": "Pod is crash looping.", "description": f"Pod {SPACE}/{pod} ({APP}) is in waiting state (reason: CrashLoopBackOff)."}
    scene.alert("KubePodCrashLooping", "warning", CHANGE + timedelta(minutes=15), words, namespace=SPACE, pod=pod, container=APP, **KSM)
    scene.expected = {
        "state": "fault",
        "causes": [{"object": f"Deployment/{SPACE}/{APP}", "class": "configuration_error"}],
        "accept": [{"object": f"Deployment/{SPACE}/{APP}", "class": "feature_flag_or_config_change"}],
        "symptoms": [f"Pod/{SPACE}/{pod}"],
        "key_evidence": [ERROR],
    }
    return scene
