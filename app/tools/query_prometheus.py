"""query_prometheus: one PromQL expression over the last minutes, checked before it is sent."""

from datetime import timedelta

from pydantic import Field

from app.domain.tool import ToolContext, ToolResult, ToolStatus, Window
from app.tools.answers import Arguments, Findings, Reading, answer, read_spec
from app.tools.prometheus_client import PrometheusClient
from app.tools.promql import MAX_LENGTH, checked, first_selector
from app.tools.scrape_pace import learn
from app.tools.series_text import as_json, change_in, line


class QueryPrometheusArguments(Arguments):
    query: str = Field(min_length=1, max_length=MAX_LENGTH, description="PromQL; every selector needs a metric name or a narrowing label matcher.")
    minutes: int = Field(60, ge=1, le=1_440, description="How far back from the time of the investigation.")


class QueryPrometheus:
    arguments = QueryPrometheusArguments
    spec = read_spec("query_prometheus", "Run one PromQL expression over a span of time", "prometheus", "metrics", QueryPrometheusArguments)

    def __init__(self, client: PrometheusClient) -> None:
        self._client = client

    async def run(self, arguments: QueryPrometheusArguments, context: ToolContext) -> ToolResult:
        query = checked(arguments.query)
        window = Window(start=context.window.end - timedelta(minutes=arguments.minutes), end=context.window.end)
        pace, size = await learn(self._client, first_selector(query), window)
        matrix = await self._client.range(query, window, pace.interval, pace.age)
        reading = Reading([query], matrix.bytes_read + size, [matrix.truncated])
        series = [s for s in matrix.series if s.values]
        if not series:
            none = Findings(ToolStatus.NO_DATA, "The query has no series in this window", data={"series": []}, window=window)
            return answer(self.spec, reading, none)
        changes = [change_in(s) for s in series]
        names = [s.metric.get("__name__", "value") for s in series]
        lines = [line(n, s, c) for n, s, c in zip(names, series, changes, strict=True)]
        data = {"series": [as_json(n, query, s, c, matrix.step) for n, s, c in zip(names, series, changes, strict=True)]}
        moved = sum(1 for c in changes if c)
        return answer(self.spec, reading, Findings(ToolStatus.OK, f"{len(series)} series, {moved} of them moved", lines, data, window))
