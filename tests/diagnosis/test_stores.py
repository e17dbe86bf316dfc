"""What exporters and client libraries measure of stores and queues: told when it moved against its own past, of whom it is, and not
told of what was always so."""

import asyncio
from pathlib import Path

import pytest

from app.diagnosis.causes import RULES
from app.diagnosis.signals.store_tables import NAMES, ROWS, query
from app.domain.verdict import Verdict
from app.tools.promql import MAX_LENGTH, checked
from tests.diagnosis.offline import Offline
from tests.diagnosis.scenes import NS, Scene, ago, meta, shop
from tests.diagnosis.wider_breakages import reconfigured

STORE, CART = "Deployment/shop/store", "Deployment/shop/cart"
POD = {"namespace": NS, "pod": "store-5c9f7d8b6-x2x4q"}
CLIENT = {"namespace": NS, "pod": "cart-5c9f7d8b6-x2x4q"}
PG, ACTIVE = "pg_stat_activity_count", {"state": "active", "datname": "d"}

# cause, object, series, its labels, level before and after; the alert, whether callers fail
MOVED: tuple[tuple[str, str, str, dict[str, str], float, float, str, bool], ...] = (
    ("replication_lag", STORE, "pg_replication_lag_seconds", POD, 0.3, 900, "PostgresReplicationLag", False),
    ("replication_lag", STORE, "mysql_slave_status_seconds_behind_master", POD, 0, 700, "MysqlReplicationLag", False),
    ("replication_lag", STORE, "mysql_slave_status_slave_sql_running", POD, 1, 0, "MysqlReplicationStopped", False),
    ("replication_lag", STORE, "mongodb_mongod_replset_member_replication_lag", POD, 1, 400, "MongoReplicationLag", False),
    ("replication_lag", STORE, "redis_master_link_up", POD, 1, 0, "RedisReplicationBroken", False),
    ("queue_consumer_lag", CART, "kafka_consumergroup_lag_sum", POD | {"consumergroup": "cart", "topic": "t"}, 40, 90_000, "KafkaConsumerLag", False),
    ("queue_consumer_lag", STORE, "rabbitmq_queue_messages_ready", POD | {"queue": "q"}, 2, 4_000, "RabbitmqQueueGrowing", False),
    ("queue_consumer_lag", STORE, "jetstream_consumer_num_pending", POD | {"stream_name": "s"}, 10, 70_000, "NatsConsumerBacklog", False),
    ("queue_consumer_lag", STORE, "celery_queue_length", POD | {"queue_name": "q"}, 3, 2_500, "CeleryQueueGrowing", False),
    ("message_broker_partition", STORE, "rabbitmq_unreachable_cluster_peers_count", POD, 0, 1, "RabbitmqUnreachablePeers", False),
    ("message_broker_partition", STORE, "kafka_brokers", POD, 3, 2, "KafkaBrokersLow", False),
    ("message_broker_partition", STORE, "redis_cluster_state", POD, 1, 0, "RedisClusterDown", False),
    ("database_read_only", STORE, "mysql_global_variables_super_read_only", POD, 0, 1, "DatabaseErrors", True),
    ("database_read_only", STORE, "pg_replication_is_replica", POD, 0, 1, "DatabaseErrors", True),
    ("database_connections_exhausted", CART, "hikaricp_connections_pending", CLIENT, 0, 31, "ConnectionPoolWaiting", True),
    ("database_connections_exhausted", STORE, "pgbouncer_pools_client_waiting_connections", POD, 0, 40, "PgbouncerWaiting", True),
    ("slow_database_query", STORE, "pg_stat_activity_max_tx_duration", POD | ACTIVE, 0.1, 36, "DatabaseSlow", True),
    ("slow_database_query", STORE, PG, POD | ACTIVE, 1, 20, "DatabaseSlow", True),
    ("slow_database_query", STORE, "mysql_global_status_threads_running", POD, 2, 40, "DatabaseSlow", True),
)
STEADY = (
    ("mysql_global_variables_read_only", POD, 1.0),  # a replica for ever
    ("pg_replication_is_replica", POD, 1.0),
    ("rabbitmq_queue_messages_ready", POD | {"queue": "parked"}, 90_000.0),  # a queue that nobody takes from
    ("kafka_consumergroup_lag_sum", POD | {"consumergroup": "cart"}, 150.0),
    ("redis_master_link_up", POD, 0.0),
    ("hikaricp_connections_pending", CLIENT, 1.0),
    (PG, POD | ACTIVE, 30.0),
    ("pg_stat_activity_max_tx_duration", POD | {"state": "idle in transaction"}, 600.0),
)


