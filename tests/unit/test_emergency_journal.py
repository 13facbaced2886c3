"""What is written down beside the store is read again, whatever became of the file; or it is said that it may not be all."""

from __future__ import annotations

import io
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from liveorder.application.ports.emergency_journal import JournalledCancel, JournalledHalt
from liveorder.infrastructure.emergency_journal import FileEmergencyJournal
from liveorder.infrastructure.private_files import open_private

NOW = datetime(2026, 11, 29, tzinfo=UTC)
CANCEL = JournalledCancel(uuid4(), "KEY-c1", "REQUESTED", "person:ann", NOW)
HALT = JournalledHalt("größte Not", "person:bob", NOW)
NOBODY = 65534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "orders.db-emergency.jsonl"


@pytest.fixture
def journal(path: Path) -> FileEmergencyJournal:
    return FileEmergencyJournal(path)


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file of this process grows beyond it: a disk that is full."""
    before, ignored = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def test_what_is_written_is_read_and_no_trouble(journal: FileEmergencyJournal) -> None:
    assert (journal.read(), journal.trouble()) == ([], None)
    assert journal.write(CANCEL)
    assert journal.write(HALT)
    assert (journal.read(), journal.trouble()) == ([CANCEL, HALT], None)
    journal.clear([CANCEL, HALT])
    assert (journal.read(), journal.trouble()) == ([], None)


def test_a_line_behind_a_cut_one_is_read_and_the_cut_one_is_told(journal: FileEmergencyJournal, path: Path) -> None:
    assert journal.write(CANCEL)
    with room_for(path.stat().st_size + 40):
        assert not journal.write(CANCEL)
    assert journal.write(HALT)
    assert journal.read() == [CANCEL, HALT]
    assert str(path) in (journal.trouble() or "")


def test_no_place_left_to_write_to_raises_nothing(
    journal: FileEmergencyJournal, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.mkdir()
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr("sys.stderr", closed)
    assert not journal.write(CANCEL)


def test_wherever_a_line_is_cut_what_stands_before_it_is_read(journal: FileEmergencyJournal, path: Path) -> None:
    journal.write(CANCEL)
    whole = path.stat().st_size
    journal.write(HALT)
    written = path.read_bytes()
    for size in range(whole, len(written) + 1):
        path.write_bytes(written[:size])
        entries, is_told = journal.read(), journal.trouble() is not None
        assert entries[0] == CANCEL
        is_begun = size > whole + 1
        assert is_told == (is_begun and entries[1:] != [HALT])


def test_what_is_no_line_of_ours_is_told(journal: FileEmergencyJournal, path: Path) -> None:
    for text in (b"\0\0\0\0", b'{"detail": "of a later version"}\n', b"\xff\n"):
        path.write_bytes(text)
        assert journal.read() == []
        assert journal.trouble() is not None


def test_a_file_that_cannot_be_read_is_told(journal: FileEmergencyJournal, path: Path) -> None:
    path.mkdir()
    assert journal.read() == []
    assert "Is a directory" in (journal.trouble() or "")


def test_what_cannot_be_read_is_not_cleared(journal: FileEmergencyJournal, path: Path) -> None:
    journal.write(CANCEL)
    path.write_bytes(path.read_bytes() + b'{"detail"')
    journal.clear([CANCEL])
    assert journal.trouble() is not None


def test_the_journal_of_an_earlier_version_is_told_until_it_is_moved_away(tmp_path: Path, path: Path) -> None:
    former = tmp_path / "orders.emergency.jsonl"
    journal = FileEmergencyJournal(path, former)
    FileEmergencyJournal(former).write(HALT)
    assert str(former) in (journal.trouble() or "")
    former.unlink()
    assert journal.trouble() is None


def test_what_was_not_booked_is_not_cleared(journal: FileEmergencyJournal) -> None:
    journal.write(CANCEL)
    journal.write(HALT)
    journal.clear([CANCEL])
    journal.write(CANCEL)
    assert journal.read() == [CANCEL, HALT, CANCEL]


def test_an_entry_of_a_process_that_had_the_file_open_when_it_was_cleared_is_kept(
    journal: FileEmergencyJournal, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.write(CANCEL)
    cleared = iter([True])

    def clears_meanwhile(*args: Any, **kwargs: Any) -> Any:
        file = open_private(*args, **kwargs)
        if next(cleared, False):
            journal.clear(journal.read())
        return file

    monkeypatch.setattr("liveorder.infrastructure.emergency_journal.open_private", clears_meanwhile)
    assert FileEmergencyJournal(path).write(HALT)
    assert journal.read() == [HALT]


def test_what_was_set_aside_by_a_process_that_died_is_read(journal: FileEmergencyJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(path: Path, missing_ok: bool = False) -> None:
        raise KeyboardInterrupt

    journal.write(HALT)
    with monkeypatch.context() as dying:
        dying.setattr(Path, "unlink", dies)
        with pytest.raises(KeyboardInterrupt):
            journal.clear([HALT])
    journal.write(CANCEL)
    assert journal.read() == [HALT, CANCEL]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_file_that_root_makes_is_of_the_one_who_owns_the_folder(journal: FileEmergencyJournal, path: Path) -> None:
    os.chown(path.parent, NOBODY, NOBODY)
    assert journal.write(HALT)
    assert path.stat().st_uid == NOBODY


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_that_is_there_already_is_not_given_away(journal: FileEmergencyJournal, path: Path) -> None:
    """It may be a second name of a file that is not the folder's owner's to read."""
    path.touch()
    os.chown(path.parent, NOBODY, NOBODY)
    assert journal.write(HALT)
    assert path.stat().st_uid == 0
