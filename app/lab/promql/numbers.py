"""Numbers as Prometheus writes them. Used by the server and by `count_values`."""

import math
from decimal import Decimal


def number(value: float) -> str:
    """The shortest text that reads back the same, never with an exponent."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = repr(value)
    if "e" in text:
        text = format(Decimal(text), "f")
    return text[:-2] if text.endswith(".0") else text
