"""Series with everything that makes PromQL hard (resets, gaps, odd intervals, NaN, several jobs), as a matrix and as
OpenMetrics text for promtool; and the expressions that the lab and a real Prometheus must answer alike."""

import math
import random
from typing import Any

END = 1_790_000_000  # inside a block of two hours, not at its edge
START = END - 3600
AT = (END, END - 1234, END - 3000.5)

Matrix = list[dict[str, Any]]


def number(value: float) -> str:
    return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf") if math.isinf(value) else repr(value)


def series(name: str, labels: dict[str, str], values: list[tuple[float, float]]) -> dict[str, Any]:
    return {"metric": {"__name__": name, **labels}, "values": [[t, number(v)] for t, v in values]}


def scrapes(rng: random.Random, every: float, start: float = START, end: float = END) -> list[float]:
    """Times with jitter and one gap of some minutes."""
    gap = rng.uniform(start, end)
    found = [round(start + every * n + rng.uniform(-0.4, 0.4), 3) for n in range(int((end - start) / every))]
    return [t for t in found if not gap < t < gap + 400]


def counter(rng: random.Random, times: list[float], speed: float, resets: int) -> list[tuple[float, float]]:
    value, found = rng.uniform(0, 1000), []
    at = {rng.randrange(1, len(times)) for _ in range(resets)}
    for place, time in enumerate(times):
        value = rng.uniform(0, 3) if place in at else value + rng.expovariate(1 / speed)
        found.append((time, round(value, 4)))
    return found


def matrix() -> Matrix:
    rng = random.Random(7)
    found: Matrix = []
    for job in ("api", "web"):
        for instance in ("10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"):
            times = scrapes(rng, 15)
            for code, speed in (("200", 40.0), ("404", 2.0), ("500", 0.3)):
                labels = {"job": job, "instance": instance, "code": code}
                found.append(series("http_requests_total", labels, counter(rng, times, speed, 2)))
            total = counter(rng, times, 10, 1)
            for le, share in (("0.1", 0.3), ("0.5", 0.7), ("1", 0.9), ("2.5", 0.97), ("+Inf", 1.0)):
                buckets = [(t, round(v * share, 3)) for t, v in total]
                found.append(series("request_seconds_bucket", {"job": job, "instance": instance, "le": le}, buckets))
            gauge = [(t, round(rng.gauss(200, 30), 2)) for t in times]
            found.append(series("memory_bytes", {"job": job, "instance": instance}, gauge))
            found.append(series("up", {"job": job, "instance": instance}, [(t, float(rng.random() > 0.1)) for t in times]))
        found.append(series("memory_limit_bytes", {"job": job}, [(t, 256.0) for t in scrapes(rng, 60)]))
        found.append(series("owner", {"job": job, "team": f"team-{job}"}, [(t, 1.0) for t in scrapes(rng, 30)]))
    found.append(series("constant", {"job": "api"}, [(START + 30.0 * n, 5.0) for n in range(120)]))
    found.append(series("single", {"job": "api"}, [(END - 10.0, 42.5)]))
    found.append(series("stopped", {"job": "api"}, counter(rng, scrapes(rng, 15)[:60], 5, 0)))
    odd = [1.5, math.nan, math.inf, -2.25, 1e21, -0.0, 1e-7, -math.inf]
    found.append(series("odd", {"job": "api"}, [(START + 20.0 * n, odd[n % len(odd)]) for n in range(180)]))
    found.append(series("negative", {"job": "api", "host": "a.b.example"}, [(t, round(rng.uniform(-9, 9), 3)) for t in scrapes(rng, 20)]))
    return found


def openmetrics(rows: Matrix) -> str:
    lines = []
    for row in rows:
        inner = ",".join(f'{n}="{v}"' for n, v in row["metric"].items() if n != "__name__")
        lines += [f"{row['metric']['__name__']}{{{inner}}} {value} {time:.3f}" for time, value in row["values"]]
    return "\n".join(lines) + "\n# EOF\n"


