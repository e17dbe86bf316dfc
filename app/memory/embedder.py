"""Text -> vector: the port, and which embedder answers here. Called by `episodic.py` at the first recall.

Vectors of different embedders are never compared: every stored vector carries its embedder's id.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import structlog
from numpy.typing import NDArray

from app.memory.embedder_hash import HashEmbedder
from app.memory.embedder_minilm import MinilmEmbedder
from app.memory.embedder_sentence_transformers import SentenceTransformersEmbedder
from app.memory.failures import EmbedderUnavailable

log = structlog.get_logger()

Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """`id` names model and version. `max_distance` is the squared L2 distance at which a case stops being alike,
    measured per embedder by tests/memory/test_threshold.py and never above 1.5 (EMEM-05)."""

    @property
    def id(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    @property
    def max_distance(self) -> float: ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row per text, each of length 1. Blocks for milliseconds a text; raises EmbedderUnavailable."""


MAKERS: dict[str, Callable[[str], Embedder]] = {
    "minilm-int8": lambda _: MinilmEmbedder(),
    "sentence-transformers": SentenceTransformersEmbedder,
    "hash": lambda _: HashEmbedder(),
}


def choose_embedder(name: str = "minilm-int8", model: str = "sentence-transformers/all-MiniLM-L6-v2") -> Embedder:
    """The embedder of that name, loaded and tried; or the character hash, with the reason in the log.

    `model` (a name or a folder) is for `sentence-transformers` alone. Blocks for a second or so: call it in a thread.
    Raises ValueError for a name that is none of `MAKERS`.
    """
    if name not in MAKERS:
        raise ValueError(f"no embedder {name!r}: it is one of {', '.join(MAKERS)}")
    embedder = MAKERS[name](model)
    try:
        embedder.embed(["ready"])
    except EmbedderUnavailable as unavailable:
        log.warning("embedder_fallback", wanted=name, used="hash", reason=str(unavailable))
        return HashEmbedder()
    return embedder


def to_blob(vector: Vectors) -> bytes:
    """float16 little-endian: half the space, distances move by less than 0.002."""
    return vector.astype("<f2").tobytes()


def from_blobs(blobs: Sequence[bytes], dimensions: int) -> Vectors:
    """Rows of unit length again. Raises ValueError when a blob has another length."""
    wrong = [len(blob) for blob in blobs if len(blob) != 2 * dimensions]
    if wrong:
        raise ValueError(f"a vector of {dimensions} dimensions has {2 * dimensions} bytes, not {wrong[0]}")
    rows = np.frombuffer(b"".join(blobs), dtype="<f2").astype(np.float32).reshape(len(blobs), dimensions)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Vectors = rows / np.maximum(lengths, np.float32(1e-12))
    return unit
