"""What the usual exporters and client libraries measure of databases, caches, queues and collectors, and what of it is trouble: the rows
that `stores` judges, and the one question that reads them all (asked by `leads_stores`)."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """`kind` of the signal and what it means; `how` it is trouble: `rises` (a level), `grows` (a counter, by the second), `on` and
    `off` (was otherwise before), `stays` (as last seen), `fell`. `floor`: below this nothing is wrong; `times`: against before.
    `labels`: only series whose labels have these values."""

    kind: str
    says: str
    how: str
    names: str
    floor: float = 1.0
    times: float = 5.0
    labels: tuple[tuple[str, str], ...] = ()


ROWS = (
    # postgres_exporter, CloudNativePG, Crunchy; mysqld_exporter; Percona's mongodb_exporter; redis_exporter; RDS. Seconds.
    Row(
        "replica_lags",
        "the replica is behind its source",
        "rises",
        r"pg_replication_lag(_seconds)?|cnpg_pg_replication_lag|ccp_replication_lag_replay_time|mysql_slave_status_seconds_behind_(master|source)|"
        r"mysql_replica_status_seconds_behind_source|mongodb_(mongod_replset_member|rs_members|replset_member)_replication_lag|"
        r"redis_connected_slave_lag_seconds|redis_slave_lag_seconds|aws_rds_replica_lag_average",
        30,
    ),
    Row(
        "replica_lags",
        "the replica does not follow its source",
        "off",
        r"mysql_(slave|replica)_status_(slave|replica)_(io|sql)_running|redis_master_link_up",
    ),
    # kafka_exporter, kafka-lag-exporter, kminion, burrow; Kafka clients by Micrometer; RabbitMQ; Pulsar; NATS; Redis streams; Celery;
    # Sidekiq; ActiveMQ; SQS
    Row(
        "backlog_grows",
        "work waits to be taken",
        "rises",
        r"kafka_consumergroup_lag_sum|kafka_consumergroup_group_(sum|max)_lag|kminion_kafka_consumer_group_topic_lag|kafka_burrow_total_lag|"
        r"kafka_consumer_(fetch_manager_)?records_lag_max|rabbitmq_(queue_|detailed_queue_)?messages_ready|rabbitmq_queue_messages|"
        r"pulsar_subscription_back_log|"
        r"(nats_consumer|jetstream_consumer)_num_pending|redis_stream_group_lag|celery_queue_length|sidekiq_(queue_)?(backlog|size)|"
        r"(activemq|artemis)_queue_(queue_size|message_count)|aws_sqs_approximate_number_of_messages_visible_(average|maximum)",
        200,
    ),
    # RabbitMQ's own and kbudde's exporter; Kafka brokers by JMX, kafka_exporter; Redis Cluster
    Row(
        "peers_unseen",
        "nodes of the cluster do not see one another",
        "stays",
        r"rabbitmq_unreachable_cluster_peers_count|rabbitmq_partitions|rabbitmq_node_partitions",
    ),
    Row("peers_unseen", "fewer nodes of the cluster are seen than before", "fell", r"kafka_brokers|redis_cluster_known_nodes|rabbitmq_running_nodes"),
    Row("peers_unseen", "the cluster of stores says it has failed", "off", r"redis_cluster_state"),
    Row(
        "writes_refused",
        "the store went read-only",
        "on",
        r"mysql_global_variables_(super_)?read_only|pg_replication_is_replica|cnpg_pg_replication_in_recovery|pg_in_recovery|"
        r"elasticsearch_indices_settings_stats_read_only_indices",
    ),
    # HikariCP and other pools by Micrometer; OpenTelemetry; PgBouncer; R2DBC; Agroal
    Row(
        "pool_waits",
        "callers wait for a connection of the pool",
        "rises",
        r"hikaricp_connections_pending|jdbc_connections_pending|r2dbc_pool_pending(_connections)?|agroal_awaiting_count|"
        r"db_client_connections?_pending_requests|pgbouncer_pools_client_waiting_connections",
        2,
    ),
    Row(
        "connections_refused",
        "the store refuses further connections",
        "grows",
        r"mysql_global_status_connection_errors_total|redis_rejected_connections_total",
        0.02,
        labels=(("error", "max_connections"),),
    ),
    Row(
        "connections_left_open",
        "connections are kept open by transactions that do nothing",
        "rises",
        "pg_stat_activity_count",
        5,
        labels=(("state", "idle in transaction"),),
    ),
    Row(
        "queries_slow",
        "queries of the store run long",
        "rises",
        r"pg_stat_activity_max_tx_duration|cnpg_backends_max_tx_duration_seconds",
        5,
        labels=(("state", "active"),),
    ),
    Row("queries_slow", "queries pile up in the store", "rises", r"pg_stat_activity_count", 8, labels=(("state", "active"),)),
    Row(
        "queries_slow",
        "queries pile up in the store",
        "rises",
        r"mysql_global_status_threads_running|mssql_blocked_processes|"
        r"mysql_global_status_innodb_row_lock_current_waits",
        8,
    ),
    Row("queries_slow", "slow queries of the store are counted", "grows", r"mysql_global_status_slow_queries|redis_slowlog_last_id", 0.05),
    # Collectors, seconds in a second: Micrometer, client_java, OpenTelemetry, prom-client, .NET, Go
    Row(
        "collecting_rose",
        "the runtime spends its time collecting garbage",
        "grows",
        r"jvm_gc_(pause_seconds|collection_seconds|duration_seconds)_sum|nodejs_gc_duration_seconds_sum|"
        r"(process_runtime_)?dotnet_gc_(pause_time|collections_duration)_seconds(_total)?|go_gc_duration_seconds_sum",
        0.2,
        3.0,
    ),
)

# (used, most): servers and pools that are full.
FULL = (
    ("pg_stat_activity_count", "pg_settings_max_connections"),
    ("mysql_global_status_threads_connected", "mysql_global_variables_max_connections"),
    ("redis_connected_clients", "redis_config_maxclients"),
    ("oracledb_resource_current_utilization", "oracledb_resource_limit_value"),
)
NAMES = "|".join(dict.fromkeys([r.names for r in ROWS] + [n for pair in FULL for n in pair]))


def query(namespaces: list[str]) -> str:
    """The series of all rows that are in one of the namespaces."""
    spaces = "|".join(sorted(re.sub(r"[^a-z0-9-]", "", n) for n in namespaces if n))
    return f'{{__name__=~"{NAMES}",namespace=~"{spaces}"}}'
