"""The embedders by themselves: shape, stability, the checked model file, the fallback, and that nothing calls home."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from app.memory.embedder import choose_embedder, from_blobs, to_blob
from app.memory.embedder_hash import HashEmbedder
from app.memory.embedder_minilm import VOCABULARY, MinilmEmbedder
from app.memory.failures import EmbedderUnavailable

LAZY = """
import sys
import app.memory.memory, app.memory.embedder_minilm, app.memory.index_chroma
from app.memory.embedder_minilm import MinilmEmbedder
MinilmEmbedder()
print([name for name in ("onnxruntime", "tokenizers", "chromadb", "torch", "httpx") if name in sys.modules])
"""
EMBED = """
from app.memory.embedder import choose_embedder
embedder = choose_embedder()
embedder.embed(["checkout runs out of memory"])
print(embedder.id)
"""


def test_the_hash_of_a_text_is_the_same_in_every_process() -> None:
    script = "from app.memory.embedder_hash import HashEmbedder; print(HashEmbedder().embed(['pod is gone'])[0].tobytes().hex())"
    env = os.environ | {"PYTHONHASHSEED": "7"}
    other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=env).stdout.strip()
    assert HashEmbedder().embed(["pod is gone"])[0].tobytes().hex() == other


@pytest.mark.parametrize("text", ["", " ", "ab", "☃" * 3, "\ud800 lone", "x" * 100_000])
def test_any_text_has_a_hash_vector_of_length_one(text: str) -> None:
    vectors = HashEmbedder().embed([text])
    assert vectors.shape == (1, HashEmbedder.dimensions)
    assert np.isclose(np.linalg.norm(vectors[0]), 1, atol=1e-5)


def test_a_vector_survives_its_half_precision_blob() -> None:
    vectors = HashEmbedder().embed(["one text", "another"])
    back = from_blobs([to_blob(vector) for vector in vectors], HashEmbedder.dimensions)
    assert float(np.abs(back - vectors).max()) < 1e-3
    assert np.allclose(np.linalg.norm(back, axis=1), 1, atol=1e-5)
    with pytest.raises(ValueError, match="768 bytes, not 4"):
        from_blobs([b"1234"], HashEmbedder.dimensions)


# covers EMEM-01
@pytest.mark.slow
def test_the_model_places_the_same_trouble_nearer_than_another() -> None:
    embedder = MinilmEmbedder()
    oom, killed, dns = embedder.embed(["container runs out of memory", "the kernel killed the pod: OOM", "name resolution fails"])
    assert float(oom @ killed) > float(oom @ dns) + 0.2
    assert embedder.embed([]).shape == (0, embedder.dimensions)


@pytest.mark.slow
def test_a_text_has_one_vector_alone_or_in_a_batch_and_long_ones_are_cut() -> None:
    embedder = MinilmEmbedder()
    texts = [f"alert {n} " + "with more words " * (n * 5) for n in range(11)] + ["", "log line " * 5000]
    together = embedder.embed(texts)
    alone = np.concatenate([embedder.embed([text]) for text in texts])
    assert together.shape == (13, embedder.dimensions)
    assert float(np.abs(together - alone).max()) < 1e-4


@pytest.mark.parametrize(("name", "what"), [("model", "model.onnx"), ("vocabulary", "vocab.txt")])
def test_a_changed_file_is_not_used(tmp_path: Path, name: str, what: str) -> None:
    (tmp_path / "model.onnx").write_bytes(b"something else")
    (tmp_path / "vocab.txt").write_text(VOCABULARY.read_text(encoding="utf-8") + "extra\n", encoding="utf-8")
    embedder = MinilmEmbedder(model=tmp_path / what) if name == "model" else MinilmEmbedder(vocabulary=tmp_path / what)
    with pytest.raises(EmbedderUnavailable, match="not the file we know"):
        embedder.embed(["x"])


def test_without_the_extra_the_character_hash_takes_over_and_the_log_says_why(tmp_path: Path) -> None:
    with capture_logs() as lines:
        embedder = choose_embedder("sentence-transformers", str(tmp_path / "no-model"))
    assert isinstance(embedder, HashEmbedder)
    assert [(line["event"], line["wanted"], line["used"]) for line in lines] == [("embedder_fallback", "sentence-transformers", "hash")]
    assert lines[0]["reason"]


def test_an_unknown_embedder_is_a_mistake_of_the_configuration() -> None:
    with pytest.raises(ValueError, match="minilm-int8"):
        choose_embedder("word2vec")


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    assert subprocess.run([sys.executable, "-c", LAZY], capture_output=True, text=True, check=True).stdout.strip() == "[]"


@pytest.mark.slow
def test_embedding_leaves_no_trace_of_telemetry_in_the_home_directory(tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY" and not name.startswith("XDG")} | {
        "HOME": str(tmp_path)
    }
    ran = subprocess.run([sys.executable, "-c", EMBED], capture_output=True, text=True, check=True, env=env, cwd=Path(__file__).parents[2])
    assert ran.stdout.strip() == MinilmEmbedder.id
    assert not (tmp_path / ".cache" / "Microsoft").exists()
    assert list(tmp_path.iterdir()) == []
