"""Every setting, one frozen tree, a sentence per field; read by `main` and `cli` only.

Environment variables have the prefix `SRE_AGENT_`; a few names that the field already uses are accepted without it
(`aliases` below, requirements CFG-02, CFG-03, CFG-05, TIME-02). `.env.example` is generated from this file.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "SRE_AGENT_"


# A pod in the namespace of a Service called sre-agent gets SRE_AGENT_PORT=tcp://... from Kubernetes.
_SERVICE_LINK = "tcp://"


def either(name: str, plain: str, default: Any, description: str, **more: Any) -> Any:
    """A field that is set by its prefixed name or by a plain one that the field already uses."""
    return Field(default, description=description, validation_alias=AliasChoices(PREFIX + name, plain), **more)


class Settings(BaseSettings):
    """Raises pydantic.ValidationError with the name of every variable that is wrong."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=".env", frozen=True, extra="ignore", populate_by_name=True, env_ignore_empty=True)

    # where it listens and writes
    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 inside a container.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    public_url: str = Field("", description="Base URL under which people reach this service; used in links. Empty: made from host and port.")
    data_dir: Path = Field(Path("data"), description="Everything the embedded default writes lives below this folder.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least severe log level that is written.")

    # stores
    database_url: str = either(
        "DATABASE_URL", "DATABASE_URL", "", "SQLAlchemy URL of PostgreSQL (postgresql+psycopg://...); empty: SQLite in data_dir."
    )
    redis_url: str = either("REDIS_URL", "REDIS_URL", "", "Redis URL for working memory; empty: a SQLite table in data_dir.")
    chroma_url: str = Field("", description="Chroma server (http://host:port); empty: Chroma embedded in data_dir.")
    vector_index: Literal["chroma", "numpy"] = Field("chroma", description="Index over past cases; numpy scans the SQL rows and needs no Chroma.")
    embedder: Literal["minilm-int8", "sentence-transformers", "hash"] = Field("minilm-int8", description="What turns a case into a vector.")
    retention_days: int = Field(90, ge=1, description="Finished investigations, trails and bodies older than this are deleted; past cases stay.")

    # model
    anthropic_api_key: SecretStr = either("ANTHROPIC_API_KEY", "ANTHROPIC_API_KEY", SecretStr(""), "Key of the Anthropic API; empty: rules only.")
    anthropic_base_url: str = Field("", description="Base URL of the Anthropic API or of a compatible gateway; empty: the vendor's.")
    model: str = Field("claude-sonnet-4-6", description="Model id used for planning and concluding.")
    model_input_price: float | None = Field(None, ge=0, description="US dollars per million prompt tokens; empty: the known price of that model.")
    model_output_price: float | None = Field(None, ge=0, description="US dollars per million completion tokens; set both prices or none.")
    llm_timeout: float = either("LLM_TIMEOUT", "LLM_TIMEOUT", 30.0, "Seconds one model call may take.", gt=0)

    # sources
    kubeconfig: Path | None = Field(None, description="Path of a kubeconfig file; empty: the pod's own service account if there is one.")
    kube_context: str = Field("", description="Context of the kubeconfig; empty: the current one.")
    kube_in_cluster: bool = Field(False, description="Use the pod's own service account.")
    kubernetes_url: str = Field("", description="Plain address of an API server without authentication (kubectl proxy, the lab).")
    prometheus_url: str = Field("", description="Base URL of Prometheus or of anything that speaks its API.")
    prometheus_tenant: str = Field("", description="Tenant of Prometheus (Mimir, Thanos), sent as X-Scope-OrgID; empty: none.")
    prometheus_token: SecretStr = Field(SecretStr(""), description="Bearer token for Prometheus; empty: none.")
    prometheus_metrics: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Metrics of your own that get_metrics reads as they are, as signal=pattern pairs (checkout_lag=shop_lag_.+); by commas."
    )
    loki_url: str = Field("", description="Base URL of Loki, without /loki/api; search_logs reads it.")
    loki_tenant: str = Field("", description="Tenant of Loki, sent as X-Scope-OrgID; empty: none.")
    loki_token: SecretStr = Field(SecretStr(""), description="Bearer token for Loki; empty: none.")
    loki_labels: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="What Loki's labels are called here, as name=label pairs: namespace, service, pod, container, node, unit; by commas."
    )
    elasticsearch_url: str = Field("", description="Base URL of Elasticsearch or OpenSearch; search_logs reads it.")
    elasticsearch_index: str = Field("logs-{service}-*", description="Pattern of the log indices; {service} stands for the service, or for *.")
    elasticsearch_api_key: SecretStr = Field(SecretStr(""), description="API key of Elasticsearch, as its base64 text; empty: none.")
    elasticsearch_fields: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Fields that are not called as in ECS, as name=field pairs: time, message and the names of loki_labels; by commas."
    )
    http_proxy_url: str = Field("", description="HTTP CONNECT proxy the probe goes through; empty: straight.")
    probe_targets: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="What the probe may always ask, by commas: host:port, or a URL of http, https or tls (a handshake alone)."
    )
    probe_ca_file: Path | None = Field(None, description="PEM file of authorities that the probe trusts beside the system's.")
    argocd_url: str = Field("", description="Base URL of Argo CD's API server; check_argocd reads it.")
    argocd_token: SecretStr = Field(SecretStr(""), description="Token of an Argo CD account that may get applications; empty: none.")
    argocd_projects: Annotated[tuple[str, ...], NoDecode] = Field((), description="Argo CD projects to read, by commas; empty: all that may be read.")
    argocd_service_key: str = Field("", description="Label or annotation of an Application that names its service; empty: by what it manages.")
    argocd_ca_file: Path | None = Field(None, description="PEM file of the authority of Argo CD's certificate; empty: the usual ones.")
    github_url: str = Field("https://api.github.com", description="Base URL of GitHub's REST API; of GitHub Enterprise Server https://HOST/api/v3.")
    github_token: SecretStr = Field(SecretStr(""), description="GitHub token that may read deployments; empty: public repositories only.")
    github_repositories: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Whose deployments check_github_deployments reads, as service=owner/repo pairs, by commas."
    )
    service_map: Path | None = Field(None, description='JSON file of who calls whom: {"edges": [{"caller": ..., "callee": ...}]}.')
    runbooks_dir: Path | None = Field(None, description="Folder of runbooks in Markdown, searched through by search_runbooks.")
    runbook_urls: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Addresses under which that folder is published, separated by commas; an alert's runbook_url below one names its file."
    )
    default_namespace: str = Field("default", description="Namespace of alerts that name none.")

    # limits
    tool_timeout: float = either("TOOL_TIMEOUT", "TOOL_TIMEOUT", 0.0, "Upper bound in seconds for every tool; 0: each tool's own.", ge=0)
    total_timeout: float = either("TOTAL_TIMEOUT", "TOTAL_TIMEOUT", 120.0, "Seconds one investigation may take, waits for people not counted.", gt=0)
    briefing_deadline: float = Field(
        45.0, gt=0, description="Seconds after which people are told what is known so far, where the first round of reads takes longer."
    )
    max_concurrent: int = Field(4, ge=1, description="Investigations that run at the same time in one process.")
    max_parallel: int = Field(4, ge=1, description="Steps of one investigation that run at the same time.")
    max_queued: int = Field(10_000, ge=1, description="Investigations waiting before intake answers 503.")
    max_body_bytes: int = Field(2 * 1024 * 1024, ge=1024, description="Largest request body.")
    body_timeout: float = Field(10.0, gt=0, description="Seconds a sender may take for its body.")
    group_window: float = Field(300.0, ge=0, description="Seconds within which alerts of one target join one investigation.")
    replica_lease: float = Field(15.0, gt=0, description="Seconds without a heartbeat after which a replica's work is taken over.")

    # notices
    notify_webhook_url: str = Field("", description="Receives every finished report as signed JSON; empty: log only.")
    notify_webhook_secret: SecretStr = Field(SecretStr(""), description="Key of the HMAC-SHA256 signature of that webhook.")

    @field_validator(
        "probe_targets",
        "runbook_urls",
        "loki_labels",
        "elasticsearch_fields",
        "argocd_projects",
        "github_repositories",
        "prometheus_metrics",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("port", mode="before")
    @classmethod
    def _our_port(cls, value: object) -> object:
        return 8000 if isinstance(value, str) and value.startswith(_SERVICE_LINK) else value

    @field_validator("probe_targets")
    @classmethod
    def _reachable(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for target in value:
            url = target.replace("tls://", "https://", 1) if target.startswith("tls://") else target
            if not _has_port(url if "://" in url else f"http://{url}", default="://" in url):
                raise ValueError(f"{target!r} is neither host:port nor an http(s) or tls URL")
        return value

    @field_validator("loki_labels", "elasticsearch_fields")
    @classmethod
    def _names(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        known = (
            "namespace",
            "service",
            "pod",
            "container",
            "node",
            "unit",
            *(("time", "message") if info.field_name == "elasticsearch_fields" else ()),
        )
        for pair in value:
            name, _, meant = pair.partition("=")
            if name not in known or not meant:
                raise ValueError(f"{pair!r} is no name=value pair with a name out of {', '.join(known)}")
        return value

    @field_validator("github_repositories")
    @classmethod
    def _repositories(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pair in value:
            if not re.fullmatch(r"[^=\s]+=[A-Za-z0-9][A-Za-z0-9-]*/(?!\.{1,2}$)[A-Za-z0-9_.-]+", pair):
                raise ValueError(f"{pair!r} is no service=owner/repo pair")
        return value

    @field_validator("elasticsearch_index")
    @classmethod
    def _index(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9{}*_.:,-]+", value) or re.sub(r"\{service\}", "", value).strip("*,") == "":
            raise ValueError("is no index pattern such as logs-{service}-*")
        return value

    @field_validator(
        "public_url",
        "chroma_url",
        "anthropic_base_url",
        "kubernetes_url",
        "prometheus_url",
        "http_proxy_url",
        "notify_webhook_url",
        "loki_url",
        "elasticsearch_url",
        "argocd_url",
        "github_url",
    )
    @classmethod
    def _http(cls, value: str) -> str:
        if value and not _has_port(value, default=True):
            raise ValueError("is no URL of the form http://host:port or https://host:port")
        return value

    @field_validator("database_url")
    @classmethod
    def _database(cls, value: str) -> str:
        if value and not value.startswith(("postgresql://", "postgres://", "postgresql+psycopg://")):
            raise ValueError("is no URL of PostgreSQL (postgresql://user@host:5432/name); leave it empty for SQLite in the data folder")
        return value

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, value: str) -> str:
        if value and not value.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("is no URL of Redis (redis://host:6379/0); leave it empty for a table in the data folder")
        return value

    @field_validator("kubeconfig", "service_map", "probe_ca_file", "argocd_ca_file")
    @classmethod
    def _file(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError(f"there is no file {value}")
        return value

    @field_validator("runbooks_dir")
    @classmethod
    def _folder(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_dir():
            raise ValueError(f"there is no folder {value}")
        return value

    @model_validator(mode="after")
    def _one_cluster(self) -> Self:
        ways = {"kubernetes_url": self.kubernetes_url, "kubeconfig": self.kubeconfig, "kube_in_cluster": self.kube_in_cluster}
        said = [variable(name) for name, value in ways.items() if value]
        if len(said) > 1:
            raise ValueError(f"{' and '.join(said)} are set: set one of them")
        if self.kube_context and not self.kubeconfig:
            raise ValueError(f"{variable('kube_context')} is set without {variable('kubeconfig')}: name the file that holds the context")
        return self


def _has_port(url: str, default: bool) -> bool:
    """Whether `url` is http(s) with a host and a port, the scheme's own counting if `default`."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and bool(parts.port or (default and parts.port is None))
    except ValueError:
        return False


def variable(name: str) -> str:
    """The environment variable of a field, the plain alias where there is one."""
    alias = Settings.model_fields[name].validation_alias
    return str(alias.choices[1]) if isinstance(alias, AliasChoices) else PREFIX + name.upper()


def env_example() -> str:
    """The text of `.env.example`: every field with its sentence and its default."""
    lines = ["# Copy to .env and change what you need; everything has a working default. Generated by `sre-agent settings --env`."]
    for name, field in Settings.model_fields.items():
        default = field.default
        if isinstance(default, SecretStr) or default is None or default == ():
            default = ""
        lines += ["", f"# {field.description}", f"{variable(name)}={str(default).lower() if isinstance(default, bool) else default}"]
    return "\n".join(lines) + "\n"
