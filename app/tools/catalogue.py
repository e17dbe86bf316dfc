"""The one place that names every tool; `main` calls `build_registry` with the sources that are configured.

Adding a tool: one file like its siblings, one line here, one test.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from app.tools.argocd_client import ArgoClient, ArgoConfig
from app.tools.check_argocd import CheckArgocd
from app.tools.check_config import CheckConfig
from app.tools.check_delivery import CheckDelivery
from app.tools.check_events import CheckEvents
from app.tools.check_github_deployments import CheckGithubDeployments
from app.tools.check_http import CheckHttp, ProbeConfig
from app.tools.check_ingresses import CheckIngresses
from app.tools.check_network_policies import CheckNetworkPolicies
from app.tools.check_nodes import CheckNodes
from app.tools.check_operators import CheckOperators
from app.tools.check_pods import CheckPods
from app.tools.check_quotas import CheckQuotas
from app.tools.check_rules import CheckRules
from app.tools.check_service_health import CheckServiceHealth
from app.tools.check_services import CheckServices
from app.tools.check_storage import CheckStorage
from app.tools.check_targets import CheckTargets
from app.tools.check_workloads import CheckWorkloads
from app.tools.describe_pod import DescribePod
from app.tools.elasticsearch_client import ElasticsearchClient, ElasticsearchConfig
from app.tools.get_alerts import GetAlerts
from app.tools.get_logs import GetLogs
from app.tools.get_metrics import GetMetrics
from app.tools.get_recent_deploys import GetRecentDeploys
from app.tools.get_service_map import GetServiceMap
from app.tools.github_client import GithubClient, GithubConfig
from app.tools.golden_signals import OWN_NAMES, OwnName
from app.tools.kubernetes_client import KubernetesClient, KubernetesConfig
from app.tools.log_source import LogSource
from app.tools.loki_client import LokiClient, LokiConfig
from app.tools.prometheus_client import PrometheusClient, PrometheusConfig
from app.tools.query_prometheus import QueryPrometheus
from app.tools.registry import ToolRegistry
from app.tools.replay_alert import ReplayAlert
from app.tools.search_logs import SearchLogs
from app.tools.search_runbooks import RunbookConfig, SearchRunbooks


@dataclass(frozen=True)
class ToolsConfig:
    """What is configured; None for a source that is not. Tools of such a source are registered all the same, so that a
    plan may name them and the step is skipped with the reason `not_configured`. `service_map`: caller -> whom it calls."""

    kubernetes: KubernetesConfig | None = None
    prometheus: PrometheusConfig | None = None
    probe: ProbeConfig | None = None
    own_names: Sequence[OwnName] = OWN_NAMES
    runbooks: RunbookConfig | None = None
    service_map: Mapping[str, Sequence[str]] = field(default_factory=dict)
    loki: LokiConfig | None = None
    elasticsearch: ElasticsearchConfig | None = None
    argocd: ArgoConfig | None = None
    github: GithubConfig | None = None


@dataclass(frozen=True)
class Sources:
    """The clients behind the tools: `names` is what is configured, `aclose` closes their connections."""

    kubernetes: KubernetesClient | None
    prometheus: PrometheusClient | None
    names: frozenset[str] = field(default_factory=frozenset)
    logs: Mapping[str, LogSource] = field(default_factory=dict)
    argocd: ArgoClient | None = None
    github: GithubClient | None = None

    async def aclose(self) -> None:
        for client in (self.kubernetes, self.prometheus, self.argocd, self.github, *self.logs.values()):
            if client is not None:
                await client.aclose()


def build_registry(config: ToolsConfig) -> tuple[ToolRegistry, Sources]:
    """Makes no connection. Raises ValueError for a probe target that is neither host:port nor an http(s) URL."""
    sources = _sources(config)
    kubernetes = sources.kubernetes or KubernetesClient(KubernetesConfig())
    prometheus = sources.prometheus or PrometheusClient(PrometheusConfig(url=""))
    registry = ToolRegistry()
    registry.register(CheckPods(kubernetes), "list_pods")
    registry.register(GetLogs(kubernetes), "get_pod_logs")
    registry.register(GetMetrics(prometheus, config.own_names))
    registry.register(CheckEvents(kubernetes))
    registry.register(DescribePod(kubernetes))
    registry.register(GetRecentDeploys(kubernetes))
    registry.register(CheckServiceHealth(kubernetes, sources.prometheus))
    registry.register(CheckWorkloads(kubernetes))
    registry.register(CheckServices(kubernetes))
    registry.register(CheckConfig(kubernetes))
    registry.register(CheckIngresses(kubernetes))
    registry.register(CheckNetworkPolicies(kubernetes, config.service_map))
    registry.register(CheckNodes(kubernetes))
    registry.register(CheckStorage(kubernetes))
    registry.register(CheckQuotas(kubernetes))
    registry.register(CheckOperators(kubernetes))
    registry.register(CheckDelivery(kubernetes))
    registry.register(GetServiceMap(prometheus))
    registry.register(QueryPrometheus(prometheus))
    registry.register(GetAlerts(prometheus))
    registry.register(ReplayAlert(prometheus))
    registry.register(CheckRules(prometheus))
    registry.register(CheckTargets(prometheus))
    registry.register(CheckHttp(config.probe or ProbeConfig(), sources.kubernetes))
    registry.register(SearchRunbooks(config.runbooks))
    registry.register(SearchLogs(sources.logs))
    registry.register(CheckArgocd(sources.argocd))
    registry.register(CheckGithubDeployments(sources.github))
    return registry, sources


def _sources(config: ToolsConfig) -> Sources:
    kubernetes = KubernetesClient(config.kubernetes) if config.kubernetes else None
    prometheus = PrometheusClient(config.prometheus) if config.prometheus else None
    logs: dict[str, LogSource] = {"loki": LokiClient(config.loki)} if config.loki else {}
    logs |= {"elasticsearch": ElasticsearchClient(config.elasticsearch)} if config.elasticsearch else {}
    argocd = ArgoClient(config.argocd) if config.argocd else None
    github = GithubClient(config.github) if config.github else None
    configured = (
        ("kubernetes", kubernetes),
        ("prometheus", prometheus),
        ("http", config.probe),
        ("runbooks", config.runbooks),
        ("logs", logs or None),
        ("argocd", argocd),
        ("github", github),
    )
    names = frozenset(n for n, source in configured if source is not None) | logs.keys()
    return Sources(kubernetes, prometheus, names, logs, argocd, github)
