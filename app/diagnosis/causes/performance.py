"""Causes that make a healthy-looking workload slow: cpu, throttling, traffic, the network of one pod."""

from app.diagnosis.causes.rule import DOWNSTREAM, CauseRule

RULES = (
    CauseRule(
        id="pod_cpu_saturation",
        needs=("throttling_rose", "cpu_rose"),
        also=(("latency_rose", "errors_rose", "cpu_rose"),),
        strength=0.6,
        mechanism="{object} needs more cpu than it gets: {series} went from {before} to {after}",
        supports={"throttling_rose": 0.12, "latency_rose": 0.08},
        against={"traffic_rose": 0.1},
        explains=DOWNSTREAM,
        beats=("pod_network_delay",),
        actions=("show_use", "raise_cpu", "roll_back"),
    ),
    CauseRule(
        id="cpu_throttling",
        needs=("throttling_rose",),
        strength=0.58,
        mechanism="The cpu limit throttles {object} ({before} to {after}) without a rise of its work",
        supports={"latency_rose": 0.05},
        against={"cpu_rose": 0.1},
        explains=DOWNSTREAM,
        actions=("show_use", "raise_cpu"),
    ),
    CauseRule(
        id="traffic_spike",
        needs=("traffic_rose",),
        strength=0.6,
        mechanism="Load of {object} went from {before} to {after} requests a second",
        supports={"latency_rose": 0.05, "cpu_rose": 0.06, "errors_rose": 0.04},
        explains=DOWNSTREAM | {"cpu_rose"},
        actions=("show_use", "scale_up"),
    ),
    CauseRule(
        id="pod_network_delay",
        needs=("latency_rose",),
        strength=0.52,
        mechanism="{object} became slow ({before} to {after} s) while it computes as before",
        supports={"traffic_fell": 0.06},
        against={"cpu_rose": 0.25, "throttling_rose": 0.2, "traffic_rose": 0.15, "released_before_onset": 0.1, "callee_slow_too": 0.25},
        explains=DOWNSTREAM,
        actions=("show_pods_wide", "show_use"),
    ),
)
