"""Message classes of what is called - databases, caches, brokers, other people's APIs - as their servers and the usual clients word
them; rows of the table of `log_templates`, which gives them their place in its order. None is of one program of ours.

`WORDS` are lower case, and only for speed (see there)."""

HOST = r"[\w-]+(\.[\w-]+)*"

WORDS: dict[str, tuple[str, ...]] = {
    "log_slow_query": (
        *("slow query", "slow_query", "slowlog", "duration", "canceling", "lock wait", "lock_wait", "deadlock", "query_time", "execution time limit"),
        *(
            "statement timeout",
            "querytimeout",
            "still waiting for",
            "ora-",
            "lock request time",
            "timeout period elapsed",
            "full table scan",
            "collscan",
        ),
        *(
            "statement_timeout",
            "querycanceled",
            "query canceled",
            "maxtimems",
            "slowquery",
            "slow sql",
            "interrupted",
            "57014",
            "exceeded time limit",
        ),
        *("slow in the last", "could not obtain lock", "writeconflict", "timeout expired", "took_millis", "i.s.s", "statement execution time"),
    ),
    "log_consumer_lag": (
        *("batch of", "chunk of", "processing"),
        *("consumer", "lag", "max.poll", "backlog", "behind", "poll timeout", "queue depth", "queue length", "queue latency", "queue size"),
        *("maximum poll", "offset out of range", "max ack pending", "rejoin"),
    ),
    "log_replication_lag": (
        *(
            "replica",
            "seconds_behind",
            "wal segment",
            "recovery",
            "replication",
            "standby",
            "behind master",
            "behind primary",
            "too stale",
            "staleness",
        ),
        *("oplog", "behind source", "secondary", "partial resync", "apply lag"),
    ),
    "log_broker_partition": (
        *("partition", "mnesia", "leader", "inconsistent_database", "notenoughreplicas", "quorum", "insync", "cluster_down", "clusterdown"),
        *(
            "home node of durable",
            "stopped by supervisor",
            "split brain",
            "split-brain",
            "master not discovered",
            "cluster is down",
            "not responding **",
        ),
        *("jetstream", "in-sync", "isr", "meta leader", "cluster state", "pause_minority", "connection to node"),
    ),
    "log_credentials": (
        *("authentication", "access denied", "wrongpass", "noauth", "invalid username", "login failed", "ora-01017", "ora-28000", "access_refused"),
        *(
            "password",
            "28p01",
            "28000",
            "er_access_denied",
            "sasl",
            "access refused",
            "logon denied",
            "invalid credentials",
            "no pg_hba",
            "unauthenticated user",
        ),
        *("role ", "scram", "unauthorized", "er_account_locked"),
    ),
    "log_connections_exhausted": (
        *("connection", "pool", "too many clients", "number of clients", "maxclients", "ora-00018", "ora-00020", "ora-12519", "ora-12516"),
        *("er_con_count", "53300"),
        *("active clients", "user_connections", "sessions", "no free"),
    ),
    "log_read_only_database": (
        *("read-only", "readonly", "read only", "notwritableprimary", "not primary", "not master", "notmaster", "ora-16000", "read_only"),
        *("option_prevents", "hot standby", "recovery is in progress", "25006"),
    ),
    "log_driver": (
        *(
            "driver",
            "module named",
            "cannot find module",
            "dialect",
            "loaderror",
            "psycopg",
            "client library",
            "provider",
            "require",
            "plugin:",
            "libpq",
        ),
        *("no such file to load",),
    ),
    "log_rate_limited": (
        *("429", "rate limit", "rate-limit", "ratelimit", "throttl", "quota", "too many requests", "too_many_requests", "resource_exhausted"),
        *("slow down", "slowdown", "retry-after", "toomanyrequests", "request limit", "limitexceeded", "limit exceeded"),
    ),
    "log_timeout": (
        *("timed", "timeout", "time out", "deadline exceeded", "deadline_exceeded", "deadlineexceeded", "gave no answer", "no answer", "no response"),
        *("answered", "took", "slow", "responded", "canceled", "504", "host=", "peer=", "upstream=", "target=", "remote="),
    ),
    "log_peer_loads": (
        *("loading", "starting up", "recovery mode", "startup or shutdown", "57p03", "wsrep", "ora-01033", "not recovered", "load_in_progress"),
        *("load is in progress", "notyetinitialized", "shutting down"),
    ),
    "log_peer_unavailable": ("502", "503", "504", "unavailable", "bad gateway"),
    "log_config_changed": ("reload", "refresh", "flag", "toggle", "config", "setting", "->", "=>"),
}

