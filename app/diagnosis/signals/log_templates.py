"""Message classes of runtimes, drivers, libraries and the kernel, as they appear in logs: none is of one program.

Order decides: a line counts under the first class it fits. Named groups become facts; `host`, `host2` ... are one fact.
`WORDS` are only for speed: a line without any word of a class is not tried against its patterns, so each pattern must
need one of them."""

import re
from dataclasses import dataclass
from functools import lru_cache

from app.diagnosis.signals.store_templates import PATTERNS, UNREACHED, UNREACHED_WORDS
from app.diagnosis.signals.store_templates import WORDS as STORE_WORDS


@dataclass(frozen=True, slots=True)
class Template:
    """A kind of signal, what such a line means in words, and its pattern."""

    kind: str
    says: str
    pattern: re.Pattern[str]
    words: tuple[str, ...]


WORDS: dict[str, tuple[str, ...]] = {
    "log_configuration": (
        *("required", "missing", "mandatory", "not set", "must be", "invalid", "not defined", "unknown flag", "unrecognized option"),
        *("config", "schema version", "directive", "option", "argument", "placeholder", "parameter", "bind properties", "settings", "setting ["),
        *("unknown variable", "yaml:", "toml:", "srcfg", "keyerror", "no such file", "filenotfound", "missing field", "flag provided"),
    ),
    "log_dns_failure": ("lookup", "enotfound", "eai_again", "resolve", "unknownhost", "not known", "resolution", "nxdomain"),
    "log_connection_refused": UNREACHED_WORDS,
    "log_forbidden": ("serviceaccount",),
    "log_port_in_use": ("in use", "eaddrinuse", "allocated"),
    "log_collecting": ("gc", "garbage", "pause full"),
    "log_hang": ("asleep", "deadlock", "worker timeout", "event loop", "blocked", "held by", "goroutine", "harakiri", "timed out worker", "stuck"),
    "log_disk_full": ("space", "disk", "enospc", "is full", "ora-", "read-only-allow", "misconf"),
    "log_certificate_expired": ("cert", "nottimevalid"),
    "log_certificate_expiring": ("cert",),
    "log_certificate_untrusted": (
        *("cert", "unknown ca", "pkix", "unable_to_verify", "unknownissuer", "untrusted", "subject alternative", "peerunverified", "subjectalt"),
        "notvalidforname",
    ),
    "log_descriptors": (
        *("open files", "emfile", "enfile", "thread", "fork", "newosproc", "clone", "spawn", "descriptor", "cannot assign", "eaddrnotavail"),
        *("conntrack", "buffer space"),
    ),
    "log_workers_busy": (
        "max_children",
        "maxrequestworkers",
        "busy",
        "listen queue",
        "queue",
        "worker_connections",
        "starvation",
        "reject",
        "pool is",
    ),
    "log_heap": ("memory",),
    "log_permission_denied": ("permission denied", "eacces", "read-only", "not permitted"),
    "log_missing_command": ("exec format", "not found", "no such file"),
    "log_crash": ("panic", "fatal", "traceback", "exception", "segmentation", "assertion"),
    "log_clean_shutdown": ("term", "graceful"),
    "log_error": ("error", "exception", "failed", "failure"),
} | STORE_WORDS


def _t(kind: str, says: str, *patterns: str) -> Template:
    return Template(kind, says, re.compile("|".join(patterns), re.I), WORDS[kind])


