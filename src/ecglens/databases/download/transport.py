"""HTTP that waits, tries again and says what is wrong."""

from __future__ import annotations

import email.utils
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from urllib.parse import urlsplit

import requests
import urllib3

from ecglens.errors import FetchError

CHUNK = 1 << 16
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server.

    Attributes:
        connect_s: for a connection, in seconds.
        read_s: for the next bytes, in seconds.
        attempts: in a row that bring no byte; then it is given up.
        first_wait_s: before the second attempt in seconds, doubled before each further one.
        longest_wait_s: before any attempt in seconds, also where the server asks for more.
    """

    connect_s: float = 10.0
    read_s: float = 30.0
    attempts: int = 6
    first_wait_s: float = 1.0
    longest_wait_s: float = 120.0


class Stopped(Exception):  # noqa: N818 - no error: the work is called off
    """The download was called off from another thread."""


class UnreachableError(FetchError):
    """No answer came at all, so that further files need not be tried."""


class _Passing(Exception):  # noqa: N818 - never leaves this module but as a FetchError
    """An attempt failed in a way that another one may not."""

    def __init__(self, error: FetchError, wait_s: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.wait_s = wait_s


class Transport:
    """Requests with time limits, attempts and courtesy; usable from several threads.

    Proxies are those of the environment (``HTTPS_PROXY``, ``NO_PROXY``).

    Args:
        patience: how long to wait.
    """

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self._local = threading.local()
        self._stop = threading.Event()
        self._open: set[requests.Response] = set()
        self._sessions: list[requests.Session] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Transport:
        return self

    def __exit__(self, *_: object) -> None:
        for session in self._sessions:
            session.close()

    def stop(self) -> None:
        """Let every thread give up at once with :class:`Stopped`."""
        self._stop.set()
        with self._lock:
            for response in self._open:
                with suppress(Exception):  # an older urllib3 lets a thread wait out its limit
                    response.raw.shutdown()

    def attempts(self) -> Attempts:
        """Return a counter of attempts at one file."""
        return Attempts(self.patience, self._stop)

    def get(
        self,
        url: str,
        limit: int,
        *,
        first: int | None = None,
        report: Callable[[int], None] | None = None,
    ) -> bytes:
        """Return a short file as a whole, or the first bytes of a file.

        Args:
            url: of the file.
            limit: bytes that it may have.
            first: how many bytes are wanted; all by default.
            report: called with how many bytes are here.

        Raises:
            FetchError: it cannot be had, or has over ``limit`` bytes.
        """
        attempts = self.attempts()
        while True:
            with attempts.one(), self.open(url, stop=first) as response:
                body = bytearray()
                for chunk in self.chunks(response, url):
                    body += chunk
                    if len(body) > limit:
                        raise FetchError(f"{url} has over {limit} bytes; check the address")
                    if report is not None:
                        report(len(body))
                    if first is not None and len(body) >= first:
                        break
                return bytes(body[:first])

    def size(self, url: str) -> int | None:
        """Return the size of a file in bytes, None where the server does not say.

        Raises:
            FetchError: the server does not have it, or does not answer.
        """
        attempts = self.attempts()
        while True:
            with attempts.one(), self.open(url, method="HEAD") as response:
                length = response.headers.get("Content-Length", "")
                return int(length) if length.isdecimal() else None

    @contextmanager
    def open(
        self, url: str, start: int = 0, method: str = "GET", *, stop: int | None = None
    ) -> Iterator[requests.Response]:
        """Ask for the bytes [start, stop) of a file; the answer is 200, or 206 or 416 to a part.

        Raises:
            FetchError: the server refuses or does not have it.
        """
        # What arrives is counted, so it must be the bytes of the file.
        headers = {"Accept-Encoding": "identity"}
        partly = start > 0 or stop is not None
        if partly:
            headers["Range"] = f"bytes={start}-{'' if stop is None else stop - 1}"
        limits = (self.patience.connect_s, self.patience.read_s)
        try:
            response = self._session().request(
                method, url, headers=headers, timeout=limits, stream=True, allow_redirects=True
            )
        except requests.RequestException as error:
            self._check_stop()
            raise _failed(error, url) from error
        with self._lock:
            self._open.add(response)
        try:
            _check(response, url, partly=partly)
            yield response
        finally:
            with self._lock:
                self._open.discard(response)
            response.close()

    def chunks(self, response: requests.Response, url: str) -> Iterator[bytes]:
        """Yield the bytes of an answer as they arrive, all of them before a break is raised."""
        while True:
            try:
                # requests' own iterator loses what came after its last full chunk.
                chunk = response.raw.read1(CHUNK, decode_content=True)
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
                self._check_stop()
                raise _failed(error, url) from error
            if not chunk:
                self._check_stop()  # which ends an answer too
                return
            yield chunk
            self._check_stop()

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise Stopped

    def _session(self) -> requests.Session:
        if not hasattr(self._local, "session"):
            session = requests.Session()
            session.headers["User-Agent"] = "ecglens/" + version("ecglens")
            self._local.session = session
            with self._lock:
                self._sessions.append(session)
        found: requests.Session = self._local.session
        return found


class Attempts:
    """Attempts at one file: waits between them, and gives up when several bring nothing."""

    def __init__(self, patience: Patience, stop: threading.Event) -> None:
        self._patience = patience
        self._stop = stop
        self._in_vain = 0

    def gained(self) -> None:
        """Note that bytes came, so that attempts count anew."""
        self._in_vain = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Make one attempt; a passing failure is waited out, then the block simply ends.

        Raises:
            FetchError: it failed for good, or too often in a row.
            Stopped: it was called off.
        """
        if self._stop.is_set():
            raise Stopped
        try:
            yield
        except _Passing as failure:
            self._in_vain += 1
            if self._in_vain >= self._patience.attempts:
                raise failure.error from failure
            usual_s = self._patience.first_wait_s * 2 ** (self._in_vain - 1)
            wait_s = max(usual_s, failure.wait_s or 0.0)
            if self._stop.wait(min(wait_s, self._patience.longest_wait_s)):
                raise Stopped from failure


