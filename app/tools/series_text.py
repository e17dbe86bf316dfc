"""A series -> one line of text with its change point, and its JSON. Used by every tool that shows series."""

from collections.abc import Sequence
from datetime import UTC, datetime

from app.domain.frozen import JsonObject
from app.tools.change_points import Change, change_of, trend_of
from app.tools.prometheus_client import Series

MAX_VALUES = 241  # an hour at 15 s; of one series in `data`; the text is made from all of them


def line(name: str, series: Series, change: Change | None) -> str:
    """`name{labels} first=.. last=.. min=.. max=.. change at HH:MM:SSZ (before .. after ..) step`."""
    numbers = [float(v) for _, v in series.values]
    finite = [n for n in numbers if n - n == 0] or numbers
    head = f"{name}{labels(series.metric)} first={short(numbers[0])} last={short(numbers[-1])} min={short(min(finite))} max={short(max(finite))}"
    if change is None:
        trend = trend_of(points(series))
        return f"{head} trend {trend} over the whole window" if trend else f"{head} no change"
    until = f" until {clock(change.until)}" if change.until is not None else ""
    return f"{head} change at {clock(change.at)} (before {short(change.before)} after {short(change.after)}) {change.kind}{until}"


def as_json(name: str, query: str, series: Series, change: Change | None, step: int) -> JsonObject:
    """Matrix form with the signal's name; values thinned out evenly to at most 241, the last one kept."""
    stride = max(1, -(-len(series.values) // MAX_VALUES))
    kept = series.values[::-1][::stride][::-1]
    found: JsonObject = {"name": name, "query": query, "metric": series.metric, "values": [[t, v] for t, v in kept], "step": step * stride}
    if change is None:
        found |= {"trend": trend} if (trend := trend_of(points(series))) else {}
    else:
        found["change"] = {"at": change.at, "before": change.before, "after": change.after, "kind": change.kind, "resolution": change.resolution}
    return found


def points(series: Series) -> list[tuple[float, float]]:
    return [(t, float(v)) for t, v in series.values]


def change_in(series: Series) -> Change | None:
    return change_of(points(series))


def labels(metric: dict[str, str]) -> str:
    shown = ",".join(f'{k}="{v}"' for k, v in sorted(metric.items()) if k != "__name__")
    return f"{{{shown}}}" if shown else ""


def clock(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%H:%M:%SZ")


def short(value: float) -> str:
    """Whole numbers and large ones (bytes, unix times) whole, others with six digits."""
    whole = value - value == 0 and abs(value) < 1e15 and (value == int(value) or abs(value) >= 1e6)
    return f"{value:.0f}" if whole else f"{value:.6g}"


def latest(series: Sequence[JsonObject], name: str) -> float | None:
    """Sum of the last values of all series of a signal; None when there are none."""
    values = [float(s["values"][-1][1]) for s in series if s["name"] == name and s["values"]]
    finite = [v for v in values if v - v == 0]
    return sum(finite) if finite else None
