"""Several lists at once -> one reading: what came, what was denied, what it cost. Used by every Kubernetes tool."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from app.domain.errors import ToolFailure
from app.domain.frozen import JsonObject
from app.domain.owners import Index, index
from app.domain.reason import ErrorClass
from app.domain.tool import ToolStatus
from app.tools.answers import Reading
from app.tools.kubernetes_client import KubernetesClient, Listing
from app.tools.kubernetes_kinds import KINDS

MAX_PARALLEL = 4


@dataclass(frozen=True)
class Query:
    """One list call. `required`: without it there is no answer, so its failure is the tool's failure. `optional`: an
    addition that many clusters do not serve, so that its absence is worth no note."""

    kind: str
    namespace: str = ""
    labels: str = ""
    fields: str = ""
    required: bool = False
    optional: bool = False


@dataclass
class Cluster:
    """Objects by kind, and the reading they came from."""

    listings: dict[str, Listing] = field(default_factory=dict)
    reading: Reading = field(default_factory=Reading)

    def of(self, *kinds: str) -> list[JsonObject]:
        """Items of these kinds, in the order asked."""
        return [item for kind in kinds if kind in self.listings for item in self.listings[kind].items]

    def known(self) -> Index:
        return index(item for listing in self.listings.values() for item in listing.items)

    def denied(self, *kinds: str) -> bool:
        """Whether none of these kinds may be read."""
        return all(kind in self.listings and self.listings[kind].status is ToolStatus.DENIED for kind in kinds)

    def readable(self, kind: str) -> bool:
        return kind in self.listings and self.listings[kind].status is ToolStatus.OK

    def add(self, listing: Listing) -> None:
        self.listings[listing.kind] = listing
        self.reading.asked.append(f"GET {listing.path}")
        self.reading.bytes_read += listing.bytes_read
        self.reading.truncated.append(listing.truncated)
        self.reading.notes.append(listing.note)


async def read(client: KubernetesClient, queries: Sequence[Query], into: Cluster | None = None) -> Cluster:
    """Run the queries, at most four at a time. A query that is not required and fails leaves a note; when every one
    fails, or a required one does, its ToolFailure is raised."""
    cluster, slots = into or Cluster(), asyncio.Semaphore(MAX_PARALLEL)

    async def one(query: Query) -> Listing | ToolFailure:
        async with slots:
            try:
                return await client.list(query.kind, query.namespace, query.labels, query.fields)
            except ToolFailure as failure:
                return failure

    answers = await asyncio.gather(*(one(q) for q in queries))
    failures = [a for a in answers if isinstance(a, ToolFailure)]
    for query, got in zip(queries, answers, strict=True):
        if isinstance(got, Listing):
            cluster.add(replace(got, note="") if query.optional and got.status is ToolStatus.NOT_FOUND else got)
        elif query.required or len(failures) == len(queries) or got.error_class is ErrorClass.CONFIG:
            raise got
        else:
            path = KINDS[query.kind].path(query.namespace)
            cluster.add(Listing(query.kind, path, status=ToolStatus.UNAVAILABLE, note=f"{query.kind} could not be read: {got.detail}"))
    return cluster
