"""Log templates on one core: lines per second as a ratio to a plain loop over the same lines, and memory before and after.

`python -m benchmarks log_templates` streams 100 MB; `LOG_MB=1024` streams a gigabyte. Lines are generated, never repeated.
"""

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

from app.domain.log_templates import LogTemplates

CHUNK = 10_000
PEOPLE = ("alice", "bob", "carol", "dave", "erin")


def rss_mb() -> float:
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) / 1024


def line(n: int, chance: random.Random) -> str:
    """Web server, Java, Go, klog and JSON lines, one in twelve an error, and a rare one that nobody has seen before."""
    second, any_number = n // 100, chance.randrange(1_000_000)
    clock = f"{second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02}"
    ip = f"10.{any_number % 256}.{any_number // 256 % 256}.{n % 256}"
    kinds = (
        f"2026-01-01T{clock}.{n % 1000:03}Z INFO [http-nio-8080-exec-{n % 200}] c.shop.CartController - {any_number} into {n:016x} in {n % 97}ms",
        f'{ip} - - [01/Jan/2026:{clock} +0000] "GET /api/v1/products/{any_number} HTTP/1.1" 200 {n % 9999} "-" "Mozilla/5.0"',
        f'{{"level":"info","ts":"2026-01-01T{clock}Z","logger":"http","msg":"request done","path":"/cart/{any_number}","status":200,"ms":{n % 89}}}',
        f'level=info ts=2026-01-01T{clock}Z caller=db.go:88 msg="query done" rows={n % 500} took={any_number}us trace={n:032x}',
        f'I0101 {clock}.{n % 1000:06}       1 reconciler.go:{n % 300}] "Reconciled" pod="shop/cart-{n % 99}" generation={any_number}',
        f"2026-01-01T{clock}Z WARN slow call to payment at {ip}:8080 user={PEOPLE[n % 5]} took {any_number} ms",
        f"2026-01-01 {clock},{n % 1000:03} ERROR [worker-{n % 9}] order {any_number} failed: dial tcp {ip}:5432: connect: connection refused",
        f"{n:x} {any_number:x} was never said {'before' * (n % 3)} in thread-{any_number:x} of {PEOPLE[n % 5]}{n}",
    )
    return kinds[(0, 0, 0, 1, 1, 2, 2, 3, 4, 5, 6, 7 if n % 50 == 0 else 0)[any_number % 12]]


def chunks(total_bytes: int) -> Iterator[list[str]]:
    chance, n = random.Random(1), 0
    while total_bytes > 0:
        made = [line(n + i, chance) for i in range(CHUNK)]
        n += CHUNK
        total_bytes -= sum(map(len, made)) + CHUNK
        yield made


def run() -> None:
    megabytes = int(os.environ.get("LOG_MB", "100"))
    templates = LogTemplates()
    plain = mining = seen = 0.0
    before = peak = 0.0
    for count, chunk in enumerate(chunks(megabytes * 1_000_000)):
        begun = time.process_time()
        for text in chunk:
            seen += len(text)
        plain += time.process_time() - begun
        begun = time.process_time()
        templates.add_all(chunk)
        mining += time.process_time() - begun
        if count == 20:  # tables are full, the interpreter has grown
            before = rss_mb()
        peak = max(peak, rss_mb()) if count >= 20 else 0.0
    lines = templates.lines
    rate, loop = lines / mining, lines / plain
    print(f"log templates: {rate:.0f} lines/s on one core (target 50000), plain loop {loop:.0f} lines/s, ratio {rate / loop:.4f}")
    found = len(templates.templates())
    grown = f"memory {before:.0f} MB before, {rss_mb():.0f} MB after, {peak:.0f} MB at most"
    print(f"log templates: {seen / 1e6:.0f} MB in {lines} lines, {found} templates, {grown}")
