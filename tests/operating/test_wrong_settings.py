"""A setting that cannot be used is named with what is wrong, before anything is opened; no value that may be a secret is shown."""

from pathlib import Path

import pytest

from app.cli import load
from app.domain.errors import CannotStart
from app.main import price_of
from app.planner.config import PRICES, Price
from app.settings import Settings

WRONG = [
    ("SRE_AGENT_PORT", "abc", "'abc'"),
    ("SRE_AGENT_MAX_CONCURRENT", "0", "greater than or equal to 1"),
    ("LLM_TIMEOUT", "-1", "greater than 0"),
    ("SRE_AGENT_LOG_LEVEL", "verbose", "'DEBUG'"),
    ("DATABASE_URL", "garbage", "postgresql://"),
    ("DATABASE_URL", "mysql://u:p@h/x", "postgresql://"),
    ("REDIS_URL", "127.0.0.1:6379", "redis://"),
    ("SRE_AGENT_PROMETHEUS_URL", "prometheus:9090", "http://"),
    ("SRE_AGENT_KUBERNETES_URL", "nonsense", "http://"),
    ("SRE_AGENT_CHROMA_URL", "ftp://x", "http://"),
    ("SRE_AGENT_HTTP_PROXY_URL", "http://", "http://"),
    ("SRE_AGENT_ANTHROPIC_BASE_URL", "api.anthropic.com", "http://"),
    ("SRE_AGENT_PUBLIC_URL", "http://x:99999", "http://"),
    ("SRE_AGENT_NOTIFY_WEBHOOK_URL", "ftp://x", "http://"),
    ("SRE_AGENT_PROBE_TARGETS", "shop:80,bar", "'bar'"),
    ("SRE_AGENT_PROBE_TARGETS", "bar:99999", "'bar:99999'"),
    ("SRE_AGENT_KUBECONFIG", "/nowhere", "no file"),
    ("SRE_AGENT_SERVICE_MAP", "/nowhere", "no file"),
    ("SRE_AGENT_KUBE_CONTEXT", "prod", "SRE_AGENT_KUBECONFIG"),
]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # no .env of the one who runs the tests


@pytest.mark.parametrize(("name", "value", "said"), WRONG)
def test_a_wrong_value_is_told_in_one_line_with_its_variable(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        load(Settings)
    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert told.count("\n") == 1
    assert name in told
    assert said in told


def test_every_wrong_value_has_its_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("SRE_AGENT_PORT", "abc")
    monkeypatch.setenv("REDIS_URL", "abc")
    with pytest.raises(SystemExit):
        load(Settings)
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_a_password_in_a_wrong_address_is_not_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://user:geheim@host/db")
    with pytest.raises(SystemExit):
        load(Settings)
    assert "geheim" not in capsys.readouterr().err


def test_a_settings_file_that_cannot_be_read_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / ".env").write_bytes(b"SRE_AGENT_HOST=\xff\xfe\n")
    with pytest.raises(SystemExit):
        load(Settings)
    assert ".env" in capsys.readouterr().err


def test_two_ways_to_the_cluster_are_one_too_many(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("SRE_AGENT_KUBERNETES_URL", "http://127.0.0.1:8001")
    monkeypatch.setenv("SRE_AGENT_KUBE_IN_CLUSTER", "true")
    with pytest.raises(SystemExit):
        load(Settings)
    told = capsys.readouterr().err
    assert "SRE_AGENT_KUBERNETES_URL" in told
    assert "SRE_AGENT_KUBE_IN_CLUSTER" in told


def test_a_model_that_is_not_known_has_the_price_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("MODEL", "some-model"), ("MODEL_INPUT_PRICE", "0"), ("MODEL_OUTPUT_PRICE", "2.5")):
        monkeypatch.setenv(f"SRE_AGENT_{name}", value)
    assert price_of(load(Settings)) == Price(prompt=0, completion=2.5)


def test_a_model_without_a_price_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRE_AGENT_MODEL", "some-model")
    with pytest.raises(CannotStart, match="set SRE_AGENT_MODEL_INPUT_PRICE and SRE_AGENT_MODEL_OUTPUT_PRICE"):
        price_of(load(Settings))


def test_half_a_price_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRE_AGENT_MODEL_INPUT_PRICE", "1")
    with pytest.raises(CannotStart, match="OUTPUT_PRICE"):
        price_of(load(Settings))


def test_a_known_model_has_its_list_price() -> None:
    assert price_of(load(Settings)) == PRICES["claude-sonnet-4-6"]


def test_the_port_that_kubernetes_sets_for_a_service_of_our_name_is_not_our_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRE_AGENT_PORT", "tcp://10.96.11.12:8000")  # a pod beside a Service called sre-agent gets this
    assert load(Settings).port == 8000