PATTERNS: dict[str, tuple[str, ...]] = {
    "log_slow_query": (
        r"\bslow[ _]query\b|\bslow sql\b|SlowQuery|\bduration: \d{4,}(\.\d+)? ms\b|\bduration: \d{4,}\.\d+|# Query_time: ([1-9]|0\.[5-9])",
        # refused for its time: PostgreSQL and its clients, MySQL, MongoDB, SQL Server, Oracle, Spring
        r"canceling statement due to (statement timeout|lock timeout|user request)|QueryTimeoutException|QueryCanceled|\b57014\b",
        r"maximum statement execution time exceeded|query execution was interrupted, max|Query execution was interrupted.{0,30}time",
        r"Execution Timeout Expired|The timeout period elapsed prior to completion of the operation|Lock request time out period exceeded",
        r"MaxTimeMSExpired|operation exceeded time limit|Slow query\W|planSummary:? ?\"?COLLSCAN|ORA-(00054|00060|01013|30006)",
        # waits for a lock
        r"Lock wait timeout exceeded|Deadlock found when trying to get lock|process \d+ detected deadlock|ERROR: +deadlock detected",
        r"process \d+ still waiting for \w+Lock|was deadlocked on lock|WriteConflict|could not obtain lock on",
        # the stores' own slow logs: Elasticsearch, Redis, Cassandra
        r"\[index\.search\.slowlog|\[i\.s\.s\.|took_millis\[\d{4,}|operations were slow in the last",
    ),
    "log_consumer_lag": (
        r"consumer lag|\blag of \d{3,}|\bslow consumer\b|max\.poll\.interval\.ms|maximum poll interval|consumer is (too slow|lagging|behind)",
        # Kafka clients (Java, librdkafka, sarama), NATS, RabbitMQ, Celery, Sidekiq
        r"consumer poll timeout has expired|MAXPOLL|Application maximum poll interval",
        r"offset commit cannot be completed since the consumer is not part",
        r"slow consumer detected|maximum ack pending reached|delivery acknowledgement .{0,30}timed out|PRECONDITION_FAILED - delivery ack",
        r"(queue|backlog|pending (jobs|messages|tasks)).{0,20}\b(depth|length|size|latency|lag)\b\W{0,3}(is |at |of )?\d{4,}",
        r"\b(falling|fallen|lagging|is|running) behind\b.{0,60}\b(queue|topic|partition|stream|messages|offsets?|records|events)\b",
        r"\b(queue|topic|partition|stream|messages|offsets?|records|events)\b.{0,60}\b(falling|fallen|lagging|is) behind\b",
        r"\blag\W{1,4}\d{5,}|\b(batch|chunk) of \d+ .{0,30}\btook (\d{4,7} ?ms|\d{1,4}(\.\d+)? ?s\b)",
        r"processing .{0,40}(messages|records|events)\b.{0,20}took \d{4,7} ?ms",
    ),
    "log_replication_lag": (
        r"replication lag|replica (is|lags|lagging) .{0,40}behind|replica .{0,30}\blag(s|ging)?\b|requested WAL segment \S+ has already been removed",
        r"Seconds_Behind_(Master|Source)\W{1,3}[1-9]|seconds behind (master|primary|source)|is \d{2,} s(econds)? behind|too stale to catch up",
        # PostgreSQL replaying against queries, MySQL's applier, MongoDB, Redis
        r"recovery (still|finished) waiting after|recovery conflict on|canceling statement due to conflict with recovery",
        r"standby .{0,40}(fallen|falling|far) behind|coordinator.{0,40}waited .{0,20}seconds|replica.{0,40}stale (read|data|value|\w+ version)",
        r"(stale|outdated) .{0,40}(from|on) (the )?(read )?replica|from replica returned stale|MASTERDOWN|RS102|Replication lag|apply lag",
        r"Restarting oplog application.{0,40}behind|scheduled to be closed ASAP for overcoming of output buffer limits.{0,40}replica",
    ),
    "log_broker_partition": (
        r"network partition detected|inconsistent_database|partial partition detected|\brunning_partitioned_network\b|Mnesia.{0,40}partition",
        r"\bLEADER_NOT_AVAILABLE\b|has no leader|NotEnoughReplicas|NOT_ENOUGH_REPLICAS|lost quorum of brokers|split[ -]brain",
        # RabbitMQ to clients and in its own log; Kafka; Redis Cluster; NATS; Elasticsearch; ActiveMQ
        r"home node of durable queue|process is stopped by supervisor|(Node|node) \S+ not responding \*\*|cluster_partitions|pause_minority",
        r"number of insync replicas .{0,60}(less|insufficient)|insync replicas .{0,40}below|InsufficientIsr|fewer in-sync replicas|Shrinking ISR",
        r"CLUSTERDOWN|Cluster state changed: fail|JetStream.{0,40}(no quorum|has NO quorum|lost quorum)|has NO quorum|no meta leader",
        r"master not discovered( or elected)? yet|Connection to node -?\d+ .{0,60}could not be established|quorum (is )?lost|lost quorum",
    ),
    "log_credentials": (
        r"password authentication failed|\bWRONGPASS\b|\bNOAUTH\b|invalid username[ -](or )?(and )?password|\b28P01\b|ER_ACCESS_DENIED",
        r"no pg_hba\.conf entry",
        r"access denied for user|Access denied for user|login failed for user|ORA-(01017|28000|28001)|logon denied|ER_ACCOUNT_(HAS_BEEN_)?LOCKED",
        # MongoDB, RabbitMQ, Kafka, Redis with ACLs, Cassandra, Elasticsearch
        r"\b(AuthenticationFailed|Authentication failed)\b.{0,80}(mongo|database|SCRAM|user|server|broker|redis|sasl)",
        r"SCRAM.{0,40}(authentication|failed)",
        r"(mongo|database|SCRAM|user|server|broker|redis|sasl|postgres|mysql)\b.{0,60}\bAuthentication ?failed",
        r"ACCESS_REFUSED|SaslAuthentication|SASL authentication (error|failed)|AuthenticationFailureException|Authentication failed\.?$",
        r"(Error 1045|Error 18456|error: password|Bad credentials.{0,40}(database|store))",
        r"failed to authenticate user|unable to authenticate user|Provided username .{0,60}incorrect|invalid password.{0,30}(database|redis|user)",
    ),
    "log_connections_exhausted": (
        # servers: MySQL, PostgreSQL, Redis, MongoDB, Oracle, PgBouncer
        r"too many connections|too many clients|remaining connection slots|max number of clients reached|max_user_connections",
        r"connection refused because too many open connections|ORA-(00018|00020|12516|12519)|ER_CON_COUNT|\b53300\b|no more connections allowed",
        # pools: HikariCP, Tomcat, C3P0, DBCP, SQLAlchemy, .NET, Node, Go, Rails, Rust, Lettuce/Jedis
        r"connection pool (is )?(exhausted|timed? ?out|full)|QueuePool limit|pool.{0,30}timed? ?out(?! (while )?connecting)",
        r"Connection is not available, request timed out",
        r"connection pool.{0,60}(was reached|exhausted)|max pool size was reached|PoolExhausted|pool (is )?exhausted|Apparent connection leak",
        r"Connection leak detect",
        r"Could not (get|obtain) (a )?(connection|resource) (from|within).{0,30}(pool|seconds)|cannot get a connection.{0,40}pool",
        r"ResourceRequest timed out",
        r"Timeout acquiring a connection|KnexTimeout|ConnectionTimeoutError|P2024|Timed out fetching a new connection from the (connection )?pool",
        r"PoolTimeout",
        r"all pool connections (were )?in use|couldn't get connection .{0,40}pool|no free connections? (is |are )?(available|in)|query_wait_timeout",
        r"client_login_timeout|MongoWaitQueueFull|Timed out after \d+ ?ms while waiting for a connection|WaitQueueTimeout",
    ),
    "log_read_only_database": (
        r"cannot execute \w+( \w+)* in a read-only transaction|READONLY You can't write|--(super-)?read[-_]only( option)?\b|database is read-only",
        r"OPTION_PREVENTS_STATEMENT|\b25006\b|attempt to write a readonly database|ORA-(16000|01552|00372)",
        r"Failed to update database .{0,40}read-only",
        r"NotWritablePrimary|\bnot (primary|master) (and|node|while|so)\b|NotMaster|database .{0,40}\bis (in )?read[- ]only( mode)?",
        r"cannot execute .{0,30} during recovery",
        r"server is (running )?in read-only mode|read-only mode.{0,40}(write|insert|update)|Can't execute .{0,40} read only",
        r"READ ONLY transaction|FORBIDDEN/(8|12)/index",
    ),
    "log_driver": (
        r"No suitable driver|(could|can) ?not load (jdbc )?driver|sql: unknown driver|Failed to load driver class",
        r"driver class \S+ (not found|could not)",
        r"(ClassNotFoundException|NoClassDefFoundError|Cannot load driver class)\W{0,3}\S{0,60}Driver|Driver\S{0,40} claims to not accept",
        r"No module named '?(psycopg|mysql|MySQLdb|pymysql|pyodbc|cx_Oracle|oracledb|asyncpg|aiomysql|pymongo|redis|sqlite3|pika|kafka)",
        r"Cannot find (module|package) '(pg|mysql2?|mongodb|mongoose|oracledb|tedious|redis|ioredis|sqlite3|better-sqlite3|mssql|kafkajs|amqplib)",
        r"could not find driver|undefined function (mysqli|pg)_connect|Class ['\"]?(PDO|MongoDB\\\\Driver|Redis)\b.{0,30}not found",
        r"Unable to load dynamic library.{0,40}(pdo|pgsql|mysqli)",
        r"(cannot load such file|no such file to load) -- (pg|mysql2|sqlite3|mongo|tiny_tds|redis)|Could not load the '\w+' .{0,20}adapter",
        r"is not part of the bundle",
        r"Can't load plugin: sqlalchemy\.dialects|no pq wrapper available|libpq\.so\S* (not found|cannot open)",
        r"cannot open shared object.{0,40}(libpq|libmysql|libmariadb)",
        r"data source name not found and no default driver|Can't open lib .{0,80}(odbc|driver)",
        r"(libpq|libmysqlclient|libmariadb)\.so.{0,40}cannot open shared",
        r"Unable to find the requested .{0,20}Data Provider",
        r"Could not load file or assembly '(Npgsql|MySql|Microsoft\.Data\.SqlClient|Oracle|MongoDB)",
    ),
    "log_rate_limited": (
        r"429 too many requests|rate[ -]?limit(ed|s|ing)?\b.{0,30}(exceeded|reached|hit|error|exhausted)|rate exceeded",
        r"\bTooManyRequests(Exception|Error)?\b",
        r"Throttl(ing|ed)(Exception|Error)\b|(request|call|you|we)\b.{0,30}\bthrottled( by|\b.{0,20}(api|server|provider|upstream))",
        r"RequestLimitExceeded|ProvisionedThroughputExceeded|SlowDown\b|too_many_requests|rate_limit_exceeded",
        r"\bstatus(_?code)?\W{1,4}(is |was |of )?429\b|\bHTTP(/\d(\.\d)?)? (status )?429\b",
        r"(responded|returned|answered|failed|error|code|got)( with)?( status( code)?)?:? 429\b",
        r"quota\b.{0,60}\bexceeded|RESOURCE_EXHAUSTED|RateLimitError|RateLimitExceeded|x-ratelimit-remaining\W{1,5}0\b",
    ),
    "log_timeout": (
        r"(timed? ?out|timeout|deadline exceeded).{0,40}\b(calling|waiting for|reading from|from|to) (https?://)?(?P<host>" + HOST + r")(:\d+)?",
        r"(?P<host2>" + HOST + r"):\d+.{0,40}(read timed out|i/o timeout|context deadline exceeded)",
        # a call by its URL that took a second or more, or got nothing
        r"https?://(?P<host3>"
        + HOST
        + r")\S*.{0,30}\b(answered|responded|returned|took|after|in)\b.{0,20}?\b([1-9]\d{0,2}\.\d+ ?s|\d{4,6}(\.\d+)? ?ms)\b",
        r"https?://(?P<host4>" + HOST + r")\S*.{0,60}(gave no answer|no (answer|response)|timed? ?out|timeout|deadline exceeded)",
        # clients: axios, node, undici, Go, Java, .NET, Python, Ruby, curl, gRPC, proxies; the URL is often elsewhere in the line
        r"timeout of \d+ ?ms exceeded|ESOCKETTIMEDOUT|UND_ERR_(HEADERS|BODY)_TIMEOUT|Client\.Timeout exceeded|context deadline exceeded",
        r"(Read|Socket|Response|Request|Http|Gateway|Handler)_?Time(d)?[Oo]ut(Exception|Error)?\b|read timed out|Net::ReadTimeout|cURL error 28",
        r"HttpClient\.Timeout",
        r"DEADLINE_EXCEEDED|DeadlineExceeded|upstream timed out|upstream request timeout|gave no answer within",
        r"no response (received )?(within|after) \d",
        # access logs in key=value that give the part of the time which went to somebody, and who that is
        r"\b\w+=\d{4,6}(\.\d+)? (host|peer|upstream|target|remote)=(?P<host5>" + HOST + r")",
    ),
    "log_peer_loads": (
        # Redis and its kin, PostgreSQL, Galera, Oracle, Elasticsearch, Kafka, MongoDB
        r"\bLOADING\b.{0,20}\b(is loading|loading) the dataset|the database system is (starting up|shutting down|in recovery mode|not yet accepting)",
        r"\b57P03\b|WSREP has not yet prepared node|ORA-01033|SERVICE_UNAVAILABLE/1/state not recovered|_LOAD_IN_PROGRESS|NotYetInitialized",
        r"coordinator load is in progress",
    ),
    "log_peer_unavailable": (
        # status in front of the URL (Quarkus, Spring, Ruby, Guzzle) or behind it (requests, axios, Go, .NET)
        r"\b50[234]\b.{0,90}?https?://(?P<host>[\w.-]+)",
        r"https?://(?P<host2>[\w.-]+)\S*.{0,60}\b(status|code|returned|responded|response|answered|replied|resulted|failed|got|HTTP\S*)\b\D{0,30}\b50[234]\b",
    ),
    "log_config_changed": (
        r"\b(config(uration)?|settings?|feature ?flags?|toggles?|properties|flags)\b.{0,30}\b(reloaded|refreshed|re-read|hot[- ]reloaded)\b",
        r"\b(reloaded|refreshed)\b.{0,20}\b(config(uration)?|settings?|feature ?flags?|toggles?|properties|flags)\b|config(uration)? file changed",
        r"Refresh keys changed: \[\S",
        r"(feature ?flag|flag|toggle|setting|property|option)\b.{0,60}\b(changed|switched|flipped|turned|set|updated|enabled|disabled)\b",
        r"\b(feature|config|flag|setting|toggle)\w*\S*.{0,40}\b(false|true|on|off|\d+)\W? ?(->|=>|→) ?\W?(true|false|on|off|\d+)\b",
    ),
}