def verdict_of(folder: Path, scene: Scene) -> Verdict:
    return asyncio.run(Offline(scene.write(folder)).investigate())[0]


def alerted(alert: str, service: str = "store", **labels: str) -> Scene:
    scene = shop()
    scene.labels = {"alertname": alert, "namespace": NS, "service": service, **labels}
    return scene


def named(scene: Scene) -> Scene:
    """Series carry the names of the pods as they are."""
    for series in scene.metrics:
        pod = series["metric"].get("pod", "")
        if pod:
            series["metric"]["pod"] = scene.pod(pod.split("-")[0])["metadata"]["name"]
    return scene


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cause", "where", "metric", "labels", "before", "after", "alert", "felt"), MOVED, ids=lambda v: v if isinstance(v, str) else ""
)
def test_a_series_that_moved_names_the_cause(
    cause: str, where: str, metric: str, labels: dict[str, str], before: float, after: float, alert: str, felt: bool, tmp_path: Path
) -> None:
    scene = alerted(alert)
    scene.series(metric, labels, before, after)
    if felt:
        scene.series("service_error_rate", {"namespace": NS, "service": "cart"}, 0.001, 0.3)
    verdict = verdict_of(tmp_path, named(scene))
    assert [(h.cause, str(h.object)) for h in verdict.hypotheses][:1] == [(cause, where)], verdict.line


@pytest.mark.slow
@pytest.mark.parametrize(("metric", "labels", "level"), STEADY, ids=lambda v: v if isinstance(v, str) else "")
def test_what_was_always_so_is_no_trouble(metric: str, labels: dict[str, str], level: float, tmp_path: Path) -> None:
    scene = alerted("DatabaseTrouble")
    scene.series(metric, labels, level, level)
    verdict = verdict_of(tmp_path, named(scene))
    assert verdict.hypotheses == (), verdict.line


@pytest.mark.slow
def test_a_standby_that_became_one_without_anybody_failing_is_no_trouble(tmp_path: Path) -> None:
    scene = alerted("DatabaseRoleChanged", service="web")
    scene.series("pg_replication_is_replica", POD, 0, 1)
    assert verdict_of(tmp_path, named(scene)).hypotheses == ()


@pytest.mark.slow
def test_a_backlog_that_is_being_worked_off_is_no_trouble(tmp_path: Path) -> None:
    scene = alerted("KafkaConsumerLag")
    scene.series("kafka_consumergroup_lag_sum", POD | {"consumergroup": "cart"}, 40, 90_000)
    values = scene.metrics[-1]["values"]
    values[-6:] = [[t, str(20_000 - 1_500 * n)] for n, (t, _) in enumerate(values[-6:])]
    assert verdict_of(tmp_path, named(scene)).hypotheses == ()


@pytest.mark.slow
def test_a_broker_with_a_node_that_is_down_is_not_cut_in_two(tmp_path: Path) -> None:
    scene = alerted("KafkaBrokersLow")
    scene.series("kafka_brokers", POD, 3, 2)
    named(scene)
    scene.crashes(1, name="store", log="panic: no such segment")
    assert "message_broker_partition" not in [h.cause for h in verdict_of(tmp_path, scene).hypotheses]


def test_a_queue_grows_for_what_its_taker_complains_of(tmp_path: Path) -> None:
    """The taker is found as a caller of the broker; its own trouble beats the backlog."""
    scene = alerted("RabbitmqQueueGrowing")
    scene.series("rabbitmq_queue_messages_ready", POD | {"queue": "q"}, 2, 4_000)
    scene.says("\n".join(f'{ago(9 - n)} WARN "https://api.example/v2/messages" "status": 429' for n in range(8)), "cart")
    verdict = verdict_of(tmp_path, named(scene))
    assert (verdict.hypotheses[0].cause, str(verdict.hypotheses[0].object)) == ("rate_limited", CART)


def unselected(scene: Scene, name: str) -> None:
    scene.add("Service", {"metadata": meta(name), "spec": {"ports": [{"port": 9443, "protocol": "TCP"}], "clusterIP": "10.1.1.1"}})


