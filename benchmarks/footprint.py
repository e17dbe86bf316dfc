"""What the service weighs: time to ready, memory idle and after 100 investigations, `--help`, the run-time set on disk."""

import asyncio
import importlib.metadata
import subprocess
import tempfile
import time
from pathlib import Path

import httpx2

from tests.real.processes import ROOT, SRE_AGENT, answers, free_port, running, until

SCENARIO = ROOT / "app" / "lab" / "scenarios" / "payment-gateway"
INVESTIGATIONS = 100


def rss_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) / 1024


async def service(folder: Path) -> None:
    port, lab = free_port(), free_port()
    url = f"http://127.0.0.1:{port}"
    env = {
        "SRE_AGENT_DATA_DIR": str(folder / "data"),
        "SRE_AGENT_PORT": str(port),
        "SRE_AGENT_KUBERNETES_URL": f"http://127.0.0.1:{lab}",
        "SRE_AGENT_LOG_LEVEL": "WARNING",
    }
    async with running(SRE_AGENT, "lab", str(SCENARIO), "--port", str(lab), log=folder / "lab.log"):
        await until(lambda: answers(f"http://127.0.0.1:{lab}/version"), 20, "the lab answers")
        for attempt in ("first start, empty data folder", "second start"):
            begun = time.perf_counter()
            async with running(SRE_AGENT, "serve", log=folder / "service.log", env=env) as process:
                await until(lambda: answers(f"{url}/health/ready"), 30, "ready")
                print(f"start-up to ready ({attempt}): {time.perf_counter() - begun:.2f} s (target 2 s)")
                if attempt != "second start":
                    continue
                print(f"memory idle: {rss_mb(process.pid):.0f} MB (target 200 MB)")
                await investigate(url)
                print(f"memory after {INVESTIGATIONS} investigations: {rss_mb(process.pid):.0f} MB (target 400 MB)")


async def investigate(url: str) -> None:
    gate = asyncio.Semaphore(4)

    async def one(client: httpx2.AsyncClient, n: int) -> None:
        async with gate:
            body = {"type": ("high_memory", "high_cpu", "error_rate", "latency")[n % 4], "service": "payment-gateway", "namespace": "payments"}
            (await client.post(f"{url}/alerts", json=body)).raise_for_status()

    async with httpx2.AsyncClient(trust_env=False, timeout=120) as client:
        begun = time.perf_counter()
        await asyncio.gather(*(one(client, n) for n in range(INVESTIGATIONS)))
        print(f"{INVESTIGATIONS} investigations in {time.perf_counter() - begun:.1f} s")


def help_seconds() -> float:
    begun = time.perf_counter()
    subprocess.run([SRE_AGENT, "--help"], check=True, capture_output=True)
    return time.perf_counter() - begun


def installed() -> None:
    """Size of the packages that requirements.lock names, without byte code."""
    lock = (ROOT / "requirements.lock").read_text()
    names = {line.split("==")[0].lower().replace("_", "-") for line in lock.splitlines() if "==" in line and not line.startswith(" ")}
    size = count = 0
    for dist in importlib.metadata.distributions():
        if dist.metadata["Name"].lower().replace("_", "-") in names:
            count += 1
            size += sum(p.stat().st_size for f in dist.files or () if f.suffix != ".pyc" and (p := Path(str(dist.locate_file(f)))).is_file())
    print(f"run-time set: {count} packages, {size / 1e6:.0f} MB on disk, not byte-compiled (target 550 MB)")


def run() -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(service(Path(folder)))
    print(f"sre-agent --help: {min(help_seconds() for _ in range(3)):.2f} s (target 0.5 s)")
    installed()
