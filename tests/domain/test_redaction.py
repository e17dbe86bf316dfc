"""What redaction takes out, what it leaves alone, and that it stays fast."""

import json
import random
import time

import pytest

from app.domain.redaction import redact, redact_json

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
AWS_SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
AWS_SECRET_2 = "9drTJvcXLB89EXAMPLELB8923FB892xMFI4Jx/Qz"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA0123456789abcdef\nabcdEFGH0123456789==\n-----END RSA PRIVATE KEY-----"
GITHUB = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
SLACK = "-".join(("xoxb", "123456789012", "abcdefghijklmnopqrstuvwx"))
ANTHROPIC = "sk-ant-api03-" + "aB3_dE6-" * 5
OPENAI = "sk-proj-" + "aB3dE6gH9" * 4

# (text, what must be gone, what must still be there)
SECRETS = [
    ("dial postgres://app:s3cr3t@db.shop:5432/orders failed", "s3cr3t", "@db.shop:5432/orders failed"),
    ("mongodb+srv://u:p@ss@cluster0.example/x", "p@ss", "@cluster0.example/x"),
    ("redis://:hunter2@cache:6379/0", "hunter2", "@cache:6379/0"),
    ("dsn app:hunter2@tcp(mysql:3306)/orders", "hunter2", "@tcp(mysql:3306)/orders"),
    ("api_key=abcdefghij0123456789XYZ done", "abcdefghij0123456789XYZ", "done"),
    ('{"apiKey": "abcdefghij0123456789XYZ", "a": 1}', "abcdefghij0123456789XYZ", '"a": 1}'),
    ("X-Api-Key: abcdefghij0123456789XYZ", "abcdefghij", "X-Api-Key: "),
    ("using AKIAIOSFODNN7EXAMPLE for s3", "AKIAIOSFODNN7EXAMPLE", "for s3"),
    (f"aws_secret_access_key = {AWS_SECRET}", AWS_SECRET, "aws_secret_access_key = "),
    (f"key is {AWS_SECRET_2} ok", AWS_SECRET_2, " ok"),
    ("DB_PASSWORD=hunter2 starting", "hunter2", "starting"),
    ('"password": "correct horse battery"', "horse", '"password": "'),
    ('{\\"password\\":\\"hunter2\\",\\"user\\":\\"app\\"}', "hunter2", '\\"user\\":\\"app\\"'),
    ("Server=db;Uid=app;Pwd=hunter2;", "hunter2", "Uid=app"),
    ("mysql --password hunter2 -h db", "hunter2", "-h db"),
    ("Authorization: Bearer abc.def-123456", "abc.def-123456", "Authorization: "),
    ("authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz", "authorization: "),
    ("sent bearer 0123456789abcdef to peer", "0123456789abcdef", "to peer"),
    (f"cookie={JWT};", JWT, "cookie="),
    (f"before\n{PEM}\nafter", "MIIEpAIBAAKCAQEA", "\nafter"),
    (json.dumps({"pem": PEM, "x": "kept"}), "MIIEpAIBAAKCAQEA", '"x": "kept"'),
    ("cut -----BEGIN PRIVATE KEY-----\nMIIEpAIBAAKCAQEA0123\nnext line of log", "MIIEpAIBAAKCAQEA", "next line of log"),
    (f"clone with {GITHUB} now", GITHUB, " now"),
    (f"slack {SLACK} said", SLACK, " said"),
    (f"model key {ANTHROPIC} used", ANTHROPIC, " used"),
    (f"model key {OPENAI} used", OPENAI, " used"),
    ("client_secret: 8f7d6a5b4c3e2f1a", "8f7d6a5b4c3e2f1a", "client_secret: "),
    ("refresh_token=1//0abcDEF123456", "0abcDEF123456", "refresh_token="),
]

ORDINARY = [
    'FATAL: password authentication failed for user "app"',
    "login failed: password: incorrect",
    "invalid token: expected string, got end of file",
    "Bearer authentication required",
    "secret 'db-creds' not found in namespace shop",
    'MountVolume.SetUp failed for volume "creds" : secret "db-creds" not found',
    "image registry.example/shop/web@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "pod web-7d9f8b6c5d-x2x4z uid 550e8400-e29b-41d4-a716-446655440000 on ip-10-0-1-17.eu-west-1.compute.internal",
    "pod sk-frontend-controller-7d9f8b6c5d-x2x4z restarted 3 times",
    "limits memory=512Mi cpu=250m requests memory=256Mi ephemeral-storage=2Gi tokens=50000",
    "commit 3f786850e387550fdab836ed7e6dc881de23001b deployed",
    "GET http://payments.shop.svc.cluster.local:8080/api/v1/charge?id=42 500 12ms",
    "npm fetch http://registry.local:4873/@scope/package",
    "mail to ops@example.com at 10:30:00",
    "java.lang.OutOfMemoryError: Java heap space at com/example/orders/service/OrderServiceImpl1",
    "PWD=/app HOME=/root PATH=/usr/local/sbin:/usr/local/bin",
    "DB_PASSWORD=${DB_PASSWORD} from secretKeyRef db-creds/password",
    "token_count=512 max_tokens: 2000 next page",
    "imagePullSecrets: regcred, image_pull_secret=regcred-2024",
    'container_memory_working_set_bytes{pod="web-7d9f8b6c5d-x2x4z"} first=1.2e+08 last=5.1e+08',
]