@pytest.mark.parametrize(
    ("cause", "line"),
    [
        ("dependency_unavailable", "HttpRequestException: Connection refused (archive:9443)"),
        ("slow_dependency", "POST http://archive/rate answered 200 after 4.52s"),
    ],
)
def test_what_is_outside_behind_a_service_is_told_by_the_service(cause: str, line: str, tmp_path: Path) -> None:
    scene = alerted("HighErrorRate", service="cart")
    unselected(scene, "archive")
    scene.series("service_error_rate", {"namespace": NS, "service": "cart"}, 0.001, 0.3)
    scene.says("\n".join(f"{ago(9 - n)} ERROR {line}" for n in range(8)), "cart")
    verdict = verdict_of(tmp_path, scene)
    assert (verdict.hypotheses[0].cause, str(verdict.hypotheses[0].object)) == (cause, "Service/shop/archive")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "minutes", "taken"),
    [
        ("configuration reloaded: Discounts:NewEngine False -> True", 11, True),
        ("Refresh keys changed: [shop.discounts.engine]", 11, True),
        ('feature flag "new-discounts" switched on', 11, True),
        ("config file changed: /etc/app/app.yaml", 11, True),
        ("configuration reloaded: Discounts:NewEngine False -> True", 38, False),
        ("failed to reload configuration, keeping the old one", 11, False),
    ],
)
def test_a_setting_taken_over_right_before_the_trouble_is_its_cause(line: str, minutes: float, taken: bool, tmp_path: Path) -> None:
    scene = alerted("HighErrorRate", service="cart")
    scene.series("service_error_rate", {"namespace": NS, "service": "cart"}, 0.001, 0.3)
    scene.says(f"{ago(39)} listening\n{ago(minutes)} {line}\n" + "\n".join(f"{ago(9 - n)} NullReferenceException" for n in range(8)), "cart")
    verdict = verdict_of(tmp_path, scene)
    assert ("feature_flag_or_config_change" in [h.cause for h in verdict.hypotheses]) is taken, verdict.line


def test_the_one_question_is_allowed_and_reads_every_row() -> None:
    text = query(["shop", "data"])
    assert checked(text) == text and len(text) <= MAX_LENGTH
    assert all(row.names in NAMES for row in ROWS)


def test_every_row_speaks_for_a_cause() -> None:
    assert {row.kind for row in ROWS} <= {kind for rule in RULES for kind in (*rule.needs, *rule.supports)}


def test_a_taker_that_does_not_run_is_the_cause_and_not_its_queue(tmp_path: Path) -> None:
    scene = alerted("KafkaConsumerLag")
    scene.series("kafka_consumergroup_lag_sum", POD | {"consumergroup": "orders"}, 40, 90_000)
    named(scene)
    scene.crashes(1, log="panic: index out of range")
    verdict = verdict_of(tmp_path, scene)
    assert (verdict.hypotheses[0].cause, str(verdict.hypotheses[0].object)) == ("application_crash", CART), verdict.line


@pytest.mark.slow
def test_a_silent_caller_is_explained_by_the_log_of_what_it_calls(tmp_path: Path) -> None:
    scene = alerted("HighLatency", service="cart")
    scene.series("service_latency_seconds", {"namespace": NS, "service": "cart"}, 0.01, 2.5)
    scene.says("\n".join(f"{ago(9 - n)} UTC [5054] LOG:  duration: 9047.9 ms  execute <unnamed>: SELECT 1" for n in range(8)), "store")
    verdict = verdict_of(tmp_path, scene)
    assert (verdict.hypotheses[0].cause, str(verdict.hypotheses[0].object)) == ("slow_database_query", STORE), verdict.line


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variable", "value", "line", "cause"),
    [
        ("SPRING_DATASOURCE_URL", "jdbc:postgresql://store.old.svc:5432/d", "java.net.UnknownHostException: store.old.svc", "database_address_wrong"),
        ("APP_DB_HOST", "store-old.data.svc", "dial tcp: lookup store-old.data.svc on 10.96.0.10:53: no such host", "database_address_wrong"),
        ("DB_PORT", "5433", "dial tcp 10.0.0.7:5433: connect: connection refused", "database_address_wrong"),
    ],
)
def test_an_address_that_a_release_brought_and_that_fails_is_the_cause(variable: str, value: str, line: str, cause: str, tmp_path: Path) -> None:
    scene = alerted("KubePodCrashLooping", service="cart")
    reconfigured(scene)
    template = scene.one("ReplicaSet", "cart-7d5bb9cc4")["spec"]["template"]
    template["spec"]["containers"][0]["env"] = [{"name": variable, "value": value}]
    old = scene.one("ReplicaSet", "cart-5c9f7d8b6")["spec"]["template"]
    old["spec"]["containers"][0]["env"] = [{"name": variable, "value": "before"}]
    scene.crashes(1, log=line)
    verdict = verdict_of(tmp_path, scene)
    assert verdict.hypotheses[0].cause == cause, verdict.line
