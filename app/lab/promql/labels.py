"""Label sets as sorted tuples of pairs, and what expressions do with them. Used by every module here."""

from functools import lru_cache
from typing import TypeAlias

Labels: TypeAlias = tuple[tuple[str, str], ...]
Vector: TypeAlias = list[tuple[Labels, float]]
NAME = "__name__"


class PromqlError(Exception):
    """`kind` is Prometheus' errorType: bad_data (the query is wrong) or execution (it cannot be carried out)."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def of(metric: dict[str, str]) -> Labels:
    """Empty values are absent labels."""
    return tuple(sorted((n, v) for n, v in metric.items() if v != ""))


@lru_cache(maxsize=20_000)
def drop_name(labels: Labels) -> Labels:
    return tuple(pair for pair in labels if pair[0] != NAME)


@lru_cache(maxsize=20_000)
def only(labels: Labels, names: tuple[str, ...]) -> Labels:
    return tuple(pair for pair in labels if pair[0] in names)


@lru_cache(maxsize=20_000)
def without(labels: Labels, names: tuple[str, ...]) -> Labels:
    """Without these and without the metric's name."""
    return tuple(pair for pair in labels if pair[0] not in names and pair[0] != NAME)


def value_of(labels: Labels, name: str) -> str:
    return next((v for n, v in labels if n == name), "")


def with_label(labels: Labels, name: str, value: str) -> Labels:
    """Set a label; "" takes it away."""
    rest = [pair for pair in labels if pair[0] != name]
    return tuple(sorted([*rest, (name, value)])) if value else tuple(rest)


def text(labels: Labels) -> str:
    """`name{a="b"}` as messages have it."""
    inner = ", ".join(f'{n}="{v}"' for n, v in labels if n != NAME)
    return value_of(labels, NAME) + "{" + inner + "}"


def unique(vector: Vector) -> Vector:
    """The vector itself. Raises PromqlError when two elements have the same labels."""
    if len({labels for labels, _ in vector}) < len(vector):
        raise PromqlError("execution", "vector cannot contain metrics with the same labelset")
    return vector
