"""The same cause in the other words and forms that clusters and programs give it: each is named first, its near miss never."""

from pathlib import Path

import pytest

from app.domain.verdict import VerdictState
from tests.diagnosis.breakages import CART, Break, both, released, scraped, stuck, warned
from tests.diagnosis.scenes import NS, Scene
from tests.diagnosis.test_causes import verdict_of


def crashed(log: str, code: int = 1) -> Break:
    return lambda s: s.crashes(code, log=log)


def crashed_since_release(log: str) -> Break:
    """The pod of a new release dies with these words, and the release is stuck."""
    return both(released, stuck, crashed(log))


def mount(message: str) -> Break:
    return warned("FailedMount", f'MountVolume.SetUp failed for volume "settings" : {message}')


FORMS: tuple[tuple[str, str, Break], ...] = (
    ("missing_config_map", CART, mount('configmap "cart-templates" not found')),
    ("missing_config_map", CART, mount("configmap references non-existent config key: rules.yaml")),
    ("missing_secret", CART, mount('secret "cart-tls" not found')),
    ("missing_secret", CART, mount("references non-existent secret key: tls.crt")),
    ("volume_mount_failed", CART, mount("mount failed: exit status 32, mount.nfs: Connection timed out")),
    ("container_port_conflict", CART, crashed_since_release("listen tcp :8080: bind: address already in use")),
    ("certificate_untrusted", CART, crashed_since_release("fatal: x509: certificate signed by unknown authority")),
    ("thread_or_descriptor_exhausted", CART, crashed_since_release("java.lang.OutOfMemoryError: unable to create native thread")),
)


@pytest.mark.parametrize(("cause", "where", "form"), FORMS, ids=lambda x: x if isinstance(x, str) else "")
def test_a_cause_is_named_whatever_words_it_comes_in(cause: str, where: str, form: Break, tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, form)
    assert [(h.cause, str(h.object)) for h in verdict.hypotheses][:1] == [(cause, where)], (verdict.line, verdict.hypotheses[:3])
    assert verdict.state in (VerdictState.CONFIRMED, VerdictState.LIKELY)


def target_of_cart(s: Scene) -> None:
    """The pod's own target is down because the pod is."""
    s.series("up", {"namespace": NS, "job": "cart", "instance": "10.0.0.9:8080", "pod": s.pod()["metadata"]["name"]}, 1, 0)


def test_a_target_whose_pod_is_not_ready_is_a_shadow_of_the_pod(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, crashed("panic: nil map", 2), target_of_cart)
    assert [h.cause for h in verdict.hypotheses if h.cause == "scrape_target_down"] == []


def test_a_target_that_is_down_while_its_pod_is_ready_is_a_fault_of_its_own(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, scraped(0))
    assert verdict.hypotheses[0].cause == "scrape_target_down"
