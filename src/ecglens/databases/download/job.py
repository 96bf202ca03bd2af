"""A database, or some records of it, into a folder."""

from __future__ import annotations

import concurrent.futures
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ecglens.databases.catalogue import Database, find_database
from ecglens.databases.download.excerpts import MAX_MINUTES, fetch_excerpt, is_excerpt
from ecglens.databases.download.ledger import Ledger, locked
from ecglens.databases.download.names import Places, parse_sums
from ecglens.databases.download.plan import Plan, make_plan
from ecglens.databases.download.progress import Meter, Progress
from ecglens.databases.download.transfer import fetch_file, hash_file, occupied
from ecglens.databases.download.transport import Patience, Transport, UnreachableError
from ecglens.databases.holdings import data_folder
from ecglens.errors import FetchError, OutputError, UsageError
from ecglens.files import make_folder, write_atomically
from ecglens.threads import thread_pool

SUMS = "SHA256SUMS.txt"
MAX_SUMS_BYTES = 64 * 2**20  # PTB-XL's has 9 MB
MAX_JOBS = 4  # PhysioNet is run for everybody
_SAVE_EVERY_S = 5.0


@dataclass(frozen=True)
class Fetched:
    """What a download left.

    Attributes:
        database: its entry.
        folder: of its files.
        records: names of the records that are whole.
        n_files: files that are whole and wanted, however they came.
        n_fetched: files that were fetched now.
    """

    database: Database
    folder: Path
    records: tuple[str, ...]
    n_files: int
    n_fetched: int


def fetch_database(
    source: str | Path | Database,
    folder: str | Path | None = None,
    *,
    records: Sequence[str] | None = None,
    minutes: float | None = None,
    mirror: str | None = None,
    jobs: int = 3,
    refresh: bool = False,
    replace: bool = False,
    progress: Callable[[Progress], None] | None = None,
    notice: Callable[[str], None] = lambda _: None,
    patience: Patience | None = None,
) -> Fetched:
    """Fetch a database, or some of its records, and check every file.

    A file is under its name only when its SHA-256 is the one that the server lists; what is
    unfinished has a hidden name and goes on from there the next time. Files that are there and
    right are not fetched, whoever put them there. Once the list is here, a run that finds all
    files in place needs no network.

    Args:
        source: name of the database, or TOML file of one.
        folder: gets a folder of the database's name; :func:`data_folder` by default.
        records: names of the records wanted, at least one; all by default.
        minutes: only the start of each record, into a folder such as ``mitdb-first-10-min``; a
            part of a signal file has no checksum.
        mirror: address that has the databases as ``https://physionet.org/files/`` has them.
        jobs: files at once, 1 to 4.
        refresh: ask the server for its list again, for new editions.
        replace: put the server's files in the place of others of the same name, and of those
            that were changed here; with ``minutes`` fetch all again.
        progress: called while bytes arrive.
        notice: called with what a person should know.
        patience: how long to wait for the server.

    Raises:
        UsageError: no such database or record, or an impossible value.
        FetchError: files cannot be had or are not what their checksums say; all others are whole.
        OutputError: the folder cannot be written, or has other files of the same names, or files
            that were changed since they were fetched.
    """
    database = find_database(source)
    _check_wishes(records, minutes, jobs)
    base = base_address(database, mirror)
    name = database.name if minutes is None else f"{database.name}-first-{minutes:g}-min"
    root = make_folder((data_folder() if folder is None else Path(folder)) / name)
    with Transport(patience or Patience()) as transport, locked(root, notice) as writable:
        job = _Job(database, base, root, transport, notice, writable=writable)
        return job.run(
            records,
            minutes=minutes,
            jobs=jobs,
            refresh=refresh,
            replace=replace,
            progress=progress,
        )


def _check_wishes(records: Sequence[str] | None, minutes: float | None, jobs: int) -> None:
    if not 1 <= jobs <= MAX_JOBS:
        raise UsageError(f"jobs must be from 1 to {MAX_JOBS}, got {jobs}")
    if records is not None and not len(records):
        raise UsageError("records (--records) names none; name some, or leave it out to get all")
    if minutes is not None and not 0.1 <= minutes <= MAX_MINUTES:
        raise UsageError(f"minutes must be from 0.1 to {MAX_MINUTES:g}, got {minutes:g}")