# covers SEC-09
@pytest.mark.parametrize(("text", "gone", "kept"), SECRETS)
def test_a_secret_goes_and_its_surroundings_stay(text: str, gone: str, kept: str) -> None:
    clean, count = redact(text)
    assert gone not in clean
    assert kept in clean
    assert "[redacted:" in clean
    assert count >= 1


@pytest.mark.parametrize("line", ORDINARY)
def test_ordinary_lines_are_left_as_they_are(line: str) -> None:
    assert redact(line) == (line, 0)


def test_json_in_a_text_stays_json() -> None:
    text = json.dumps({"password": "hunter2", "url": "amqp://u:pw@mq:5672", "token": JWT, "n": 1})
    clean, count = redact(text)
    assert json.loads(clean)["n"] == 1
    assert count == 3


def test_redacting_twice_changes_nothing_in_any_mixture() -> None:
    lot = random.Random(7)
    pieces = (
        [t for t, _, _ in SECRETS] + ORDINARY + ['"', "'", "=", ":", " ", "\n", "\\", "@", "://", "password", "token", "Bearer ", "-----END", "["]
    )
    for _ in range(3000):
        text = "".join(lot.choice(pieces) + lot.choice(("", " ", "\n", "=", ":")) for _ in range(lot.randint(1, 6)))
        once, _count = redact(text)
        assert redact(once) == (once, 0), text
        assert redact(text)[0] == once


def test_a_secret_between_any_two_ordinary_lines_is_found() -> None:
    lot = random.Random(8)
    for text, gone, _ in SECRETS:
        for _n in range(20):
            clean, _count = redact(f"{lot.choice(ORDINARY)}\n{text}\n{lot.choice(ORDINARY)}")
            assert gone not in clean


LONG = ["a", "password", "eyJ", "eyJ-", "://", "a:", "x@", "sk-", "password=,", "token ", "-----BEGIN PRIVATE KEY-----\n", "aA1/", '"', "\\", "gh"]
LONG += ["bearer ", "a.b-", 'password:\\"', "://a:b", "authorization: ", "--password ", "\\n", "-----BEGIN PRIVATE KEY-----\nMIIEpAIBAAKCAQEA0123\n"]


@pytest.mark.parametrize("piece", LONG)
def test_time_grows_with_the_length_and_no_faster(piece: str) -> None:
    def cost(size: int) -> float:
        text = (piece * (size // len(piece) + 1))[:size]
        start = time.process_time()
        redact(text)
        return time.process_time() - start

    cost(1000)
    assert cost(200_000) < 1.5


def test_fields_and_variables_named_like_secrets_lose_their_value() -> None:
    value = {
        "env": [{"name": "DB_PASSWORD", "value": "x"}, {"name": "MODE", "value": "x"}, {"name": "API_TOKEN", "value": "plainword"}],
        "valueFrom": {"secretKeyRef": {"name": "db-creds", "key": "password"}},
        "stringData": {"password": "x", "clientSecret": "abc"},
        "volumes": [{"name": "creds", "secret": {"secretName": "db-creds"}}],
        "automountServiceAccountToken": True,
        "count": 3,
    }
    clean, count = redact_json(value)
    assert clean["env"] == [
        {"name": "DB_PASSWORD", "value": "[redacted:secret]"},
        {"name": "MODE", "value": "x"},
        {"name": "API_TOKEN", "value": "[redacted:secret]"},
    ]
    assert clean["stringData"] == {"password": "[redacted:secret]", "clientSecret": "[redacted:secret]"}
    assert {k: clean[k] for k in ("valueFrom", "volumes", "automountServiceAccountToken", "count")} == {
        k: value[k] for k in ("valueFrom", "volumes", "automountServiceAccountToken", "count")
    }
    assert count == 4
    assert redact_json(clean) == (clean, 0)


def test_a_secret_behind_a_terminal_colour_is_found_and_the_colour_goes() -> None:
    key = "sk-ant-" + "a1B2" * 10
    text, found = redact(f"\x1b[31m{key}\x1b[0m in red")
    assert found == 1
    assert key not in text
    assert "\x1b" not in text
