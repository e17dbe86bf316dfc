"""Who asks, and what they may: bearer tokens -> identities with roles. Read by the server and by the access reviews.

Without any identities the server has one caller, `SNAPSHOT_READER`: it may read what the snapshot read.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from app.lab.kubernetes.status import USER, ApiError

READ = ("get", "list", "watch")


@dataclass(frozen=True)
class Rule:
    """One rule of RBAC; `resources` may have a slash for a subresource."""

    verbs: tuple[str, ...]
    groups: tuple[str, ...]
    resources: tuple[str, ...]

    def as_json(self) -> dict[str, list[str]]:
        return {"verbs": list(self.verbs), "apiGroups": list(self.groups), "resources": list(self.resources)}


@dataclass(frozen=True)
class Role:
    """A Role bound to the identity in `namespace` by a binding of the same name."""

    name: str
    namespace: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class Identity:
    """A caller. The group `system:masters` may do everything."""

    user: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    roles: tuple[Role, ...] = ()

    @property
    def master(self) -> bool:
        return "system:masters" in self.groups

    def role_for(self, verb: str, group: str, resource: str, namespace: str) -> Role | None:
        """The role that allows it. `resource` has its subresource after a slash."""
        held = ((role, rule) for role in self.roles for rule in role.rules if namespace and role.namespace == namespace)
        return next((role for role, rule in held if verb in rule.verbs and group in rule.groups and resource in rule.resources), None)


SNAPSHOT_READER = Identity(USER, groups=("system:serviceaccounts", "system:authenticated"))


def authenticated(header: str | None, identities: Mapping[str, Identity] | None) -> Identity:
    """The identity of an `Authorization` header. Raises ApiError 401."""
    if identities is None:
        return SNAPSHOT_READER
    scheme, _, token = (header or "").partition(" ")
    found = identities.get(token) if scheme == "Bearer" else None
    if found is None:
        raise ApiError(401, "Unauthorized", "Unauthorized")
    return found