def base_address(database: Database, mirror: str | None) -> str:
    """Return the address of a database's files, with a slash at the end.

    Raises:
        UsageError: ``mirror`` is no address.
    """
    if mirror is None:
        return database.address
    if not mirror.startswith(("https://", "http://")) or any(c in mirror for c in " ?#"):
        raise UsageError(
            f"mirror {mirror!r} is no address; give one like https://example.org/files/"
        )
    parts = [mirror.rstrip("/"), database.name, database.version]
    return "/".join(part for part in parts if part) + "/"


class _Job:
    def __init__(
        self,
        database: Database,
        base: str,
        root: Path,
        transport: Transport,
        notice: Callable[[str], None],
        *,
        writable: bool,
    ) -> None:
        self._database = database
        self._base = base
        self._root = root
        self._transport = transport
        self._notice = notice
        self._writable = writable
        self._ledger = Ledger(root, database.version)

    def run(
        self,
        records: Sequence[str] | None,
        *,
        minutes: float | None,
        jobs: int,
        refresh: bool,
        replace: bool,
        progress: Callable[[Progress], None] | None,
    ) -> Fetched:
        sums = self._sums(refresh=refresh)
        plan = make_plan(self._database, sums, records)
        found = Places(self._root)
        places = {name: found.of(name) for name in plan.names}
        whole = list(plan.names if minutes is None else plan.others)
        try:
            missing = self._missing(whole, sums, places, replace=replace)
            for folder in {place.parent for place in places.values()}:
                make_folder(folder)
            self._fetch(missing, sums, places, jobs, progress, replace=replace)
            if minutes is not None:
                missing += self._fetch_excerpts(
                    plan, sums, places, minutes, jobs, progress, replace=replace
                )
        finally:
            self._save()
        return Fetched(
            self._database, self._root, tuple(plan.records), len(plan.names), len(missing)
        )

    def _sums(self, *, refresh: bool) -> dict[str, str]:
        """Return the server's list: the one that is here, or a fetched one."""
        path, url = self._root / SUMS, self._base + SUMS
        here = path.is_file() and not path.is_symlink()
        if here and self._ledger.is_known and not refresh:
            return parse_sums(_read(path), str(path))
        try:
            body = self._transport.get(url, MAX_SUMS_BYTES)
        except UnreachableError as error:
            if not here or refresh:
                raise
            self._notice(f"{error}; the list in {path} is used")
            return parse_sums(_read(path), str(path))
        sums = parse_sums(body.decode("utf-8", "replace"), url)
        if self._writable and not (here and path.read_bytes() == body):
            write_atomically(path, lambda file: file.write(body))
        return sums

    def _missing(
        self, names: list[str], sums: dict[str, str], places: dict[str, Path], *, replace: bool
    ) -> list[str]:
        """Return the files that are not here, after a check of those that are."""
        return [
            name
            for name in names
            if not self._is_here(name, sums[name], places[name], replace=replace)
        ]

    def _is_here(self, name: str, sha256: str, place: Path, *, replace: bool) -> bool:
        """Tell whether a file is here and right; if not, it may be fetched.

        Raises:
            OutputError: it is neither the server's, nor as it was fetched, nor cut since.
        """
        if not place.exists():
            return False
        if self._ledger.is_checked(name, sha256):
            return True
        found, known = hash_file(place), self._ledger.known(name)
        if found in (sha256, known):
            self._ledger.add(name, found)
            return found == sha256
        if not replace and not self._ledger.is_cut(name):
            raise occupied(place, changed=known is not None)
        return False

    def _fetch(
        self,
        names: list[str],
        sums: dict[str, str],
        places: dict[str, Path],
        jobs: int,
        progress: Callable[[Progress], None] | None,
        *,
        replace: bool,
    ) -> None:
        meter = Meter(names, progress)

        def fetch(name: str) -> None:
            fetch_file(
                self._transport,
                self._base + name,
                places[name],
                sums[name],
                spare=not (replace or self._ledger.is_untouched(name)),
                expect=lambda size: meter.expect(name, size),
                report=lambda n_bytes: meter.set(name, n_bytes),
            )
            meter.set(name, places[name].stat().st_size, whole=True)
            self._ledger.add(name, sums[name])

        self._in_parallel(fetch, names, jobs, "files")

    def _fetch_excerpts(
        self,
        plan: Plan,
        sums: dict[str, str],
        places: dict[str, Path],
        minutes: float,
        jobs: int,
        progress: Callable[[Progress], None] | None,
        *,
        replace: bool,
    ) -> list[str]:
        """Fetch the start of records that are not here, and return the names of their files."""
        records = [
            record
            for record, names in plan.records.items()
            if replace or not self._has_excerpt(names, sums, places, minutes)
        ]
        meter = Meter(records, progress)

        def fetch(record: str) -> None:
            here = 0

            def report(n_bytes: int) -> None:
                nonlocal here
                here = n_bytes
                meter.set(record, n_bytes)

            names = plan.records[record]
            spare = [n for n in names if not (replace or self._ledger.is_untouched(n))]
            fetch_excerpt(self._transport, self._base, names, sums, places, spare, minutes, report)
            self._take_down(names, sums)
            meter.set(record, here, whole=True)

        self._in_parallel(fetch, records, jobs, "records")
        return [name for record in records for name in plan.records[record]]

    def _has_excerpt(
        self,
        names: tuple[str, ...],
        sums: dict[str, str],
        places: dict[str, Path],
        minutes: float,
    ) -> bool:
        """Tell whether the start of a record is here, cut from the files that the list has now."""
        if all(self._ledger.is_checked(name, sums[name]) for name in names):
            return True
        is_older = any(self._ledger.known(name) not in (None, sums[name]) for name in names)
        if is_older or not is_excerpt(names, sums, places, minutes):
            return False
        self._take_down(names, sums)
        return True

    def _take_down(self, names: tuple[str, ...], sums: dict[str, str]) -> None:
        """Let the ledger know from which files of the server those of an excerpt were cut."""
        for name in names:
            self._ledger.add(name, sums[name])

    def _in_parallel(
        self, fetch: Callable[[str], None], names: list[str], jobs: int, what: str
    ) -> None:
        """Fetch some at once; what concerns one of them does not keep the others.

        Raises:
            FetchError: some could not be had; all others are whole.
        """
        failed: list[FetchError] = []
        left, saved_s = iter(names), time.monotonic()
        running: set[concurrent.futures.Future[None]] = set()
        with thread_pool(jobs) as pool:
            try:
                while True:
                    for name in itertools.islice(left, 2 * jobs - len(running)):
                        running.add(pool.submit(fetch, name))
                    if not running:
                        break
                    # On some systems Ctrl-C is only heard between two waits.
                    done, running = concurrent.futures.wait(
                        running, timeout=0.5, return_when=concurrent.futures.FIRST_COMPLETED
                    )
                    failed += filter(None, map(_error_of_one_file, done))
                    if time.monotonic() - saved_s > _SAVE_EVERY_S:
                        self._save()
                        saved_s = time.monotonic()
            except BaseException:
                self._transport.stop()
                pool.shutdown(cancel_futures=True)
                raise
        if failed:
            rest = f"; so it is with {len(failed) - 1} further {what}" if len(failed) > 1 else ""
            raise FetchError(
                f"{len(failed)} of {len(names)} {what} of {self._database.name} are not here: "
                f"{failed[0]}{rest}; all others are whole, and the same command goes on from here"
            )

    def _save(self) -> None:
        if self._writable:
            self._ledger.save()


def _error_of_one_file(future: concurrent.futures.Future[None]) -> FetchError | None:
    """Return what went wrong with one file; raise what concerns all of them."""
    error = future.exception()
    if error is None:
        return None
    if isinstance(error, FetchError) and not isinstance(error, UnreachableError):
        return error
    raise error


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror or error}") from error
