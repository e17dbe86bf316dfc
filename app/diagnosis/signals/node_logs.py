"""What a node's kernel, its time service and their exporters say -> hardware that is broken, a clock that is off or not set.
Reads `search_logs` calls that name a node, and `query_prometheus`. Twins: `units` (does a unit run), `operations` (offsets)."""

import re
from datetime import timedelta

from app.diagnosis.reading import Reading
from app.diagnosis.series import Series, when
from app.diagnosis.signals.operations import node_of
from app.diagnosis.world import Found, World, cite, signal
from app.domain.log_times import moment_of
from app.domain.target import ObjectRef

LATELY = timedelta(hours=1)
# The kernel's own words (EDAC, mce, mm/memory-failure, block layer, libata, nvme, ext4, xfs, md), smartd, NVIDIA's driver, PCIe.
BROKEN = re.compile(
    r"EDAC MC\d+: \d+ UE\b|\[Hardware Error\]|Machine check events logged|Memory failure: 0x|Uncorrected (hardware )?(memory )?error"
    r"|(blk_update_request|print_req_error|Buffer I/O error).*\b(dev|device) \w+|\b(critical medium|I/O) error, dev \w+|Unrecovered read error"
    r"|\bata\d+(\.\d+)?: (failed command|exception Emask|disabled)|nvme\d?\w*: (I/O \d+ .*timeout|controller is down|Device not ready)"
    r"|EXT4-fs error|Remounting filesystem read-only|XFS .*(metadata I/O error|Corruption detected|log I/O error)"
    r"|md/raid.*(Disk failure|Operation failed)"
    r"|smartd.*(FAILED|Offline_Uncorrectable|Current_?Pending_Sector|uncorrectable sector)|NVRM: Xid|AER:.*Uncorrect|Uncorrected \(Fatal\)",
    re.I,
)
# chrony, ntpd, systemd-timesyncd, Talos' SyncController, w32time, the kernel after a machine was suspended.
STEPPED = re.compile(
    r"(System clock (wrong by|was stepped by)|clock (was )?stepped( by)?|time (reset|stepped?)( by)?|step(ping)? time by|adjusting local clock by)"
    r" ?(?P<offset>[-+]?\d+(\.\d+)?) ?s",
    re.I,
)
UNSET = re.compile(
    r"Can't synchronise: no (selectable|majority)|no server suitable for synchroni[sz]ation|Timed out waiting for reply from .*(:123|ntp|time)"
    r"|error querying NTP server|no (reachable|usable) (time |ntp )?(servers?|sources?)|time server .*(unreachable|not respond)",
    re.I,
)
# A token, signature or ticket that a peer's clock has dated: JWT libraries, AWS' signatures, Kerberos, X.509, TOTP.
FUTURE = re.compile(
    r"\bnbf\b.{0,40}(future|not)|(token|jwt|assertion).{0,60}(not yet valid|before issued|issued in the future|not active)|ImmatureSignature"
    r"|iat.{0,30}in the future|RequestTimeTooSkewed|Clock skew too great|certificate is not yet valid|IDX10222",
    re.I,
)
HARDWARE_QUERY = (
    '{__name__=~"node_edac_uncorrectable_errors_total|smartmon_device_smart_healthy|smartctl_device_smart_status|problem_gauge|DCGM_FI_DEV_XID_ERRORS'
    '|node_filesystem_readonly|node_memory_HardwareCorrupted_bytes"}'
)
CLOCK_QUERY = '{__name__=~"node_timex_offset_seconds|node_timex_sync_status|chrony_tracking_last_offset_seconds|ntp_offset_seconds"}'
COUNTED = ("node_edac_uncorrectable_errors_total", "node_filesystem_readonly", "DCGM_FI_DEV_XID_ERRORS", "node_memory_HardwareCorrupted_bytes")
HEALTHY = ("smartmon_device_smart_healthy", "smartctl_device_smart_status")
_CLOCKS = re.compile(r"clock|ntp|time_?sync|timex|skew", re.I)
STEP_SECONDS = 0.5


