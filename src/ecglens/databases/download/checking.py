"""Whether the catalogue says of a database what its server says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from ecglens.databases.catalogue import Database
from ecglens.databases.download.job import MAX_JOBS, MAX_SUMS_BYTES, SUMS, base_address
from ecglens.databases.download.names import parse_sums
from ecglens.databases.download.plan import Plan, make_plan
from ecglens.databases.download.transport import Patience, Transport
from ecglens.errors import FetchError
from ecglens.threads import thread_pool

# A request for each signal file; PTB-XL has 21,799.
_MAX_SIZES = 200
_SIGNALS = frozenset({".dat", ".mat"})


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: what, whether it is as the catalogue says, and in words."""

    what: str
    good: bool
    words: str


def check_database(
    database: Database, *, mirror: str | None = None, patience: Patience | None = None
) -> list[Finding]:
    """Compare an entry with its server: address, list of checksums, records, tables and size.

    Args:
        database: the entry.
        mirror: address that has the databases as ``https://physionet.org/files/`` has them.
        patience: how long to wait for the server.

    Raises:
        UsageError: ``mirror`` is no address.
    """
    base = base_address(database, mirror)
    with Transport(patience or Patience()) as transport:
        try:
            raw = transport.get(base + SUMS, MAX_SUMS_BYTES)
            sums = parse_sums(raw.decode("utf-8", "replace"), base + SUMS)
            plan = make_plan(database, sums)
        except FetchError as error:
            return [Finding("address", False, str(error))]
        found = [Finding("address", True, f"{base}{SUMS} lists {len(sums)} files")]
        found += [_records(database, sums, plan), _files(database, plan)]
        if database.signal_mb:
            found.append(_size(database, plan, transport, base))
    return found


def _records(database: Database, sums: Mapping[str, str], plan: Plan) -> Finding:
    names = {PurePosixPath(record).name for record in plan.records}
    names |= {record for record in database.no_signal if f"{record}.hea" in sums}
    if database.records and names != set(database.records):
        more, less = sorted(names - set(database.records)), sorted(set(database.records) - names)
        return Finding(
            "records",
            False,
            f"the server has {', '.join(more) or 'none'} beyond the catalogue's, and not "
            f"{', '.join(less) or 'any'}",
        )
    good = database.n_records in (0, len(names))
    return Finding("records", good, f"{len(names)}, the catalogue says {database.n_records or '?'}")


def _files(database: Database, plan: Plan) -> Finding:
    """Look for the annotations and tables without which nothing can be labelled."""
    without = [
        record for record, files in plan.records.items() if len(files) < len(database.endings)
    ]
    tables = database.table.files if database.table else ()
    if tables and not set(tables) & set(plan.others):
        return Finding("files", False, f"the server lists no {tables[0]}")
    said = f"{len(without)} records, such as {without[0]}, lack one of" if without else "all with"
    return Finding("files", not without, f"{said} .{', .'.join(database.endings)}")


def _size(database: Database, plan: Plan, transport: Transport, base: str) -> Finding:
    signals = [name for name in plan.names if PurePosixPath(name).suffix in _SIGNALS]
    if len(signals) > _MAX_SIZES:
        return Finding("size", True, f"not looked at: {len(signals)} signal files are too many")
    with thread_pool(MAX_JOBS) as pool:
        try:
            sizes = list(pool.map(lambda name: transport.size(base + name), signals))
        except FetchError as error:
            return Finding("size", False, str(error))
        except BaseException:
            transport.stop()
            raise
    if None in sizes:
        return Finding("size", True, "the server does not say")
    mb = sum(size for size in sizes if size is not None) / 1e6
    good = abs(mb - database.signal_mb) <= 0.02 * database.signal_mb
    return Finding("size", good, f"{mb:.1f} MB, the catalogue says {database.signal_mb:g} MB")
