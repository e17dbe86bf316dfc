"""What an alert is about: a Kubernetes object, or a thing named like one (design section 8, last paragraph)."""

from pydantic import Field

from app.domain.frozen import Frozen


class ObjectRef(Frozen):
    """`Kind/namespace/name`; `Kind//name` for what has no namespace or is no Kubernetes object."""

    kind: str
    namespace: str = ""
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}"

    @classmethod
    def parse(cls, text: str) -> "ObjectRef":
        """Inverse of `str()`. Raises ValueError unless there are two slashes at least."""
        kind, namespace, name = text.split("/", 2)
        return cls(kind=kind, namespace=namespace, name=name)


class Target(Frozen):
    """The resolver's answer.

    `ref` is the most exact object known, `owners` its chain upward (pod -> ReplicaSet -> Deployment), nearest first.
    `why` is one sentence; `believed` and `ignored` are the labels it rests on and those it set aside as misleading.
    """

    ref: ObjectRef
    owners: tuple[ObjectRef, ...] = ()
    container: str = ""
    why: str
    believed: dict[str, str] = Field(default_factory=dict)
    ignored: dict[str, str] = Field(default_factory=dict)

    @property
    def workload(self) -> ObjectRef:
        """The top owner, or the object itself."""
        return self.owners[-1] if self.owners else self.ref

    @property
    def namespace(self) -> str:
        """The namespace to look in: the object's own, or itself when it is a Namespace."""
        return self.ref.name if self.ref.kind == "Namespace" else self.ref.namespace
