"""The folder of results: what is finished under its name, what is not out of sight."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ecglens.batch.locks import FolderLock
from ecglens.errors import OutputError
from ecglens.files import make_folder
from ecglens.prediction import Journal
from ecglens.reports.predictions import SUMMARY

MADE_FROM = "made_from"
UNFINISHED = ".ecglens-unfinished"
_RUN = "run-"
_JUDGED = "judged"


class ResultsFolder:
    """A folder that several processes may write results to at a time.

    A recording's files are made out of sight and moved to its folder when all are whole; of two
    processes that finish the same recording, the files are all of the one that came last. What a
    killed process left half made is removed when no other process uses the folder.

    Args:
        top: made where missing.

    Raises:
        OutputError: on entering, it cannot be made or written.
    """

    def __init__(self, top: Path) -> None:
        self.top = top
        self._hidden = top / UNFINISHED
        self._lock = FolderLock(top)

    def __enter__(self) -> Self:
        make_folder(self.top)
        self._lock.__enter__()
        try:
            if self._lock.is_alone():
                self._tidy()
            self._lock.share()
            make_folder(self._hidden)
            self._run = Path(tempfile.mkdtemp(prefix=_RUN, dir=self._hidden))
        except OSError as error:
            self._lock.__exit__(None, None, None)
            raise _cannot_write(self.top, error) from error
        except OutputError:
            self._lock.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        shutil.rmtree(self._run, ignore_errors=True)
        if self._lock.is_alone():
            self._tidy()
        self._lock.__exit__(kind, error, trace)

    def journal(self, name: str, key: str) -> Journal:
        """Return where the windows of a recording are kept that were judged already."""
        return Journal(self._hidden / _JUDGED / name, key)

    def kept(self, name: str, made_from: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the summary in a recording's folder if that is whole and was made from this."""
        found = self._summary(name)
        return found if found is not None and found.get(MADE_FROM) == made_from else None

    def made_from(self, name: str) -> dict[str, Any]:
        """Return what a recording's folder was made from, nothing where it does not say so."""
        made_from = (self._summary(name) or {}).get(MADE_FROM)
        return made_from if isinstance(made_from, dict) else {}

    def _summary(self, name: str) -> dict[str, Any] | None:
        try:
            found = json.loads((self.top / name / SUMMARY).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    @contextmanager
    def staged(self, name: str) -> Iterator[Path]:
        """Lend an empty folder; what is made in it becomes the recording's folder.

        Raises:
            OutputError: the files cannot be made or moved.
        """
        made = self._run / name
        place = self.top / name
        try:
            made.mkdir()
            yield made
            self._place(made, make_folder(place))
        except OSError as error:
            raise _cannot_write(place, error) from error
        except OutputError as error:
            # The person knows the folder, not the hidden one.
            raise OutputError(str(error).replace(str(made), str(place))) from error
        finally:
            shutil.rmtree(made, ignore_errors=True)

    @contextmanager
    def staged_file(self, name: str) -> Iterator[Path]:
        """Lend a path; the file that is made there is moved to the top.

        Raises:
            OutputError: it cannot be made or moved.
        """
        made, place = self._run / name, self.top / name
        try:
            yield made
            made.replace(place)
        except OSError as error:
            raise _cannot_write(place, error) from error
        except OutputError as error:
            raise OutputError(str(error).replace(str(made), str(place))) from error

    def _place(self, made: Path, place: Path) -> None:
        """Move files to their folder, the summary away first and back last."""
        files = sorted(made.iterdir(), key=lambda path: path.name == SUMMARY)
        with FolderLock(place) as lock:
            lock.wait()
            (place / SUMMARY).unlink(missing_ok=True)
            for name in _others_of(files):
                (place / name).unlink(missing_ok=True)
            for path in files:
                path.replace(place / path.name)

    def _tidy(self) -> None:
        """Remove what dead processes left half made, and folders that are empty."""
        for path in self._hidden.glob(f"{_RUN}*"):
            shutil.rmtree(path, ignore_errors=True)
        judged = self._hidden / _JUDGED
        for path in (*judged.glob("*"), judged, self._hidden):
            with contextlib.suppress(OSError):
                path.rmdir()


def _others_of(files: list[Path]) -> set[str]:
    """Return the names of tables that an earlier run may have written in the other format."""
    tables = {f"windows.{ending}" for ending in ("csv", "parquet")}
    names = {path.name for path in files}
    return tables - names if tables & names else set()


def _cannot_write(path: Path, error: OSError) -> OutputError:
    reason = error.strerror or str(error)
    return OutputError(f"cannot write {path}: {reason}; choose another place")
