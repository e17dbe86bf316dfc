"""The same refusal in the words of other servers and clients is the same class of line; what only sounds like it is not."""

import pytest

from app.diagnosis.signals.log_templates import TEMPLATES, WORDS, classify

SAID = {
    "log_slow_query": (
        "2027-03-04 09:24:54.932 UTC [5054] LOG:  duration: 10047.976 ms  execute <unnamed>: SELECT h.* FROM things h",
        "org.postgresql.util.PSQLException: ERROR: canceling statement due to user request",
        "# Query_time: 12.400112  Lock_time: 0.000113 Rows_sent: 1  Rows_examined: 9400000",
        "ERROR 3024 (HY000): Query execution was interrupted, maximum statement execution time exceeded",
        "MongoServerError: operation exceeded time limit",
        "Microsoft.Data.SqlClient.SqlException: Execution Timeout Expired.  The timeout period elapsed prior to completion of the operation",
        "ORA-00060: deadlock detected while waiting for resource",
    ),
    "log_connections_exhausted": (
        "HikariPool-1 - Connection is not available, request timed out after 30000ms (total=20, active=20, idle=0, waiting=31)",
        "FATAL: remaining connection slots are reserved for non-replication superuser connections",
        "ERROR 1040 (HY000): Too many connections",
        "ERR max number of clients reached",
        "sqlalchemy.exc.TimeoutError: QueuePool limit of size 5 overflow 10 reached, connection timed out",
        "Timeout expired. This may have occurred because all pooled connections were in use and max pool size was reached.",
        "ActiveRecord::ConnectionTimeoutError: could not obtain a connection from the pool within 5.000 seconds",
    ),
    "log_credentials": (
        "MySqlConnector.MySqlException (0x80004005): Access denied for user 'app'@'10.244.2.14' (using password: YES)",
        'FATAL:  password authentication failed for user "app"',
        "WRONGPASS invalid username-password pair or user is disabled.",
        "Login failed for user 'app'. Reason: Password did not match",
        "ORA-01017: invalid username/password; logon denied",
        "MongoServerError: Authentication failed. mechanism SCRAM-SHA-256",
        "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN",
    ),
    "log_read_only_database": (
        "The MySQL server is running with the --super-read-only option so it cannot execute this statement",
        "ERROR: cannot execute INSERT in a read-only transaction",
        "READONLY You can't write against a read only replica.",
        "MongoServerError[NotWritablePrimary]: not primary",
        'Failed to update database "orders" because the database is read-only.',
        "ORA-16000: database or pluggable database open for read-only access",
    ),
    "log_driver": (
        "java.lang.IllegalStateException: Cannot load driver class: org.postgresql.Driver",
        "Caused by: java.lang.ClassNotFoundException: com.mysql.cj.jdbc.Driver",
        "ModuleNotFoundError: No module named 'psycopg2'",
        "Error: Cannot find module 'pg'",
        "PDOException: could not find driver",
        "cannot load such file -- mysql2 (LoadError)",
        'panic: sql: unknown driver "postgres" (forgotten import?)',
    ),
    "log_rate_limited": (
        '{"level": 40, "url": "https://api.example/v2/messages", "status": 429, "body": "too_many_requests"}',
        "software.amazon.awssdk.core.exception: ThrottlingException: Rate exceeded",
        "rpc error: code = RESOURCE_EXHAUSTED desc = quota exceeded for metric",
        "openai.RateLimitError: Error code: 429",
        "request failed with status code 429",
    ),
    "log_consumer_lag": (
        "consumer poll timeout has expired. This means the time between subsequent calls to poll() was longer than the configured",
        "%4|MAXPOLL|rdkafka#consumer-1| Application maximum poll interval (300000ms) exceeded by 72ms",
        "[WRN] 10.0.0.3:4222 - cid:7 - Slow Consumer Detected: WriteDeadline of 10s exceeded",
        "batch of 500 records took 8643 ms",
        "queue default: backlog size 48211",
    ),
    "log_replication_lag": (
        "LOG:  recovery still waiting after 533485.338 ms: recovery conflict on lock",
        "Seconds_Behind_Source: 4211",
        "read from replica returned stale order version (expected >= 509), retrying on primary",
        "FATAL: could not receive data: requested WAL segment 0000000100000A has already been removed",
        "too stale to catch up -- entering maintenance mode",
    ),
    "log_broker_partition": (
        "Mnesia('rabbit@mq-0'): ** ERROR ** mnesia_event got {inconsistent_database, running_partitioned_network, 'rabbit@mq-2'}",
        "NOT_FOUND - home node of durable queue 'outbox' in vhost '/' is down or inaccessible",
        "org.apache.kafka.common.errors.NotEnoughReplicasException: Messages are rejected since there are fewer in-sync replicas",
        "CLUSTERDOWN The cluster is down",
        "JetStream cluster has NO quorum, stalled",
    ),
    "log_timeout": (
        "POST http://rater/rate answered 200 after 3.52s (own time 0.01s)",
        '"url": "http://cart/v1", "err": {"code": "ECONNABORTED", "message": "timeout of 5000ms exceeded"}',
        "net/http: request canceled (Client.Timeout exceeded while awaiting headers)",
        "java.net.SocketTimeoutException: Read timed out",
        "The request was canceled due to the configured HttpClient.Timeout of 100 seconds elapsing.",
        "Net::ReadTimeout with #<TCPSocket:(closed)>",
        "rpc error: code = DeadlineExceeded desc = stream terminated",
    ),
    "log_connection_refused": (
        "System.Net.Http.HttpRequestException: Connection refused (archive:9443)",
        '"err": {"code": "ETIMEDOUT", "message": "connect ETIMEDOUT 198.51.100.24:443"}',
        "HTTPConnectionPool(host='cart', port=8080): Max retries exceeded: [Errno 111] Connection refused",
        "redis.exceptions.ConnectionError: Error 111 connecting to cache:6379. Connection refused.",
        'connection to server at "store" (10.0.0.7), port 5432 failed: Connection refused',
    ),
}
HARMLESS = (
    "Waited for 1.2s due to client-side throttling, not priority and fairness",
    "HikariPool-1 - Start completed.",
    "max_connections=100 shared_buffers=128MB",
    "GET /api/overview 200 http://cart/x took 12 ms",
    "processed batch of 429 records from orders-1",
    "checkpoint complete: wrote 412 buffers (2.5%); 0 WAL file(s) added",
    "accepting AMQP connection 10.244.1.9:44296 -> 10.244.3.15:5672",
    "replica store-1 is in sync",
    "connect to store:5432",
    "elected leader of 3 nodes",
    "authentication succeeded for user app",
)


@pytest.mark.parametrize(("kind", "line"), [(k, line) for k, lines in SAID.items() for line in lines])
def test_a_failure_is_of_one_class_in_the_words_of_every_product(kind: str, line: str) -> None:
    found = classify(line)
    assert found is not None and found[0].kind == kind


@pytest.mark.parametrize("line", HARMLESS)
def test_a_line_that_only_sounds_like_it_is_of_no_class(line: str) -> None:
    assert classify(line) is None


def test_every_class_has_its_words() -> None:
    assert {t.kind for t in TEMPLATES} <= set(WORDS)
