"""The int8 model must say what the original fp32 model says; its vectors are committed, made by `make test-extras`."""

import json
from pathlib import Path

import numpy as np
import pytest

from app.memory.embedder_minilm import MinilmEmbedder

HERE = Path(__file__).parent


# covers EMEM-01
@pytest.mark.slow
def test_int8_vectors_agree_with_the_original_model_on_two_hundred_alert_texts() -> None:
    texts = json.loads((HERE / "alert_texts.json").read_text(encoding="utf-8"))
    original = np.load(HERE / "fp32_vectors.npy").astype(np.float32)
    original /= np.linalg.norm(original, axis=1, keepdims=True)
    ours = MinilmEmbedder().embed(texts)
    cosines = (ours * original).sum(axis=1)
    near_ours, near_original = ours @ ours.T, original @ original.T
    np.fill_diagonal(near_ours, -1)
    np.fill_diagonal(near_original, -1)
    same = float(np.mean(near_ours.argmax(axis=1) == near_original.argmax(axis=1)))
    print(f"int8 against fp32: cosine at least {cosines.min():.4f}, mean {cosines.mean():.4f}; same nearest neighbour {same:.1%}")
    assert len(texts) == 200
    assert cosines.min() >= 0.99
    assert same >= 0.95