SELECTORS = [
    "up",
    'up{job="api"}',
    'up{job!="api"}',
    'up{instance=~"10.*[12]:80"}',
    'up{instance!~".*3:80"}',
    '{__name__=~"up|owner", job="web"}',
    "stopped",
    "single",
    "nothing_like_it",
    'http_requests_total{code="500"} offset 10m',
    "memory_bytes offset 90s",
    "memory_bytes offset -90s",
    f"memory_bytes @ {END - 600}",
    "memory_bytes @ end() offset 5m",
    "memory_bytes @ start()",
    "odd",
]
RATES = [
    f"{f}({s}[{w}])"
    for f in ("rate", "increase", "irate", "delta", "idelta", "deriv")
    for s, w in (
        ('http_requests_total{code="200"}', "5m"),
        ("http_requests_total", "1m"),
        ("memory_bytes", "17m"),
        ("single", "5m"),
        ("stopped", "30m"),
    )
]
OVER_TIME = [
    *(f"{f}_over_time(memory_bytes[10m])" for f in ("avg", "sum", "min", "max", "count", "last", "present", "stddev", "stdvar")),
    *(f"{f}_over_time(negative[7m])" for f in ("avg", "sum", "min", "max", "stddev")),
    "max_over_time(odd[1m])",
    "min_over_time(odd[10m])",
    "sum_over_time(odd[10m])",
    "quantile_over_time(0.9, memory_bytes[10m])",
    "quantile_over_time(0.5, negative[3m])",
    "quantile_over_time(2, negative[3m])",
    "changes(up[20m])",
    "resets(http_requests_total[50m])",
    "predict_linear(memory_bytes[20m], 3600)",
    "predict_linear(constant[20m], 60)",
    "max_over_time(rate(http_requests_total[2m])[10m:30s])",
    "avg_over_time(sum(up)[20m:1m])",
    "min_over_time(memory_bytes[10m:])",
    "count_over_time(up[10m] offset 7m)",
    "absent_over_time(nothing[5m])",
    'absent_over_time(nothing{job="x"}[5m])',
]
AGGREGATIONS = [
    *(f"{op}(memory_bytes)" for op in ("sum", "avg", "min", "max", "count", "group", "stddev", "stdvar")),
    *(f"{op} by (job) (http_requests_total)" for op in ("sum", "avg", "min", "max", "count", "group", "stddev", "stdvar")),
    *(f"{op} without (instance) (rate(http_requests_total[5m]))" for op in ("sum", "avg", "max")),
    "topk(2, memory_bytes)",
    "bottomk(2, memory_bytes)",
    "topk by (job) (1, memory_bytes)",
    "bottomk without (instance) (1, rate(http_requests_total[5m]))",
    "topk(0, up)",
    "topk(100, up)",
    "quantile(0.9, memory_bytes)",
    "quantile by (job) (0.25, memory_bytes)",
    "quantile(-1, up)",
    'count_values("value", up)',
    'count_values by (job) ("value", up)',
    "sum(sum by (job, code) (rate(http_requests_total[5m])))",
    "sum(nothing)",
    "avg(odd)",
]
BINARY = [
    "1 + 2 * 3 ^ 2 % 5",
    "-2 ^ 2",
    "1 / 0",
    "memory_bytes / 1024",
    "1024 - memory_bytes",
    "-memory_bytes",
    "memory_bytes % 7",
    "negative ^ 0.5",
    "memory_bytes + memory_bytes",
    "memory_bytes / on(job) group_left memory_limit_bytes",
    "memory_limit_bytes * on(job) group_right memory_bytes",
    "memory_bytes * on(job) group_left(team) owner",
    "memory_limit_bytes * on(job) owner",
    "memory_limit_bytes - ignoring(team) owner",
    'sum by (job) (rate(http_requests_total{code="500"}[5m])) / sum by (job) (rate(http_requests_total[5m]))',
    'rate(http_requests_total{code="500"}[5m]) / ignoring(code) rate(http_requests_total{code="200"}[5m])',
    'http_requests_total{code="500"} / ignoring(code) group_left sum without (code) (http_requests_total)',
    "up * on(job, instance) group_left memory_bytes",
    "memory_bytes / memory_limit_bytes",
    "up == 0",
    "up != bool 1",
    "memory_bytes > 200",
    "200 < memory_bytes",
    "200 >= bool memory_bytes",
    "1 < bool 2",
    "memory_bytes > on(job, instance) (up * 190)",
    "memory_bytes > bool on(job) group_left memory_limit_bytes",
    "memory_bytes <= on(job) group_left memory_limit_bytes",
    "up and on(job) memory_limit_bytes",
    'up and up{job="api"}',
    'up unless up{job="api"}',
    "up unless on(job) owner",
    'up{job="web"} or memory_limit_bytes',
    "vector(1) or up",
    "up or on(job) owner",
    "memory_bytes and memory_bytes > 210",
    "negative atan2 constant",
    "up + on(instance) up",
    "owner * on(job) up",
    "memory_bytes * on(job) group_left owner + 1",
]
FUNCTIONS = [
    *(f"{f}(negative)" for f in ("abs", "ceil", "floor", "exp", "ln", "log2", "log10", "sqrt", "sgn", "round", "sin", "deg")),
    "round(memory_bytes, 5)",
    "round(negative, 0.1)",
    "clamp(memory_bytes, 190, 210)",
    "clamp(memory_bytes, 210, 190)",
    "clamp_min(negative, 0)",
    "clamp_max(negative, 0)",
    "time()",
    "timestamp(memory_bytes)",
    "timestamp(memory_bytes + 0)",
    "time() - timestamp(single)",
    "scalar(single)",
    "scalar(up)",
    "vector(scalar(single) + 1)",
    "vector(3)",
    "sort(memory_bytes)",
    "sort_desc(memory_bytes)",
    "hour()",
    "minute(vector(time() - 600))",
    "day_of_week(vector(1700000000))",
    "days_in_month() + month() + year() + day_of_month() + day_of_year()",
    "absent(nothing)",
    "absent(up)",
    'absent(nothing{job="x", instance=~".*"})',
    'absent(sum(nothing{job="x"}))',
    'label_replace(up, "host", "$1", "instance", "(.*):.*")',
    'label_replace(up, "host", "x-${1}", "instance", "nomatch(.*)")',
    'label_replace(negative, "host", "$2.$1", "host", "([a-z]+)\\\\.([a-z]+).*")',
    'label_replace(up, "job", "", "job", ".*")',
    'label_replace(up, "instance", "same", "instance", ".*")',
    'label_join(up, "both", "-", "job", "instance")',
    *(f"histogram_quantile({q}, sum by (le) (rate(request_seconds_bucket[5m])))" for q in ("0.5", "0.9", "0.99", "0", "1", "-1", "2")),
    "histogram_quantile(0.95, sum by (le, job) (rate(request_seconds_bucket[5m])))",
    "histogram_quantile(0.95, rate(request_seconds_bucket[10m]))",
    'histogram_quantile(0.5, request_seconds_bucket{le!="+Inf"})',
    "histogram_quantile(0.5, up)",
]
MORE = [
    "topk(1, rate(http_requests_total[5m]))",
    "topk(3, negative)",
    "topk without (code) (1, http_requests_total)",
    "min without (code) (http_requests_total)",
    "count without (instance, code) (http_requests_total)",
    "sum without (job) (up)",
    "increase(memory_limit_bytes[20m] offset 5m)",
    'sum(rate(http_requests_total{code!="200"}[5m] offset 10m))',
    "max_over_time(memory_bytes[5m] offset 15m)",
    "irate(http_requests_total[3m])",
    "delta(negative[9m])",
    "min_over_time(negative[90s])",
    "count_over_time(up[3m])",
    "count_over_time(stopped[30m])",
    'count_over_time(http_requests_total{code="404"}[4m])',
    "avg_over_time(constant[8m])",
    'avg_over_time(http_requests_total{code="500"}[5m])',
    "avg_over_time(up[12m])",
    "sum_over_time(up[6m])",
    "sum_over_time(single[5m])",
    "sum_over_time(constant[11m])",
    "memory_limit_bytes / ignoring(team) owner",
    "memory_bytes - ignoring(nothing) memory_bytes offset 5m",
    "owner * on(job) group_right up",
    "memory_limit_bytes - on(job) group_right memory_bytes",
    "memory_limit_bytes < on(job) group_right() memory_bytes",
    "owner + on(job) group_right(team) memory_bytes",
    "absent(memory_bytes > 1000)",
    "absent(stopped)",
]
EXPRESSIONS = [*SELECTORS, *RATES, *OVER_TIME, *AGGREGATIONS, *BINARY, *FUNCTIONS, *MORE]
REFUSED = ["rate(up)", "sum(", "up{", "{}", 'up{job=~"("}', "unknown_function(up)", "1 > 2", "up[5m] + 1", '"text" + 1']
