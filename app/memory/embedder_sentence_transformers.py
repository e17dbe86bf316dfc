"""Text -> vector with any model of the sentence-transformers extra; imports torch, so only when it is asked for."""

import re
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.memory.embedder_minilm import BATCH, MinilmEmbedder
from app.memory.failures import EmbedderUnavailable


class SentenceTransformersEmbedder:
    """Fills `Embedder`. `model` is a folder or a hub name; `max_distance` is MiniLM's unless you measured your own."""

    def __init__(self, model: str, max_distance: float = MinilmEmbedder.max_distance) -> None:
        self._name = model
        self._loading = threading.Lock()
        self._model: Any = None
        self.max_distance = max_distance
        # The last two parts tell models apart and do not change with the place of the folder.
        self.id = "st-" + re.sub(r"[^A-Za-z0-9.]+", "-", "-".join(model.rstrip("/").split("/")[-2:])).strip("-.").lower()

    @property
    def dimensions(self) -> int:
        return int(self._ready().get_embedding_dimension())

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if not texts:
            return np.empty((0, self.dimensions), np.float32)
        vectors = self._ready().encode(list(texts), batch_size=BATCH, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False)
        return np.asarray(vectors, np.float32)

    def _ready(self) -> Any:
        with self._loading:
            if self._model is None:
                self._model = self._load()
        return self._model

    def _load(self) -> Any:
        try:
            from sentence_transformers import SentenceTransformer  # noqa: PLC0415

            return SentenceTransformer(self._name, device="cpu")
        except (ImportError, OSError, ValueError, RuntimeError) as error:
            raise EmbedderUnavailable(f"sentence-transformers {self._name}: {error}") from error
