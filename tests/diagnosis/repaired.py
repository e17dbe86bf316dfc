"""A snapshot with a fault -> the same world some minutes after somebody repaired it, while the alert still fires.

Old warning events, old logs and the ends of former container runs stay, with their old times. Everything that the cluster
keeps by itself follows the repair: pods, replica counts, conditions, endpoints, leases, series. Written into a temporary
folder by tests; nothing of the snapshots is kept in the repository."""

import copy
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.diagnosis.repaired_series import resumed
from tests.diagnosis.repairs import BESIDE, OUTSIDE, ROLLED_BACK, TEMPLATE, Item

UNTIL_REPAIR = timedelta(minutes=4)
FILES = ("alert.json", "objects.json", "logs.json", "metrics.json", "connectivity.json", "dependencies.json", "world.json")
POD_CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")


def stamp(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def repairable(folder: Path) -> bool:
    answer = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    classes = {c["class"] for c in answer.get("causes", [])}
    return bool(classes) and classes <= {*BESIDE, *TEMPLATE, *OUTSIDE, *ROLLED_BACK}


def repair(folder: Path, out: Path, since: timedelta, in_place: bool = False) -> None:
    """Writes the world of `folder`, repaired `since` ago, into `out`; `in_place` without a new revision: the same
    pods came up by themselves after what they read or what they are allowed was corrected."""
    files = {name: json.loads((folder / name).read_text(encoding="utf-8")) for name in FILES if (folder / name).exists()}
    answer = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    World(files, since, in_place).repair(answer["causes"])
    out.mkdir(parents=True)
    for name, content in files.items():
        (out / name).write_text(json.dumps(content), encoding="utf-8")
    (out / "expected.json").write_text(json.dumps({"state": "healthy", "causes": []}), encoding="utf-8")


class World:
    """The files of one snapshot, changed in place."""

    def __init__(self, files: dict[str, Any], since: timedelta, in_place: bool) -> None:
        self.files = files
        self.in_place = in_place
        self.objects: dict[str, list[Item]] = files["objects.json"]
        self.logs: dict[str, str] = files.get("logs.json", {})
        self.was = datetime.fromisoformat(files["world.json"]["now"])
        self.at = self.was + UNTIL_REPAIR
        self.now = self.at + since
        self.made = 0

    def repair(self, causes: list[Item]) -> None:
        self.files["world.json"]["now"] = stamp(self.now)
        for cause in causes:
            if change := BESIDE.get(cause["class"]):
                change(self.objects)
        named = {c["object"]: c["class"] for c in causes}
        self._nodes()
        for kind in ("Deployment", "StatefulSet"):
            for item in self.objects.get(kind, []):
                self._workload(item, named.get(f"{kind}/{item['metadata']['namespace']}/{item['metadata']['name']}", ""))
        for job in self.objects.get("Job", []):
            self._job(job)
        for scaler in self.objects.get("HorizontalPodAutoscaler", []):
            self._autoscaler(scaler)
        self._endpoints()
        if "metrics.json" in self.files:
            pods = {p["metadata"]["name"] for p in self.objects["Pod"]}
            resumed(self.files["metrics.json"], self.at.timestamp(), self.now.timestamp(), pods)

    def _nodes(self) -> None:
        """Every node is Ready, without pressure and without the taints of the node controller; leases are fresh."""
        for node in self.objects.get("Node", []):
            taints = [t for t in node["spec"].get("taints") or [] if not str(t.get("key")).startswith("node.kubernetes.io/not-")]
            node["spec"]["taints"] = [t for t in taints if not str(t.get("key")).startswith("node.kubernetes.io/unr")]
            for told in node["status"].get("conditions") or []:
                wanted = "True" if told["type"] == "Ready" else "False"
                if told["status"] != wanted:
                    told.update({"status": wanted, "lastTransitionTime": stamp(self.at)})
                    told.update({"reason": "KubeletReady", "message": "kubelet is posting ready status"} if wanted == "True" else {})
                    if wanted == "False":
                        told.update({"reason": f"KubeletHasNo{told['type']}", "message": f"kubelet has no {told['type']}"})
                if "lastHeartbeatTime" in told and told["type"] != "NetworkUnavailable":
                    told["lastHeartbeatTime"] = stamp(self.now - timedelta(seconds=20))
        for lease in self.objects.get("Lease", []):
            lease["spec"]["renewTime"] = (self.now - timedelta(seconds=4)).strftime("%Y-%m-%dT%H:%M:%S.000000Z")

    def _workload(self, item: Item, cause: str) -> None:
        wanted = int(item["spec"].get("replicas", 1))
        self._gone([p for p in self._pods(item) if p["metadata"].get("deletionTimestamp")])
        if self.in_place and cause in TEMPLATE:
            self._correct(item, cause)
        elif cause in TEMPLATE or (cause in ROLLED_BACK and not self.in_place and self._former(item)):
            self._renew(item, cause, wanted)
        owner = self._newest(item)
        pods = self._pods(owner)
        for pod in pods:
            self._revive(pod)
        for _ in range(len(pods), wanted):
            self._create(owner)
        if len(pods) < wanted or any(p not in pods for p in self._pods(item)):
            self._gone([p for p in self._pods(item) if p not in self._pods(owner)])
        self._counted(item, wanted)

    def _sets(self, item: Item) -> list[Item]:
        return [r for r in self.objects.get("ReplicaSet", []) if _owned(r, item)]

    def _pods(self, item: Item) -> list[Item]:
        owners = [item, *self._sets(item)]
        return [p for p in self.objects["Pod"] if any(_owned(p, o) for o in owners)]

    def _newest(self, item: Item) -> Item:
        """The ReplicaSet of the newest revision; the workload itself if it has none."""

        def age(one: Item) -> tuple[int, str]:
            revision = (one["metadata"].get("annotations") or {}).get("deployment.kubernetes.io/revision", "0")
            return int(revision), str(one["metadata"].get("creationTimestamp"))

        return max(self._sets(item), key=age, default=item)

    def _former(self, item: Item) -> Item | None:
        newest = self._newest(item)
        return next((r for r in self._sets(item) if r is not newest and r["spec"].get("template")), None)

    def _correct(self, item: Item, cause: str) -> None:
        """Pods of the same names with the corrected template, as a StatefulSet makes them and as an in-place resize does."""
        for one in (item["spec"].get("template"), self._newest(item)["spec"].get("template"), *self._pods(self._newest(item))):
            if one:
                TEMPLATE[cause](one["spec"], self.objects)
        for pod in self._pods(self._newest(item)):
            pod["status"]["conditions"] = []

    def _renew(self, item: Item, cause: str, wanted: int) -> None:
        """A new revision: its ReplicaSet, the old ones empty, their pods gone."""
        template = item["spec"]["template"]
        if cause in TEMPLATE:
            TEMPLATE[cause](template["spec"], self.objects)
        elif former := self._former(item):
            template["spec"] = copy.deepcopy(former["spec"]["template"]["spec"])
        old = self._pods(item)
        if item["kind"] == "Deployment" and self._sets(item):
            made = copy.deepcopy(self._newest(item))
            revision = str(int((made["metadata"].get("annotations") or {}).get("deployment.kubernetes.io/revision", "1")) + 1)
            digest = made["metadata"]["labels"]["pod-template-hash"][:-4] + "9rp4"
            labels = {**template["metadata"]["labels"], "pod-template-hash": digest}
            meta = {"name": f"{item['metadata']['name']}-{digest}", "uid": f"{made['metadata']['uid'][:-4]}9d04", "labels": labels}
            made["metadata"].update({**meta, "creationTimestamp": stamp(self.at)})
            made["metadata"].setdefault("annotations", {})["deployment.kubernetes.io/revision"] = revision
            item["metadata"].setdefault("annotations", {})["deployment.kubernetes.io/revision"] = revision
            made["spec"]["selector"] = {"matchLabels": labels}
            made["spec"]["template"] = {"metadata": {"labels": labels}, "spec": copy.deepcopy(template["spec"])}
            self._told("Deployment", item, "ScalingReplicaSet", f"Scaled up replica set {meta['name']} to {wanted}")
            self.objects["ReplicaSet"].append(made)
            for _ in range(wanted):
                self._create(made, like=next(iter(old), None))
        else:
            for _ in range(wanted):
                self._create(item, like=next(iter(old), None))
        self._gone(old)

    def _gone(self, pods: list[Item]) -> None:
        names = {(p["metadata"]["namespace"], p["metadata"]["name"]) for p in pods}
        self.objects["Pod"][:] = [p for p in self.objects["Pod"] if p not in pods]
        for key in [k for k in self.logs if tuple(k.split("/")[:2]) in names]:
            del self.logs[key]

    def _create(self, owner: Item, like: Item | None = None) -> None:
        """A pod of `owner`'s template that runs since the repair; `like` fills what snapshots leave out of templates."""
        meta = owner["metadata"]
        self.made += 1
        name = f"{meta['name']}-{self.made - 1}" if owner["kind"] == "StatefulSet" else f"{meta['name']}-r{self.made}p4x"
        template = (owner["spec"].get("template") or (like and {"metadata": like["metadata"], "spec": like["spec"]})) or {"spec": {"containers": []}}
        labels = {**(template.get("metadata", {}).get("labels") or {}), **(meta.get("labels") or {})}
        spec = copy.deepcopy(template["spec"])
        spec.pop("nodeName", None)
        ref = {"apiVersion": "apps/v1", "kind": owner["kind"], "name": meta["name"], "uid": meta.get("uid", ""), "controller": True}
        about = {"name": name, "namespace": meta["namespace"], "uid": f"new-{self.made}-{meta.get('uid', '')}", "creationTimestamp": stamp(self.at)}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {**about, "labels": labels, "ownerReferences": [ref]}, "spec": spec, "status": {}}
        self.objects["Pod"].append(pod)
        self._revive(pod)

    def _revive(self, pod: Item) -> None:
        """Running and ready since the repair, if it was not. What the former run ended with stays as `lastState`."""
        status, spec, meta = pod["status"], pod["spec"], pod["metadata"]
        told = {c["type"]: c["status"] for c in status.get("conditions") or []}
        if told.get("Ready") == "True":
            return
        if not spec.get("nodeName"):
            spec["nodeName"] = self._free_node()
            self._told("Pod", pod, "Scheduled", f"Successfully assigned {meta['namespace']}/{meta['name']} to {spec['nodeName']}")
        status.update({"phase": "Running", "startTime": status.get("startTime") or stamp(self.at)})
        status["conditions"] = [{"type": t, "status": "True", "lastTransitionTime": stamp(self.at)} for t in POD_CONDITIONS]
        before = {s["name"]: s for s in status.get("containerStatuses") or []}
        status["containerStatuses"] = [self._running(pod, c, before.get(c["name"], {})) for c in spec["containers"]]
        done = {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": stamp(self.at), "finishedAt": stamp(self.at)}}
        status["initContainerStatuses"] = [
            {"name": c["name"], "ready": True, "restartCount": 0, "state": done, "lastState": {}} for c in spec.get("initContainers") or []
        ]

    def _running(self, pod: Item, container: Item, before: Item) -> Item:
        key = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}/{container['name']}"
        ended = (before.get("state") or {}).get("terminated") or (before.get("lastState") or {}).get("terminated")
        kept = (before.get("state") or {}).get("running") if not ended else None
        if key in self.logs and ended:
            self.logs[f"{key}#previous"] = self.logs[key]
        old = self.logs.get(key, "").rstrip("\n") if not ended else ""
        seconds = int((self.now - self.at).total_seconds())
        lines = [f"{stamp(self.at + timedelta(seconds=s))} INFO  served {40 + s % 7} requests" for s in range(15, seconds, 30)]
        self.logs[key] = "\n".join([old, *lines] if old else [f"{stamp(self.at)} INFO  ready", *lines]) + "\n"
        self._told("Pod", pod, "Started", f"Started container {container['name']}")
        made = {"name": container["name"], "image": container.get("image", ""), "imageID": "", "ready": True, "started": True}
        made |= {"restartCount": before.get("restartCount") or 0, "state": {"running": kept or {"startedAt": stamp(self.at)}}}
        return {**made, "lastState": {"terminated": ended} if ended else {}}

    def _free_node(self) -> str:
        """A worker, the emptiest first."""
        busy = [p["spec"].get("nodeName") for p in self.objects["Pod"]]
        plane = ("master", "control-plane")
        free = [n["metadata"] for n in self.objects["Node"] if not any(k in str(n["metadata"].get("labels")) for k in plane)]
        return min((str(m["name"]) for m in free or [self.objects["Node"][0]["metadata"]]), key=lambda name: (busy.count(name), name))

    def _told(self, kind: str, item: Item, reason: str, message: str) -> None:
        meta = item["metadata"]
        about = {"kind": kind, "namespace": meta["namespace"], "name": meta["name"], "uid": meta.get("uid", "")}
        name = {"name": f"{meta['name']}.{len(self.objects['Event']):016x}", "namespace": meta["namespace"]}
        times = {"firstTimestamp": stamp(self.at), "lastTimestamp": stamp(self.at), "count": 1, "type": "Normal", "eventTime": None}
        event = {"apiVersion": "v1", "kind": "Event", "metadata": name, "involvedObject": about, "reason": reason, "message": message, **times}
        self.objects["Event"].append(event)

    def _counted(self, item: Item, wanted: int) -> None:
        """Replica counts and conditions that say that all pods are there."""
        newest = self._newest(item)
        full = {"replicas": wanted, "readyReplicas": wanted, "availableReplicas": wanted}
        for one in self._sets(item):
            count = wanted if one is newest else 0
            one["spec"]["replicas"] = count
            one["status"] = {**full, "fullyLabeledReplicas": wanted} if count else {"replicas": 0}
        item["status"] = {**full, "updatedReplicas": wanted, "currentReplicas": wanted}
        if item["kind"] == "Deployment":
            told = {"Available": "MinimumReplicasAvailable", "Progressing": "NewReplicaSetAvailable"}
            times = {"lastUpdateTime": stamp(self.at), "lastTransitionTime": stamp(self.at)}
            item["status"]["conditions"] = [{"type": t, "status": "True", "reason": r, **times} for t, r in told.items()]

    def _job(self, job: Item) -> None:
        """A failed Job was made again and completed; its failed pods went with it."""
        if any(c["type"] == "Failed" and c["status"] == "True" for c in job["status"].get("conditions") or []):
            self._gone([p for p in self.objects["Pod"] if _owned(p, job)])
            job["metadata"]["creationTimestamp"] = stamp(self.at)
            done = {"type": "Complete", "status": "True", "lastTransitionTime": stamp(self.at + timedelta(minutes=1))}
            job["status"] = {"succeeded": 1, "startTime": stamp(self.at), "completionTime": done["lastTransitionTime"], "conditions": [done]}

    def _autoscaler(self, scaler: Item) -> None:
        conditions = {"AbleToScale": "ReadyForNewScale", "ScalingActive": "ValidMetricFound", "ScalingLimited": "DesiredWithinRange"}
        scaler["status"]["conditions"] = [
            {"type": t, "status": "False" if t == "ScalingLimited" else "True", "reason": r, "lastTransitionTime": stamp(self.at)}
            for t, r in conditions.items()
        ]
        scaler["status"]["desiredReplicas"] = scaler["status"].get("currentReplicas") or 1

    def _endpoints(self) -> None:
        """Slices and Endpoints of Services with a selector hold the ready pods that it selects."""
        for service in self.objects.get("Service", []):
            selector, meta = (service["spec"].get("selector") or {}).items(), service["metadata"]
            if not selector:
                continue
            pods = [
                p
                for p in self.objects["Pod"]
                if p["metadata"].get("namespace") == meta["namespace"] and selector <= (p["metadata"].get("labels") or {}).items()
            ]
            rows: list[Item] = [
                {"addresses": [p["status"].get("podIP", "10.9.8.7")], "conditions": {"ready": True, "serving": True}, "targetRef": _target(p)}
                for p in pods
            ]
            for one in self.objects.get("EndpointSlice", []):
                if (one["metadata"]["namespace"], one["metadata"]["labels"].get("kubernetes.io/service-name")) == (meta["namespace"], meta["name"]):
                    one["endpoints"] = rows
                    one["ports"] = [{**p, "port": p.get("targetPort", p["port"])} for p in service["spec"].get("ports") or []]
            for one in self.objects.get("Endpoints", []):
                if (one["metadata"]["namespace"], one["metadata"]["name"]) == (meta["namespace"], meta["name"]):
                    ports = [
                        {"port": p.get("targetPort", p["port"]), "protocol": p.get("protocol", "TCP")} for p in service["spec"].get("ports") or []
                    ]
                    one["subsets"] = [{"addresses": [{"ip": r["addresses"][0], "targetRef": r["targetRef"]} for r in rows], "ports": ports}]


def _owned(item: Item, owner: Item) -> bool:
    return item["metadata"].get("namespace") == owner["metadata"].get("namespace") and any(
        (r["kind"], r["name"]) == (owner["kind"], owner["metadata"]["name"]) for r in item["metadata"].get("ownerReferences") or []
    )


def _target(pod: Item) -> Item:
    return {"kind": "Pod", "name": pod["metadata"]["name"], "namespace": pod["metadata"]["namespace"]}
