"""Argo CD's and GitHub's answers as their API documentation shows them, for servers on loopback."""

from typing import Any

from tests.tools.servers import Asked, Handler, Reply, reply

Json = dict[str, Any]
TOKEN = "t0k3n-of-nobody-4711"


def application(name: str = "shop", sync: str = "Synced", health: str = "Healthy", **status: Any) -> Json:
    """An Application that manages Deployment and Service `cart` of namespace `shop`."""
    managed = [
        {"group": "apps", "version": "v1", "kind": "Deployment", "namespace": "shop", "name": "cart", "status": sync, "health": {"status": health}},
        {"version": "v1", "kind": "Service", "namespace": "shop", "name": "cart", "status": "Synced", "health": {"status": "Healthy"}},
    ]
    source = {"repoURL": "https://git.example/shop.git", "path": "deploy", "targetRevision": "main"}
    by = {"username": "alice"}
    history = [
        {"id": 6, "revision": "0a1b2c3d4e5f", "deployedAt": "2025-12-20T08:00:00Z", "initiatedBy": {"automated": True}, "source": source},
        {"id": 7, "revision": "3f2a1bc0de11", "deployedAt": "2026-01-01T09:40:00Z", "initiatedBy": by, "source": source},
    ]
    return {
        "metadata": {"name": name, "namespace": "argocd", "labels": {"team": "cart-team"}, "annotations": {"example.org/service": "cart-api"}},
        "spec": {
            "project": "default",
            "source": source | {"helm": {"parameters": [{"name": "password", "value": "hunter2"}]}},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "shop"},
            "syncPolicy": {"automated": {"selfHeal": True}},
        },
        "status": {
            "sync": {"status": sync, "revision": "3f2a1bc0de11"},
            "health": {"status": health},
            "resources": managed,
            "history": history,
            "reconciledAt": "2026-01-01T09:59:00Z",
            **status,
        },
    }


FAILED: Json = {
    "operationState": {
        "phase": "Failed",
        "message": "one or more objects failed to apply, reason: Deployment.apps \"cart\" is invalid: spec.selector: field is immutable",
        "startedAt": "2026-01-01T09:41:00Z",
        "finishedAt": "2026-01-01T09:41:05Z",
        "retryCount": 5,
        "syncResult": {
            "revision": "3f2a1bc0de11",
            "resources": [
                {"group": "apps", "kind": "Deployment", "namespace": "shop", "name": "cart", "status": "SyncFailed", "message": "field is immutable"},
                {"kind": "Service", "namespace": "shop", "name": "cart", "status": "Synced", "message": "service/cart unchanged"},
            ],
        },
    }
}  # fmt: skip


def argocd(*applications: Json) -> Handler:
    def handle(asked: Asked) -> Reply:
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return reply({"error": "no session information", "code": 16, "message": f"no session information for {TOKEN[:4]}"}, 401)
        if asked.path != "/argo/api/v1/applications":
            return reply({"error": "not found"}, 404)
        found = [a for a in applications if asked.one("name") in ("", a["metadata"]["name"])]
        return reply({"metadata": {"resourceVersion": "1"}, "items": found or None})

    return handle


def deployment(number: int, at: str, environment: str = "production") -> Json:
    return {
        "url": f"https://api.github.com/repos/acme/cart/deployments/{number}",
        "id": number,
        "node_id": "x",
        "sha": "a84d88e7554fc1fa21bcbc4efae3c782a70d2b9d",
        "ref": "v1.4",
        "task": "deploy",
        "payload": {"secret": "hunter2"},
        "original_environment": environment,
        "environment": environment,
        "description": "Release 1.4",
        "creator": {"login": "alice", "id": 1},
        "created_at": at,
        "updated_at": at,
    }


def github(deployments: list[Json], page: int = 2) -> Handler:
    """Pages of `page` deployments; each has gone from in_progress to failure or success, by its number."""

    def handle(asked: Asked) -> Reply:
        if asked.path.endswith("/statuses"):
            number = int(asked.path.split("/")[-2])
            last = {"state": "success" if number % 2 else "failure", "created_at": "2026-01-01T09:32:00Z", "description": "rolled out"}
            return reply([last | {"creator": {"login": "bot"}}, {"state": "in_progress", "created_at": "2026-01-01T09:31:00Z"}])
        if asked.path != "/repos/acme/cart/deployments":
            return reply({"message": "Not Found", "documentation_url": "https://docs.github.com/rest"}, 404)
        number = int(asked.one("page"))
        made = reply(deployments[(number - 1) * page : number * page])
        if number * page < len(deployments):
            # another host: a client that follows it whole would give its token away
            made.headers["Link"] = f'<http://127.0.0.1:9/repositories/1/deployments?per_page=50&page={number + 1}>; rel="next", <x>; rel="last"'
        return made

    return handle