def _check(response: requests.Response, url: str, *, partly: bool) -> None:
    """Raise for answers that are not the file, passing ones as :class:`_Passing`."""
    if url.startswith("https:") and not response.url.startswith("https:"):
        raise FetchError(f"{url} leads to {response.url}, which is not encrypted; not followed")
    status = response.status_code
    if status == 200 or (partly and status in (206, 416)):
        return
    said = f"the server answers {url} with {status} {response.reason}"
    if status in _PASSING:
        raise _Passing(FetchError(f"{said}; try again later"), _asked_wait(response))
    if status in (401, 403):
        raise FetchError(f"{said}: it may ask for an account or refuse this network; see its page")
    if status in (404, 410):
        raise FetchError(f"{said}: the file is not there; check version and address")
    raise FetchError(f"{said}; check the address")


def _asked_wait(response: requests.Response) -> float | None:
    """Return the seconds that the server asks to wait, as a number or a date."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    with suppress(ValueError, TypeError):
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    return None


def _failed(error: Exception, url: str) -> Exception:
    """Return what to raise for an answer that did not come, or not whole."""
    host = urlsplit(url).hostname
    if isinstance(error, requests.exceptions.ProxyError):
        return _Passing(
            UnreachableError(f"no answer from the proxy for {host}; check HTTPS_PROXY and NO_PROXY")
        )
    if isinstance(error, requests.exceptions.SSLError):
        return UnreachableError(f"{host} cannot prove who it is ({_last_words(error)}); not used")
    if isinstance(error, requests.exceptions.Timeout | urllib3.exceptions.ReadTimeoutError):
        return _Passing(UnreachableError(f"{host} does not answer in time; try again later"))
    if isinstance(error, requests.exceptions.ConnectionError):
        return _Passing(
            UnreachableError(
                f"no connection to {host} ({_last_words(error)}): this machine may be offline or "
                "behind a proxy (set HTTPS_PROXY); a copy nearby can be named as mirror"
            )
        )
    if isinstance(error, urllib3.exceptions.HTTPError | OSError) and not isinstance(
        error, requests.RequestException
    ):
        return _Passing(FetchError(f"{url} breaks off; try again later"))
    return FetchError(f"{url} cannot be fetched: {_last_words(error)}; check the address")


def _last_words(error: BaseException) -> str:
    """Return the innermost reason, which is what a person can act on."""
    inner: BaseException = error
    while True:
        reason = getattr(inner, "reason", None) or next(
            (arg for arg in inner.args if isinstance(arg, BaseException)), None
        )
        if not isinstance(reason, BaseException):
            break
        inner = reason
    said = getattr(inner, "strerror", None) or str(inner)
    return said.rpartition(": ")[2] or type(inner).__name__
