"""Files that are their owner's alone."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from liveorder.infrastructure.private_files import make_empty_file, make_folder, open_private


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize("how", ["ab", "a+b", "a", "x", "xb", "w"])
def test_a_file_is_private_whatever_the_umask(tmp_path: Path, how: str) -> None:
    with open_private(tmp_path / "file", how):
        assert mode_of(tmp_path / "file") == 0o600


@pytest.mark.usefixtures("umask")
def test_every_folder_that_is_made_is_private(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert [mode_of(tmp_path / "a"), mode_of(tmp_path / "a" / "b")] == [0o700, 0o700]


def test_what_is_there_already_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "file").write_text("kept")
    (tmp_path / "file").chmod(0o644)
    open_private(tmp_path / "file", "ab").close()
    make_empty_file(tmp_path / "file")
    make_folder(tmp_path)
    assert (mode_of(tmp_path / "file"), mode_of(tmp_path), (tmp_path / "file").read_text()) == (0o644, 0o755, "kept")


@pytest.mark.parametrize("how", ["ab", "a+b", "a", "w"])
@pytest.mark.parametrize("is_dangling", [True, False])
def test_a_symbolic_link_is_refused_and_its_target_left_alone(tmp_path: Path, how: str, is_dangling: bool) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    if not is_dangling:
        target.write_text("not ours")
    link.symlink_to(target)
    with pytest.raises(OSError, match="symbolic link"):
        open_private(link, how)
    assert target.exists() is not is_dangling
    assert is_dangling or target.read_text() == "not ours"


def test_a_linked_folder_may_hold_files(tmp_path: Path) -> None:
    """Where a disk is mounted is its owner's choice."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "logs").symlink_to(tmp_path / "disk")
    make_folder(tmp_path / "logs")
    open_private(tmp_path / "logs" / "file", "ab").close()
    assert (tmp_path / "disk" / "file").exists()


@pytest.mark.usefixtures("umask")
def test_an_empty_file_leaves_nothing_beside_it(tmp_path: Path) -> None:
    make_empty_file(tmp_path / "file")
    make_empty_file(tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert mode_of(tmp_path / "file") == 0o600


_WANTS_IT = """
import sqlite3, sys
try:
    sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None).execute("BEGIN IMMEDIATE")
except sqlite3.OperationalError as error:
    print(error)
"""


def test_a_file_that_sqlite_has_open_keeps_its_locks(tmp_path: Path) -> None:
    """They go with the first descriptor of the file that this process closes."""
    path = tmp_path / "file.db"
    make_empty_file(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        make_empty_file(path)
        other = subprocess.run([sys.executable, "-c", _WANTS_IT, str(path)], capture_output=True, text=True, check=True)
    assert "database is locked" in other.stdout


def test_sqlite_gives_its_log_and_index_the_mode_of_the_file(tmp_path: Path) -> None:
    path, before = tmp_path / "file.db", os.umask(0)
    try:
        make_empty_file(path)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("CREATE TABLE t (x)")
            assert {item.name: mode_of(item) for item in tmp_path.iterdir()} == {
                f"file.db{ending}": 0o600 for ending in ("", "-wal", "-shm")
            }
    finally:
        os.umask(before)
