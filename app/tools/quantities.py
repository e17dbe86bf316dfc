"""Kubernetes quantities (`250m`, `1Gi`, `2e3`) -> numbers and back to something short. Pure."""

import re

SUFFIXES = {"": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
SUFFIXES |= {f"{letter}i": 1024.0**power for power, letter in enumerate("KMGTPE", start=1)}
QUANTITY = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([numkMGTPE]i?|Ki)?")


def number(quantity: object) -> float:
    """The value in base units, 0.0 for what is no quantity."""
    found = QUANTITY.fullmatch(str(quantity if quantity is not None else "").strip())
    if not found:
        return 0.0
    try:
        return float(found.group(1)) * SUFFIXES[found.group(2) or ""]
    except (ValueError, KeyError):
        return 0.0


def cores(value: float) -> str:
    """`250m`, `1.5`."""
    return f"{round(value * 1000)}m" if value < 1 else f"{value:.3f}".rstrip("0").rstrip(".")


def size(value: float) -> str:
    """`512Mi`, `1.5Gi`."""
    for unit in ("", "Ki", "Mi", "Gi", "Ti"):
        if abs(value) < 1024 or unit == "Ti":
            return f"{value:.1f}".rstrip("0").rstrip(".") + unit
        value /= 1024
    return str(value)