def find(world: World) -> Found:
    for reading in world.readings:
        if reading.tool == "search_logs" and reading.call.args.get("node"):
            yield from _log(world, reading)
    for reading, one in world.series:
        if one.values and (one.name in COUNTED or one.name in HEALTHY or one.name == "problem_gauge"):
            yield from _hardware(world, reading, one)
        elif one.values and "node_timex_sync_status" in f"{one.name} {one.of} {one.query} {reading.call.args.get('query') or ''}":
            yield from _unset(world, reading, one)


def asks_for_clock(world: World) -> bool:
    return any(_CLOCKS.search(a.name) for a in world.case.alerts)


def _log(world: World, reading: Reading) -> Found:
    node = str(reading.call.args["node"])
    where = ObjectRef(kind="Node", name=node)
    lines = [str(x) for x in reading.result.data.get("lines") or []]
    lately = [x for x in lines if (at := moment_of(x, world.now)) is None or world.now - at <= LATELY]
    told = [x for x in lately if BROKEN.search(x)]
    if told:
        facts = {"node": node, "reason": told[-1].strip()[:160]}
        source = cite(reading, (told[0],), (told[-1],))
        yield signal("hardware_reported", where, facts["reason"], source, moment_of(told[0], world.now), facts)
    for line in lately:
        if (match := STEPPED.search(line)) and abs(float(match["offset"])) >= STEP_SECONDS:
            facts = {"node": node, "state": f"was {match['offset']} s off", "line": line}
            yield signal("clock_off", where, line.strip()[:160], cite(reading, (line,)), moment_of(line, world.now), facts)
    unset = [x for x in lately if UNSET.search(x)]
    if unset:
        facts = {"node": node, "state": "is not set by any time server"}
        yield signal("clock_unset", where, unset[-1].strip()[:160], cite(reading, (unset[-1],)), moment_of(unset[0], world.now), facts)


def _hardware(world: World, reading: Reading, one: Series) -> Found:
    """A count that rose, a disk whose own check fails, a problem that node-problem-detector holds."""
    first, last = one.values[0][1], one.values[-1][1]
    bad = last > first if one.name in COUNTED else last == 0 if one.name in HEALTHY else last == 1 and bool(BROKEN_KIND.search(str(one.labels)))
    if not bad:
        return
    node = node_of(world, one.labels)
    began = next((t for t, v in one.values if v != first), one.values[0][0])
    said = f"{one.name} {one.labels.get('reason', '')} is {last:.4g}".replace("  ", " ")
    labels = tuple(f'"{v}"' for k, v in sorted(one.labels.items()) if k in ("instance", "node", "device", "reason"))
    facts = {"node": node, "reason": said}
    yield signal(
        "hardware_reported",
        ObjectRef(kind="Node", name=node),
        f"Node {node}: {said}",
        cite(reading, (one.name, *labels), labels, (one.name,)),
        when(began),
        facts,
    )


BROKEN_KIND = re.compile(r"Readonly|Hardware|Memory(Read)?Error|Corrupt|DiskError|IOError|Xid|KernelDeadlock|Ext4", re.I)


def _unset(world: World, reading: Reading, one: Series) -> Found:
    """Nothing sets the clock now: it did before, or an alert asks. Some virtual machines never say that it is set."""
    values = [v for _, v in one.values]
    if values[-1] != 0 or not (max(values) > 0 or asks_for_clock(world)):
        return
    node = node_of(world, one.labels)
    labels = tuple(f'"{v}"' for k, v in sorted(one.labels.items()) if k in ("instance", "node"))
    facts = {"node": node, "state": "is not set by any time server"}
    began = next((t for t, v in one.values if v == 0), one.values[-1][0])
    claim, source = f"Nothing sets the clock of node {node}", cite(reading, ("sync_status", *labels), labels, (one.name,))
    yield signal("clock_unset", ObjectRef(kind="Node", name=node), claim, source, when(began), facts)