TEMPLATES = (
    _t(
        "log_configuration",
        "the process refuses its configuration",
        r"\b(required|missing|mandatory)\b.{0,40}\b(env|environment|variable|setting|config|flag|option|parameter)\b",
        r"\b(env|environment|variable|config|configuration|setting)\b.{0,60}\b(not set|is missing|is required|must be|is invalid|not defined)",
        r"\b[A-Z][A-Z0-9]+_[A-Z0-9_]+\b.{0,30}\b(must be|is required|not set|is invalid|is missing)",
        r"\binvalid (configuration|config|port|argument|value for)\b|unknown flag|unrecognized option",
        r"(failed|unable) to (load|parse|read) (the )?config|could not parse config|schema version mismatch|error (loading|parsing|in) (the )?config",
        # frameworks: Spring, Quarkus, Micronaut, .NET options, Django, pydantic, Typesafe, Kafka; a variable that is not there in Python, Ruby
        r"(failed to|could not) bind properties|could not resolve placeholder|^\s*Property: \S+|SRCFG\d+",
        r"OptionsValidationException|ImproperlyConfigured",
        r"validation errors? for \w*(settings|config)|\bConfig(uration)?Exception\b|KeyError: ['\"][A-Z][A-Z0-9_]{3,}",
        r"key not found: \"[A-Z][A-Z0-9_]{3,}",
        # flags: Go, argparse, clap, getopt; files: the parser's own words, or the file is not there
        r"flag provided but not defined|required flag|required arguments were not provided|unrecognized arguments|arguments are required",
        r"\byaml: (line \d|unmarshal|did not)|mapping values are not allowed|\btoml: |missing field `\w+`|required key \S+ missing value",
        r"(open|load|read|stat|FileNotFound\w*:?).{0,40}?[/\w.-]+\.(ya?ml|json|toml|conf|cfg|cnf|ini|properties|xml)\b.{0,12}no such file",
        # servers: nginx, haproxy, redis, postgres, mysql, mongod, elasticsearch
        r"\[emerg\].{0,60}(unknown directive|invalid|unexpected|not allowed|is duplicate)|fatal errors? (found )?in config|FATAL CONFIG FILE ERROR",
        r"unrecognized configuration parameter|invalid value for parameter|unknown variable '|Unrecognized option: |unknown setting \[",
    ),
    _t(
        "log_dns_failure",
        "a name does not resolve",
        r"lookup (?P<host>[\w.-]+).{0,60}(no such host|server misbehaving|i/o timeout)",
        r"\bENOTFOUND\s*(?P<host2>[\w.-]*)|EAI_AGAIN\s*(?P<host3>[\w.-]*)",
        r"could not resolve host:? (?P<host4>[\w.-]+)|UnknownHostException:? (Failed to resolve '|failed to resolve \")?(?P<host5>[\w.-]+)",
        r"\b(?P<host6>[\w.-]+) could not be resolved \(\d",
        r"name or service not known|temporary failure in name resolution|\bNXDOMAIN\b",
        r"\bDNS resolution fail(ed|ure)\b|dns_resolution_failure",  # Envoy, gRPC
    ),
    _t("log_connections_exhausted", "no free connection is left", *PATTERNS["log_connections_exhausted"]),
    _t("log_connection_refused", "a peer refuses or does not answer", *UNREACHED),
    _t(
        "log_forbidden",
        "the API server refuses the account",
        r"(?P<account>system:serviceaccount:[\w.-]+:[\w.-]+)[\\\"']* cannot (?P<verb>\w+) (resource )?[\\\"']*(?P<what>[\w./-]+)",
    ),
    _t("log_port_in_use", "its port is taken already", r"address already in use|\bEADDRINUSE\b|port is already (allocated|in use)"),
    _t(
        "log_collecting",
        "the runtime spends its time collecting garbage",
        r"GC overhead limit exceeded|\[gc\].{0,40}overhead, spent|Pause Full .{0,60}\b\d{4,}(\.\d+)?ms|long (GC|garbage collection) pause",
    ),
    _t(
        "log_hang",
        "the process does not progress",
        r"all goroutines are asleep - deadlock|Found one Java-level deadlock|WORKER TIMEOUT|event loop (is |was )?blocked for",
        r"Thread Thread\[.{0,80}has been blocked for|blocked for more than \d+ seconds",
        # a thread that waits for what another holds: HotSpot, Go's dumps, .NET, lock watchdogs; workers that are shot: uWSGI, puma, Tomcat's valve
        r"\bwait(s|ing) (for|on|to lock)\b.{0,80}\bheld by\b|(possible|potential) deadlock",
        r"deadlock (detected|found)? ?(between|among|in|involving) threads?",
        r"goroutine \d+ \[(semacquire|sync\.\w+(\.\w+)?|chan (receive|send)), \d+ minutes\]|\bHARAKIRI\b|terminating timed out worker|may be stuck",
    ),
    _t("log_consumer_lag", "a consumer does not keep up", *PATTERNS["log_consumer_lag"]),
    _t("log_replication_lag", "a replica is behind", *PATTERNS["log_replication_lag"]),
    _t("log_slow_query", "a query takes long or waits for a lock", *PATTERNS["log_slow_query"]),
    _t("log_broker_partition", "nodes of the broker do not see one another", *PATTERNS["log_broker_partition"]),
    _t(
        "log_disk_full",
        "no space is left",
        r"no space left on device|\bENOSPC\b|disk (is )?full|disk quota exceeded|not enough space on the disk|out of disk space",
        # MySQL, SQL Server, Oracle, Elasticsearch, RabbitMQ, Redis
        r"the table '[^']*' is full|could not allocate space for object|transaction log for database .{0,60}is full",
        r"ORA-(01653|01654|01691|00257|19809)",
        r"flood[- ]stage disk watermark|read-only-allow-delete|disk resource limit alarm set",
        r"free disk space .{0,40}(below|insufficient)|MISCONF Redis",
    ),
    _t(
        "log_certificate_expired",
        "a certificate is past its date",
        r"certificate has expired|certificate expired|CERT_HAS_EXPIRED|CertificateExpired|certificate is expired|expired certificate|NotTimeValid",
    ),
    _t(
        "log_certificate_expiring",
        "a certificate ends soon",
        r"certificate\b.{0,80}\b(expires|expiring|(will|about to) expire) (soon\b|(in|within) \d+(\.\d+)? ?(minutes?|hours?|days?|[smhd]\b))",
    ),
    _t(
        "log_certificate_untrusted",
        "a certificate is not trusted",
        r"certificate signed by unknown authority|self[- ]signed certificate|unable to verify the first certificate",
        r"x509: certificate is (valid for|not)|certificate verify failed|cannot validate certificate|certificate name mismatch",
        # Java, Node, OpenSSL's alerts, rustls, .NET, Python
        r"PKIX path building failed|unable to find valid certification path|unable to get (local )?issuer cert|SELF_SIGNED_CERT|UNABLE_TO_VERIFY",
        r"alert (unknown ca|bad certificate)|certificate unknown|UnknownIssuer|CERT_ALTNAME_INVALID|RemoteCertificate(NameMismatch|ChainErrors)",
        r"SSL certificate problem|hostname .{0,60}(doesn't|does not) match.{0,40}cert",
        r"No subject alternative (DNS )?names? .{0,40}cert|untrusted ?root",
        # another name than the certificate has: MariaDB and okhttp, Apache's client, curl, Node, Ruby, Python, psql, Go's rustls twin
        r"SSLPeerUnverifiedException|not found in cert\w* .{0,20}SubjectAlt|doesn't match any of the subject alternative names",
        r"no alternative certificate subject name matches|does not match certificate's altnames|does not match the server certificate",
        r"certificate is not valid for '|server certificate for \S+ does not match host name|NotValidForName",
    ),
    _t("log_credentials", "a database refuses the credentials", *PATTERNS["log_credentials"]),
    _t(
        "log_workers_busy",
        "all its workers are busy, and requests wait for one",
        # PHP-FPM, Apache, Tomcat, uWSGI, Passenger, nginx, Jetty, Java executors, .NET, waitress, JBoss
        r"server reached (pm\.)?max_children|seems busy \(you may need to increase|server reached MaxRequestWorkers",
        r"All threads \(\d+\) are currently busy|maximum number of threads \(\d+\) (created|reached)|listen queue of socket .{0,60}full",
        r"request queue (is )?full|worker_connections are not enough|(QueuedThreadPool|ThreadPoolExecutor)\b.{0,120}reject",
        r"RejectedExecutionException|thread ?pool starvation|Task queue depth is \d+|thread pool (queue )?is (full|exhausted)",
    ),
    _t(
        "log_descriptors",
        "no file descriptor or thread is left",
        r"too many open files|\bE[MN]FILE\b|unable to create (new )?native thread|can't (start new|create) thread|fork: .*temporarily unavailable",
        # glibc, Go, C++, Rust, Node, Ruby; sockets that run out; the cgroup's limit of processes
        r"pthread_create.{0,40}fail|newosproc|failed to (create|spawn) (new )?(OS )?thread",
        r"(thread|fork|clone|spawn)\b.{0,60}(resource temporarily unavailable|EAGAIN)",
        r"no file descriptors available|file descriptor limit|connect.{0,80}cannot assign requested address",
        r"EADDRNOTAVAIL|fork rejected by pids controller",
        r"nf_conntrack: table full|no buffer space available",
    ),
    _t("log_read_only_database", "the database accepts no writes", *PATTERNS["log_read_only_database"]),
    _t("log_driver", "a driver is missing", *PATTERNS["log_driver"]),
    _t("log_peer_loads", "a store is not ready to answer: it still loads its data", *PATTERNS["log_peer_loads"]),
    _t("log_peer_unavailable", "a peer answers that it is unavailable", *PATTERNS["log_peer_unavailable"]),
    _t("log_rate_limited", "a peer limits the rate", *PATTERNS["log_rate_limited"]),
    _t("log_heap", "the heap is exhausted", r"OutOfMemoryError|heap out of memory|\bMemoryError\b|fatal error: out of memory"),
    _t("log_permission_denied", "a file may not be written", r"permission denied|\bEACCES\b|read-only file system|operation not permitted"),
    _t(
        "log_missing_command",
        "a command does not exist",
        r"exec format error|command not found|executable file not found|no such file or directory: unknown",
        r"^\S*(sh|\.sh|env|entrypoint)\S*: (line )?(\d+: )?(exec: )?\S+: (not found|no such file)",
    ),
    _t(
        "log_crash",
        "the process died of an error of its own",
        r"^panic:|\bpanic: |fatal error:|Traceback \(most recent|unhandled exception|uncaught exception",
        r"segmentation fault|assertion .*failed|\bFATAL\b",
    ),
    _t(
        "log_clean_shutdown",
        "the process ended on request",
        r"received (signal )?(SIG)?term|shutting down gracefully|signal terminated|graceful(ly)? (shutdown|stopp)",
    ),
    _t("log_timeout", "a peer answers too late", *PATTERNS["log_timeout"]),
    _t("log_error", "an error happened", r"(error|exception|failed|failure)\b"),
)


@lru_cache(maxsize=4096)
def classify(line: str) -> tuple[Template, re.Match[str]] | None:
    """The first class a line fits. Lines repeat within a log and from round to round, so answers are kept."""
    lowered = line.lower()
    for template in TEMPLATES:
        if any(word in lowered for word in template.words):
            match = template.pattern.search(line)
            if match is not None:
                return template, match
    return None
