"""A small database in PhysioNet's layout, served on this machine in a process of its own."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import os
import re
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

TOP = "/files/mitdb/1.0.0/"
_CHUNK = 32 * 1024
# A local transfer is over at once; so there is time to kill it.
_PAUSE_S = 0.004
# One annotation, "+" with the text "(N", as bytes of the MIT format.
_RHYTHM = bytes([5, 28 << 2, 2, 63 << 2]) + b"(N" + b"\0\0"


def make_files(names: tuple[str, ...], samples: int) -> dict[str, bytes]:
    """Return records of one lead, and the list of checksums."""
    files: dict[str, bytes] = {"RECORDS": "".join(f"{name}\n" for name in names).encode()}
    for number, name in enumerate(names):
        counts = (200 * np.sin(np.arange(samples) / 9 + number)).astype("<i2")
        header = f"{name} 1 360 {samples}\n{name}.dat 16 200/mV 16 0 0 0 0 MLII\n"
        files |= {
            f"{name}.hea": header.encode(),
            f"{name}.dat": counts.tobytes(),
            f"{name}.atr": _RHYTHM,
        }
    lines = [f"{hashlib.sha256(body).hexdigest()} {name}\n" for name, body in files.items()]
    return {**files, "SHA256SUMS.txt": "".join(lines).encode()}


@contextmanager
def serving(files: Mapping[str, bytes]) -> Iterator[str]:
    """Lend the address of a server of files, to be given as ``--mirror``."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.close(reading)
            _serve(files, writing)
        finally:
            os._exit(0)
    os.close(writing)
    try:
        with os.fdopen(reading) as pipe:
            yield f"http://127.0.0.1:{pipe.readline().strip()}/files/"
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _serve(files: Mapping[str, bytes], told: int) -> None:
    class Answers(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = files.get(self.path.removeprefix(TOP))
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            start = int(asked[1]) if asked else 0
            if body is None or (start and start >= len(body)):
                self._head(404 if body is None else 416, 0)
                return
            self._head(206 if start else 200, len(body) - start, start, len(body))
            for at in range(start, len(body), _CHUNK):
                self.wfile.write(body[at : at + _CHUNK])
                time.sleep(_PAUSE_S)

        def _head(self, code: int, length: int, start: int = 0, whole: int = 0) -> None:
            self.send_response(code)
            self.send_header("Content-Length", str(length))
            if code == 206:
                self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Quiet(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Say nothing of a client that went away, or was killed."""

    with Quiet(("127.0.0.1", 0), Answers) as server:
        os.write(told, f"{server.server_port}\n".encode())
        os.close(told)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()
