from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ecglens.batch.folder import UNFINISHED, ResultsFolder
from ecglens.batch.locks import FolderLock
from ecglens.errors import OutputError
from ecglens.files import write_text
from tests.cli.collection import files_in

KEY = {"model": "m", "hop_s": 5}


def fill(folder: ResultsFolder, name: str = "r", *, text: str = "x", kind: str = "csv") -> None:
    with folder.staged(name) as made:
        (made / "summary.json").write_text(json.dumps({"made_from": KEY, "text": text}))
        (made / "episodes.csv").write_text(text)
        (made / f"windows.{kind}").write_text(text)


def test_a_finished_recording_is_found_by_what_it_was_made_from(tmp_path: Path) -> None:
    with ResultsFolder(tmp_path / "deep" / "out") as folder:
        assert folder.kept("r", KEY) is None
        fill(folder)
        assert folder.kept("r", KEY) == {"made_from": KEY, "text": "x"}
        assert folder.kept("r", {**KEY, "hop_s": 10}) is None
        assert folder.kept("other", KEY) is None
    assert files_in(tmp_path) == [
        f"deep/out/r/{name}" for name in ("episodes.csv", "summary.json", "windows.csv")
    ]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"made_from": 3}'])
def test_a_summary_that_is_damaged_is_none(tmp_path: Path, text: str) -> None:
    with ResultsFolder(tmp_path) as folder:
        fill(folder)
        (tmp_path / "r" / "summary.json").write_text(text)
        assert folder.kept("r", KEY) is None


def test_files_are_replaced_and_what_is_the_users_stays(tmp_path: Path) -> None:
    with ResultsFolder(tmp_path) as folder:
        fill(folder)
        (tmp_path / "r" / "my notes.txt").write_text("mine")
        fill(folder, text="y", kind="parquet")
    assert sorted(path.name for path in (tmp_path / "r").iterdir()) == [
        "episodes.csv", "my notes.txt", "summary.json", "windows.parquet",
    ]  # fmt: skip
    assert (tmp_path / "r" / "episodes.csv").read_text() == "y"


def test_while_files_move_there_is_no_summary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, bool]] = []
    replace = Path.replace

    def watched(path: Path, target: Path) -> Path:
        seen.append((path.name, (tmp_path / "r" / "summary.json").exists()))
        return replace(path, target)

    with ResultsFolder(tmp_path) as folder:
        fill(folder)
        monkeypatch.setattr(Path, "replace", watched)
        fill(folder)
    assert [name for name, _ in seen][-1] == "summary.json"
    assert len(seen) == 3
    assert not any(there for _, there in seen)


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    with ResultsFolder(tmp_path) as folder:
        fill(folder)
        with pytest.raises(OutputError, match="cannot write"), folder.staged("r") as made:
            write_text(made / "none" / "episodes.csv", "half")
        assert folder.kept("r", KEY) is not None
    assert (tmp_path / "r" / "episodes.csv").read_text() == "x"
    assert not (tmp_path / UNFINISHED).exists()


def test_errors_name_the_folder_that_the_person_knows(tmp_path: Path) -> None:
    (tmp_path / "r").write_text("in the way")
    with ResultsFolder(tmp_path) as folder:
        with pytest.raises(OutputError, match=f"cannot make folder {tmp_path / 'r'}"):
            fill(folder)
        with (
            pytest.raises(OutputError, match=f"^cannot write {tmp_path / 's' / 'e.csv'}: full"),
            folder.staged("s") as made,
        ):
            raise OutputError(f"cannot write {made / 'e.csv'}: full")
        with (
            pytest.raises(OutputError, match=f"^cannot write {tmp_path / 't'}: No such file"),
            folder.staged_file("t"),
        ):
            pass


def test_a_place_that_takes_no_folder() -> None:
    if not Path("/proc/self").is_dir():
        pytest.skip("needs /proc, where nobody can make a folder")
    with pytest.raises(OutputError, match="cannot"), ResultsFolder(Path("/proc/self/out")):
        pass
    with pytest.raises(OutputError, match="cannot"), ResultsFolder(Path("/proc/self")):
        pass


def test_one_file_at_the_top(tmp_path: Path) -> None:
    with ResultsFolder(tmp_path) as folder, folder.staged_file("records.csv") as path:
        path.write_text("whole")
        assert not (tmp_path / "records.csv").exists()
    assert files_in(tmp_path) == ["records.csv"]


def test_what_was_judged_stays_until_it_is_cleared(tmp_path: Path) -> None:
    with ResultsFolder(tmp_path) as folder:
        journal = folder.journal("r", "key")
        journal.folder.mkdir(parents=True)
        (journal.folder / "0-0.json").write_text("kept")
    assert files_in(tmp_path) == [f"{UNFINISHED}/judged/r/0-0.json"]
    with ResultsFolder(tmp_path) as folder:
        folder.journal("r", "key").clear()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such locks")
class TestOtherProcesses:
    """What a dead process left goes; what a living one is making stays."""

    def left_behind(self, top: Path) -> Path:
        path = top / UNFINISHED / "run-dead" / "r" / "episodes.csv"
        path.parent.mkdir(parents=True)
        path.write_text("half")
        return path

    def test_alone(self, tmp_path: Path) -> None:
        left = self.left_behind(tmp_path)
        with ResultsFolder(tmp_path):
            assert not left.exists()
        assert list(tmp_path.iterdir()) == []

    def test_beside_another(self, tmp_path: Path) -> None:
        with ResultsFolder(tmp_path) as folder:
            left = self.left_behind(tmp_path)
            code = (
                "import sys; from pathlib import Path\n"
                "from ecglens.batch.folder import ResultsFolder\n"
                "with ResultsFolder(Path(sys.argv[1])): pass"
            )
            subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, timeout=300)
            assert left.exists()
            fill(folder)
        assert not left.exists()
        assert (tmp_path / "r" / "summary.json").exists()

    def test_locks(self, tmp_path: Path) -> None:
        with FolderLock(tmp_path) as one, FolderLock(tmp_path) as other:
            assert one.is_alone()
            assert not other.is_alone()
            one.share()
            other.share()
            assert not one.is_alone()
        with FolderLock(tmp_path) as again:
            assert again.is_alone()

    def test_a_folder_without_locks(self, tmp_path: Path) -> None:
        with FolderLock(tmp_path / "none") as lock:
            lock.share()
            lock.wait()
            assert not lock.is_alone()