# Connections that were never made: a name for each client, with the address where the client says it.
UNREACHED_WORDS = ("connect", "dial tcp", "refused", "no route", "etimedout", "unreachable", "ehostunreach", "unavailable", "2002", "08001")
UNREACHED = (
    r"could not connect to (server: )?(?P<host>[\w.-]+):(?P<port>\d+)",
    r"(dial tcp|connect(ing)? to) \(?(?P<host2>[\w.-]+):(?P<port2>\d+).{0,80}(refused|timed? ?out|timeout|failed|unreachable)",
    r"(?:ECONNREFUSED|connect ETIMEDOUT|EHOSTUNREACH)\s*(?P<host3>[\w.-]*):?(?P<port3>\d*)",
    # Java and .NET put the address behind; psql names the server; Python, Ruby, PHP, redis clients
    r"connection (refused|timed out)\W{1,3}(?P<host4>(?=[\w.-]*[a-z])[\w.-]+):(?P<port4>\d+)",
    r"connection to server at \"(?P<host5>[\w.-]+)\".{0,60}port (?P<port5>\d+) failed: (Connection refused|Connection timed out|No route)",
    r"host='(?P<host6>[\w.-]+)', port=(?P<port6>\d+).{0,200}(refused|timed out|unreachable)|Connection to (?P<host8>[\w.-]+):(?P<port8>\d+) refused",
    r"connect\(2\) for \"?(?P<host9>[\w.-]+)\"? port (?P<port9>\d+)|Error \d+ connecting to (?P<host10>[\w.-]+):(?P<port10>\d+)",
    r"(timed? ?out|timeout|failed|unable|error) (while |to )?connect(ing)? to (tcp://)?(?P<host12>[\w.-]+):(?P<port12>\d+)",
    r"Can't connect to (MySQL|MariaDB|local) ?server on '(?P<host11>[\w.-]+)|Unable to connect to Redis|No connection could be made because",
    r"connection refused|no route to host|failed to connect to all addresses|ConnectTimeout(Error|Exception)?\b|Connection timed out",
    r"connect timed out",
    r"actively refused|Communications link failure|HTTP connection timed out|NoBrokersAvailable|brokers are down",
)
