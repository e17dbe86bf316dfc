"""The program under alarm: a small HTTP server with Prometheus metrics. Version 1 behaves. Version 2 ("the deploy") keeps
every request's body, so its memory grows, and after a while its handler answers 500.

leaky_program.py PORT VERSION LOG_FILE [SECONDS_UNTIL_ERRORS]
"""

import logging
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import Counter, Histogram, generate_latest

PORT, VERSION, LOG_FILE = int(sys.argv[1]), sys.argv[2], sys.argv[3]
ERRORS_AFTER = float(sys.argv[4]) if len(sys.argv) > 4 else 8.0
STARTED = time.monotonic()
KEPT: list[bytes] = []
requests = Counter("http_requests", "Requests by code.", ["code"])
latency = Histogram("http_request_duration_seconds", "Handling time.")
logging.basicConfig(filename=LOG_FILE, level=logging.INFO, format="%(asctime)sZ %(levelname)s %(message)s", datefmt="%Y-%m-%dT%H:%M:%S")
logging.Formatter.converter = time.gmtime


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/metrics":
            self.answer(200, generate_latest())
            return
        with latency.time():
            code = self.work()
        requests.labels(code=str(code)).inc()
        self.answer(code, b"ok\n" if code == 200 else b"internal error\n")

    def work(self) -> int:
        if VERSION == "1":
            return 200
        KEPT.append(bytes(bytearray(b"x") * 400_000))
        if time.monotonic() - STARTED < ERRORS_AFTER:
            return 200
        logging.error("MemoryError: cannot allocate buffer for order batch, %d batches held", len(KEPT))
        return 500

    def answer(self, code: int, body: bytes) -> None:
        self.send_response(code)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


logging.info("version %s listening on %d", VERSION, PORT)
ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
