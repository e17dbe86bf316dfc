"""Words of a question -> which texts they fit best: BM25 (Robertson and Zaragoza 2009; k1 1.2, b 0.75). Pure, and equal
for equal input; used by search_runbooks."""

import math
import re
from collections import Counter
from collections.abc import Sequence

K1, B = 1.2, 0.75
WORD = re.compile(r"[A-Za-z]+|[0-9]+")
HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
STOPS = "a an and are as at be by for from has have if in is it its no not of on or that the then this to was when which with you"
STOP = frozenset(re.findall(r"\w+", STOPS))


def words(text: str) -> list[str]:
    """Lower case, plurals cut, `KubePodCrashLooping` both whole and in parts, so that alert names meet prose."""
    found = []
    for whole in WORD.findall(text):
        parts = HUMP.split(whole)
        found += [whole, *(parts if len(parts) > 1 else ())]
    return [_stem(w.lower()) for w in found if w.lower() not in STOP]


def _stem(word: str) -> str:
    """`pods` -> `pod`, `crashes` and `crashed` -> `crash`, `running` -> `run`; enough for a folder of runbooks."""
    if word.endswith("s") and not word.endswith("ss") and len(word) > 3:
        word = word[:-1]
    for end in ("ing", "ed", "e"):
        if word.endswith(end) and len(word) - len(end) >= 3:
            word = word.removesuffix(end)
            return word[:-1] if end != "e" and word[-1] == word[-2] else word
    return word


class Ranking:
    """Texts as lists of words, a word more often where it counts more."""

    def __init__(self, texts: Sequence[Sequence[str]]) -> None:
        self._counts = [Counter(t) for t in texts]
        self._lengths = [len(t) for t in texts]
        self._mean = sum(self._lengths) / len(texts) if texts else 0.0
        self._holders = Counter(word for counts in self._counts for word in counts)

    def scores(self, question: str) -> list[float]:
        """One per text, 0.0 where no word fits."""
        asked = sorted(set(words(question)) & set(self._holders))
        return [self._score(asked, counts, length) for counts, length in zip(self._counts, self._lengths, strict=True)]

    def _score(self, asked: Sequence[str], counts: Counter[str], length: int) -> float:
        total, number = 0.0, len(self._counts)
        for word in asked:
            often, held = counts[word], self._holders[word]
            rare = math.log(1 + (number - held + 0.5) / (held + 0.5))
            total += rare * often * (K1 + 1) / (often + K1 * (1 - B + B * length / self._mean))
        return round(total, 6)
