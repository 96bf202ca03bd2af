"""A server in PhysioNet's layout on this machine, with faults on demand."""

from __future__ import annotations

import hashlib
import http.server
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

Handler = http.server.BaseHTTPRequestHandler
Fault = Callable[[Handler, bytes], None]


@dataclass
class Server:
    """Files by their path, what to do wrong with the next requests, and what was asked."""

    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, list[Fault]] = field(default_factory=lambda: defaultdict(list))
    asked: list[tuple[str, int]] = field(default_factory=list)
    ranges: bool = True
    sent: int = 0
    url: str = ""

    def add(self, database: str, version: str, files: dict[str, bytes]) -> None:
        """Serve files with their checksums; files of the same names are replaced."""
        top = f"/files/{database}/{version}/"
        self.files |= {top + name: body for name, body in files.items()}
        self.list_sums(database, version)

    def list_sums(self, database: str, version: str) -> None:
        top = f"/files/{database}/{version}/"
        names = [n.removeprefix(top) for n in self.files if n.startswith(top)]
        lines = [
            f"{hashlib.sha256(self.files[top + name]).hexdigest()} {name}"
            for name in sorted(names)
            if name != "SHA256SUMS.txt"
        ]
        self.files[f"{top}SHA256SUMS.txt"] = ("\n".join(lines) + "\n").encode()

    def starts(self, name: str) -> list[int]:
        """Return from which bytes a file was asked for."""
        return [start for path, start in self.asked if path.endswith(f"/{name}")]


def status(code: int, **headers: str) -> Fault:
    def answer(handler: Handler, _body: bytes) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def cut(n_bytes: int) -> Fault:
    """Promise the whole file and break off after some bytes."""

    def answer(handler: Handler, body: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[:n_bytes])
        handler.close_connection = True

    return answer


def slow(seconds: float) -> Fault:
    """Send nothing for a while."""

    def answer(handler: Handler, _body: bytes) -> None:
        time.sleep(seconds)
        handler.close_connection = True

    return answer


def instead(body: bytes) -> Fault:
    """Send another file."""

    def answer(handler: Handler, _body: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def trickle(n_bytes: int, then: Callable[[], Any]) -> Fault:
    """Send some bytes, call, and send no more until the other side goes."""

    def answer(handler: Handler, body: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[:n_bytes])
        handler.wfile.flush()
        then()
        handler.connection.settimeout(600)
        handler.connection.recv(1)
        handler.close_connection = True

    return answer


@contextmanager
def serving() -> Iterator[Server]:
    served = Server()

    class Answers(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            body = served.files.get(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()

        def do_GET(self) -> None:
            asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            start = int(asked[1]) if asked else 0
            stop = int(asked[2]) + 1 if asked and asked[2] else None
            served.asked.append((self.path, start))
            body = served.files.get(self.path)
            if served.faults[self.path]:
                served.faults[self.path].pop(0)(self, body or b"")
            elif body is None:
                status(404)(self, b"")
            elif start and served.ranges and start >= len(body):
                status(416)(self, b"")
            else:
                self._send(body, start, stop) if served.ranges else self._send(body, 0, None)

        def _send(self, body: bytes, start: int, stop: int | None) -> None:
            piece = body[start:stop]
            self.send_response(206 if start or stop else 200)
            self.send_header("Content-Length", str(len(piece)))
            if start or stop:
                last = start + len(piece) - 1
                self.send_header("Content-Range", f"bytes {start}-{last}/{len(body)}")
            self.end_headers()
            served.sent += len(piece)
            self.wfile.write(piece)

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:  # the other side went away
            pass

    with Quiet(("127.0.0.1", 0), Answers) as server:
        served.url = f"http://127.0.0.1:{server.server_port}/files/"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()
