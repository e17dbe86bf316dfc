"""Alert names -> mechanism words, and the small pattern language that playbooks recognise them by.

`KubePodCrashLooping` -> {kube, pod, crash, looping}. Called by `playbook`. Names of services play no part: a playbook
is chosen by what goes wrong, never by whom it happens to.
"""

import re
from collections.abc import Iterable

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+[a-z]*")


def words_of(*names: str) -> frozenset[str]:
    """The lower-case words of CamelCase, snake_case and kebab-case names."""
    return frozenset(word.lower() for name in names for word in _WORD.findall(name))


def matches(pattern: str, words: frozenset[str]) -> bool:
    """Whether every word of the pattern is there; `crash*` stands for any word that begins so."""
    return all(any(w.startswith(p[:-1]) for w in words) if p.endswith("*") else p in words for p in pattern.split())


def any_matches(patterns: Iterable[str], words: frozenset[str]) -> bool:
    return any(matches(p, words) for p in patterns)
