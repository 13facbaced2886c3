import asyncio
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveorder.application.ports.signal_source import Bookmarks, SignalSource, SourceMessage
from liveorder.domain.errors import InvalidInput
from liveorder.domain.signal import MAX_SIGNAL_BYTES, Signal, UnusableSignal
from liveorder.infrastructure.signals.followed_file import FollowedFile
from liveorder.infrastructure.signals.growing_file import BEGINNING, GrowingFile, end_of
from liveorder.infrastructure.signals.jsonl_file import JsonlFile
from liveorder.infrastructure.signals.lines import LineSplitter
from liveorder.infrastructure.signals.stdin import StandardInput

SKIPPED = "; if another file was there then, its lines after that byte are skipped"
WRITTEN_AT = datetime(2025, 3, 10, 3, 50, tzinfo=UTC)


class EndOfTest(Exception):
    pass


class ScriptedClock:
    """Every wait lets the next thing happen; after the last one the test ends."""

    def __init__(self, steps: Sequence[Callable[[], object]]) -> None:
        self._steps = iter(steps)

    def now(self) -> datetime:
        return WRITTEN_AT

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        assert seconds == 0.5
        step = next(self._steps, None)
        if step is None:
            raise EndOfTest
        step()


class Shelf(Bookmarks):
    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    async def checkpoint(self, name: str) -> str | None:
        return self.values.get(name)

    async def save_checkpoint(self, name: str, value: str) -> None:
        self.values[name] = value


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "signals.jsonl"


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def become_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def replaced(path: Path, content: bytes) -> None:
    path.unlink()
    write(path, content)


def append(path: Path, content: bytes) -> Callable[[], object]:
    def happen() -> None:
        with path.open("ab") as file:
            file.write(content)

    return happen


async def drained(source: SignalSource) -> list[SourceMessage]:
    return [message async for message in source.messages()]


def say_nothing(sentence: str) -> None:
    pass


async def delivered(
    path: Path,
    shelf: Shelf,
    *steps: Callable[[], object],
    acknowledge: bool = True,
    warn: Callable[[str], object] = say_nothing,
) -> list[SourceMessage]:
    """What a follower delivers while the steps happen, one at each of its waits."""
    source, seen = FollowedFile(path, shelf, ScriptedClock(steps), end_of(path), warn=warn), []
    with suppress(EndOfTest):
        async for message in source.messages():
            seen.append(message)
            if acknowledge:
                await source.acknowledge(message)
    return seen


async def followed(path: Path, shelf: Shelf, *steps: Callable[[], object], **how: Any) -> list[tuple[str, bytes]]:
    return [(message.offset, message.raw) for message in await delivered(path, shelf, *steps, **how)]


async def rest_of(source: FollowedFile) -> list[bytes]:
    """What it delivers until the test ends."""
    messages, seen = source.messages(), []
    with suppress(EndOfTest):
        while True:
            seen.append((await anext(messages)).raw)
    return seen


# --- lines --------------------------------------------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=8) | st.sampled_from([b"\n", b"\r\n", b"a\n"])))
def test_lines_do_not_depend_on_how_the_bytes_were_cut(chunks: list[bytes]) -> None:
    cut, whole = LineSplitter(), LineSplitter()
    lines = [line for chunk in chunks for line in cut.feed(chunk)] + list(cut.end())
    assert lines == [*whole.feed(b"".join(chunks)), *whole.end()]
    assert all(b"".join(chunks)[line.start : line.end].rstrip(b"\r\n") == line.content.rstrip(b"\r") for line in lines)


# --- a file -------------------------------------------------------------------------------------------------------------------


async def test_a_file_is_read_to_its_end_with_byte_offsets(path: Path) -> None:
    write(path, b"one\r\n\n  \ntwo\nthree")
    assert [(message.offset, message.raw) for message in await drained(JsonlFile(path))] == [
        ("0", b"one"),
        ("9", b"two"),
        ("13", b"three"),
    ]


async def test_an_overlong_line_is_delivered_as_unusable_and_the_next_one_is_whole(path: Path) -> None:
    write(path, b"x" * (3 * MAX_SIGNAL_BYTES) + b"\nnext\n")
    overlong, following = await drained(JsonlFile(path))
    assert len(overlong.raw) == MAX_SIGNAL_BYTES + 1
    with pytest.raises(UnusableSignal, match="too long"):
        Signal.parse(overlong.raw)
    assert (following.offset, following.raw) == (str(3 * MAX_SIGNAL_BYTES + 1), b"next")


def test_a_missing_file_is_an_error_that_names_it(path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"no file at .*signals\.jsonl"):
        JsonlFile(path)


# --- a followed file ----------------------------------------------------------------------------------------------------------


async def test_the_first_start_begins_at_the_end(path: Path, shelf: Shelf) -> None:
    write(path, b"old\n")
    assert await followed(path, shelf, append(path, b"new\n")) == [("4", b"new")]


async def test_a_line_half_written_at_the_first_start_is_read_whole(path: Path, shelf: Shelf) -> None:
    write(path, b"old\nha")
    assert await followed(path, shelf, append(path, b"lf\n")) == [("4", b"half")]


async def test_a_file_that_is_not_there_yet_is_read_from_its_beginning(path: Path, shelf: Shelf) -> None:
    assert await followed(path, shelf, append(path, b"one\n")) == [("0", b"one")]


async def test_a_restart_resumes_behind_what_was_acknowledged(path: Path, shelf: Shelf) -> None:
    write(path, b"")
    await followed(path, shelf, append(path, b"one\n"))
    append(path, b"two\n")()
    assert await followed(path, shelf) == [("4", b"two")]


async def test_what_was_not_acknowledged_comes_again(path: Path, shelf: Shelf) -> None:
    write(path, b"")
    assert await followed(path, shelf, append(path, b"one\n"), acknowledge=False) == [("0", b"one")]
    assert await followed(path, shelf) == [("0", b"one")]


async def test_what_was_written_between_an_idle_first_run_and_the_next_is_not_skipped(path: Path, shelf: Shelf) -> None:
    write(path, b"old\n")
    await followed(path, shelf)
    append(path, b"between\n")()
    assert await followed(path, shelf) == [("4", b"between")]


async def test_a_partial_last_line_waits_until_it_is_complete(path: Path, shelf: Shelf) -> None:
    assert await followed(path, shelf, append(path, b"wa"), append(path, b"it"), append(path, b"ed\n")) == [("0", b"waited")]


async def test_a_rotated_file_is_finished_and_its_successor_read_from_the_beginning(path: Path, shelf: Shelf) -> None:
    write(path, b"")

    def rotate() -> None:
        append(path, b"last\nunfinished")()
        path.rename(path.with_suffix(".1"))
        path.write_bytes(b"first of the new\n")

    assert await followed(path, shelf, append(path, b"one\n"), rotate, lambda: None) == [
        ("0", b"one"),
        ("4", b"last"),
        ("9", b"unfinished"),
        ("0", b"first of the new"),
    ]


async def test_a_file_rotated_away_waits_for_its_successor(path: Path, shelf: Shelf) -> None:
    write(path, b"")
    moved = path.with_suffix(".1")
    assert await followed(
        path, shelf, lambda: path.rename(moved), append(moved, b"late\n"), append(path, b"new\n"), lambda: None
    ) == [("0", b"late"), ("0", b"new")]


async def test_a_truncated_file_is_read_from_its_beginning(path: Path, shelf: Shelf) -> None:
    write(path, b"old\n")
    assert await followed(path, shelf, lambda: path.write_bytes(b"n\n"), lambda: None) == [("0", b"n")]


async def test_a_file_written_anew_and_longer_is_read_from_its_beginning(path: Path, shelf: Shelf) -> None:
    write(path, b"old\n")
    assert await followed(path, shelf, lambda: path.write_bytes(b"new and longer\n"), lambda: None) == [("0", b"new and longer")]


async def test_a_file_replaced_while_nobody_read_is_read_from_its_beginning(path: Path, shelf: Shelf) -> None:
    write(path, b"")
    await followed(path, shelf, append(path, b"one\n"))
    replaced(path, b"two\nthree\n")
    assert await followed(path, shelf) == [("0", b"two"), ("4", b"three")]


async def test_a_file_that_its_writer_has_not_let_go_of_is_read_until_another_holds_something(path: Path, shelf: Shelf) -> None:
    """As `logrotate` does it with `create`: the new file is there before the writer is told."""
    write(path, b"")
    moved = path.with_suffix(".1")

    def rotate() -> None:
        path.rename(moved)
        write(path, b"")

    steps = (rotate, lambda: None, append(moved, b"late\n"), append(path, b"new\n"), lambda: None)
    assert await followed(path, shelf, *steps) == [("0", b"late"), ("0", b"new")]


def point(link: Path, target: Path) -> None:
    """As a program moves it: at one stroke."""
    new = link.with_suffix(".new")
    new.symlink_to(target)
    new.replace(link)


@pytest.fixture(params=["the file", "its folder"])
def days(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path, Callable[[], None]]:
    """Two days' files, of which the first is not empty, the path that leads to one of them, and what moves it to the second."""
    for day in ("day1", "day2"):
        (tmp_path / day).mkdir()
        write(tmp_path / day / "signals", b"old\n" if day == "day1" else b"")
    name, link = ("signals", "current") if request.param == "the file" else ("", "current/signals")
    point(tmp_path / "current", tmp_path / "day1" / name)
    return tmp_path / link, tmp_path / "day2" / "signals", lambda: point(tmp_path / "current", tmp_path / "day2" / name)


Days = tuple[Path, Path, Callable[[], None]]


async def test_a_link_that_moved_under_a_service_that_went_down_loses_nothing(days: Days, shelf: Shelf) -> None:
    link, second, move = days
    assert await followed(link, shelf, move, append(second, b"one\n"), lambda: None) == [("0", b"one")]
    append(second, b"two\n")()
    assert await followed(link, shelf) == [("4", b"two")]


async def test_a_link_that_moved_while_nobody_read_is_read_from_its_beginning_and_says_what_nobody_will_read(
    days: Days, shelf: Shelf
) -> None:
    link, second, move = days
    await followed(link, shelf)
    move()
    append(second, b"one\n")()
    said = await FollowedFile(link, shelf, ScriptedClock([]), end_of(link)).settle()
    assert said == "from its beginning: the content before byte 4, where it was left, is not what was read" + SKIPPED
    assert await followed(link, shelf) == [("0", b"one")]


async def test_a_link_of_which_an_earlier_version_kept_the_place_goes_on_there(days: Days, shelf: Shelf) -> None:
    """It named a source by what the link led to."""
    link, second, move = days
    append(link, b"passed over\nunread\n")()
    before = hashlib.sha256(b"old\npassed over\n").hexdigest()
    shelf.values[f"signal_source:follow:{link.resolve()}"] = f"16 {before}"
    assert await followed(link, shelf, move, append(second, b"one\n"), lambda: None) == [("16", b"unread"), ("0", b"one")]
    append(second, b"two\n")()
    assert await followed(link, shelf) == [("4", b"two")]


def test_a_source_has_one_name_wherever_its_link_leads_and_however_its_path_is_written(
    days: Days, shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link, _, move = days
    monkeypatch.chdir(tmp_path)
    written = [link, link.relative_to(tmp_path), Path("day1/..") / link.relative_to(tmp_path)]
    names = {FollowedFile(path, shelf, ScriptedClock([]), None).name for path in written}
    move()
    names.add(FollowedFile(link, shelf, ScriptedClock([]), None).name)
    assert names == {f"follow:{link}"}


TEMPLATE = '{{"signal_id":"{name}","metadata":"{filler}"}}\n'
FILLERS = {"short": 80, "longer than a page": 5000, "longer than is read at once": 60_000}
in_every_length = pytest.mark.parametrize("filler", FILLERS.values(), ids=FILLERS.keys())


def from_template(filler: int, *names: str) -> bytes:
    """Lines of one length and one end, as a program writes them."""
    return "".join(TEMPLATE.format(name=name, filler="x" * filler) for name in names).encode()


def names_in(taken: list[tuple[str, bytes]]) -> list[str]:
    return [json.loads(raw)["signal_id"] for _, raw in taken]


def cut_and_written_anew(path: Path, content: bytes) -> None:
    with path.open("r+b") as file:
        file.truncate(0)
        file.write(content)


@in_every_length
@pytest.mark.parametrize("appear", [replaced, cut_and_written_anew])
@pytest.mark.parametrize("changed", [(0, 1, 2), (0,), (1,), (2,)])
async def test_lines_from_one_template_in_place_of_others_while_nobody_read_are_all_read(
    path: Path, shelf: Shelf, filler: int, appear: Callable[[Path, bytes], None], changed: tuple[int, ...]
) -> None:
    await followed(path, shelf, append(path, from_template(filler, "mon0", "mon1", "mon2")))
    tuesday = [f"tue{n}" if n in changed else f"mon{n}" for n in range(3)] + ["tue3"]
    appear(path, from_template(filler, *tuesday))
    assert names_in(await followed(path, shelf)) == tuesday


@in_every_length
@pytest.mark.parametrize("changed", [(0, 1, 2), (0,), (2,)])
@pytest.mark.parametrize("is_longer", [False, True])
async def test_lines_from_one_template_written_over_others_between_two_looks_are_all_read(
    path: Path, shelf: Shelf, filler: int, changed: tuple[int, ...], is_longer: bool
) -> None:
    tuesday = [f"tue{n}" if n in changed else f"mon{n}" for n in range(3)] + ["tue3"] * is_longer
    taken = await followed(
        path,
        shelf,
        append(path, from_template(filler, "mon0", "mon1", "mon2")),
        lambda: cut_and_written_anew(path, from_template(filler, *tuesday)),
        lambda: None,
    )
    assert names_in(taken) == ["mon0", "mon1", "mon2", *tuesday]


@in_every_length
async def test_lines_written_over_others_while_they_are_delivered_are_all_read(path: Path, shelf: Shelf, filler: int) -> None:
    """Between two readings of one look: the second reading finds other bytes than the first one left."""
    write(path, b"")
    clock = ScriptedClock([append(path, from_template(filler, *(f"mon{n}" for n in range(3)))), lambda: None, lambda: None])
    source, seen = FollowedFile(path, shelf, clock, end_of(path)), []
    tuesday = [f"tue{n}" for n in range(5)]
    with suppress(EndOfTest):
        async for message in source.messages():
            seen.append((message.offset, message.raw))
            if len(seen) == 1:
                cut_and_written_anew(path, from_template(filler, *tuesday))
    assert names_in(seen)[-5:] == tuesday


async def test_a_file_with_the_same_lines_goes_on_where_it_was_left_wherever_it_is_stored(path: Path, shelf: Shelf) -> None:
    """Lines that were passed over must not be traded because the file was copied back or its disk has another number."""
    write(path, from_template(80, "passed over"))
    await followed(path, shelf, append(path, from_template(80, "taken")))
    replaced(path, from_template(80, "passed over", "taken", "new"))
    assert names_in(await followed(path, shelf)) == ["new"]


async def test_a_copy_that_takes_the_place_of_a_file_under_a_running_service_goes_on_where_it_was(path: Path, shelf: Shelf) -> None:
    """As `rsync` and editors write: lines that were passed over must not be traded, nor a line torn that grew from copy to copy."""
    old, taken = from_template(80, "passed over"), from_template(80, "taken")
    write(path, old)
    steps = (
        lambda: replaced(path, old + taken + b'{"signal_id":'),
        lambda: replaced(path, old + taken + b'{"signal_id":"grown"}\n'),
        lambda: replaced(path, old + taken + b'{"signal_id":"grown"}\n' + from_template(80, "new")),
        lambda: None,
    )
    assert names_in(await followed(path, shelf, *steps)) == ["taken", "grown", "new"]


def removed(path: Path, content: bytes) -> None:
    """As a copy by hand begins: for one look there is nothing."""
    path.unlink()


def emptied_and_removed(path: Path, content: bytes) -> None:
    """What was read is nowhere any more."""
    write(path, b"")
    path.unlink()


def nothing() -> None:
    pass


def cut_at(content: bytes, *ends: int) -> list[bytes]:
    return [content[start:end] for start, end in zip((0, *ends), (*ends, len(content)), strict=True)]


in_every_manner = pytest.mark.parametrize("appear", [replaced, cut_and_written_anew, removed, emptied_and_removed])


@in_every_length
@in_every_manner
@pytest.mark.parametrize("is_torn", [False, True])
async def test_a_copy_that_appears_slowly_is_read_on_behind_what_was_read(
    path: Path, shelf: Shelf, filler: int, appear: Callable[[Path, bytes], None], is_torn: bool
) -> None:
    """`cp` after `rm`, `mv` from another file system, an editor that cuts and writes: passed over stays passed over."""
    old = from_template(filler, "old0", "old1", "old2")
    torn, completed = (b'{"signal_id":', b'"torn"}\n') if is_torn else (b"", b"")
    line = len(old) // 3
    first, second, third, last = cut_at(old + torn, 7, line, 2 * line + 9)
    write(path, old)
    taken = await followed(
        path,
        shelf,
        append(path, torn),
        lambda: appear(path, b""),
        append(path, first),
        append(path, second),
        nothing,
        append(path, third),
        append(path, last),
        append(path, completed),
        append(path, from_template(filler, "new")),
        nothing,
    )
    assert names_in(taken) == ["torn"] * is_torn + ["new"]


@in_every_length
@in_every_manner
async def test_a_file_that_begins_as_what_was_read_and_then_differs_is_read_from_its_beginning(
    path: Path, shelf: Shelf, filler: int, appear: Callable[[Path, bytes], None]
) -> None:
    """The next line of a file of the next day, torn where it is the same as that of the day before."""
    old, new = from_template(filler, "mon0", "mon1", "mon2"), from_template(filler, "tue0")
    write(path, old)
    steps = (append(path, b"torn"), lambda: appear(path, b""), append(path, new[:18]), append(path, new[18:]), nothing)
    taken = await followed(path, shelf, *steps)
    assert taken == [(str(len(old)), b"torn"), ("0", new.rstrip())]


@in_every_length
async def test_a_shorter_file_that_differs_anywhere_from_the_one_it_replaces_is_read_from_its_beginning(
    path: Path, shelf: Shelf, filler: int
) -> None:
    write(path, from_template(filler, "a", "b", "c", "d"))
    taken = await followed(path, shelf, lambda: replaced(path, from_template(filler, "a", "b", "x")), nothing)
    assert names_in(taken) == ["a", "b", "x"]


@in_every_manner
async def test_a_file_cut_for_good_is_waited_for_with_one_word_of_why_and_loses_no_new_line(
    path: Path, shelf: Shelf, appear: Callable[[Path, bytes], None]
) -> None:
    old, new = from_template(80, "a", "b", "c"), from_template(80, "new")
    line, told = len(old) // 3, list[str]()
    write(path, old)
    steps = (
        lambda: appear(path, b""),
        append(path, old[:line]),
        nothing,
        append(path, old[line : 2 * line]),
        nothing,
        lambda: path.with_suffix(".told").write_text("\n".join(told)),
        append(path, new),
        nothing,
    )
    taken = await followed(path, shelf, *steps, warn=told.append)
    assert names_in(taken) == ["a", "b", "new"], "as it differs now"
    assert path.with_suffix(".told").read_text() == "\n".join(told), "told while it waited"
    (sentence,) = told
    assert sentence == (
        f"follow:{path} waits: the file there holds only the first {line} of the {len(old)} bytes that were read, like a copy that "
        "is still being written; reading continues after them, or from the beginning once it differs, or after a restart"
    )


async def test_an_empty_file_is_waited_for_without_a_word(path: Path, shelf: Shelf) -> None:
    """As `copytruncate` leaves it, every night."""
    told: list[str] = []
    write(path, b"old\n")
    steps = (lambda: cut_and_written_anew(path, b""), nothing, append(path, b"new\n"), nothing)
    assert await followed(path, shelf, *steps, warn=told.append) == [("0", b"new")]
    assert told == []


async def test_a_copy_that_is_broken_off_and_begun_again_is_read_on_behind(path: Path, shelf: Shelf) -> None:
    old = from_template(80, "a", "b")
    write(path, old)
    broken_off = (lambda: replaced(path, old[:99]), path.unlink, nothing)
    steps = (*broken_off, append(path, old[:50]), append(path, old[50:] + b"new\n"), nothing)
    assert await followed(path, shelf, *steps) == [(str(len(old)), b"new")]


async def test_a_file_that_is_waited_for_is_read_again_only_when_it_was_written(
    path: Path, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = from_template(80, "a", "b")
    write(path, old)
    refuse = partial(monkeypatch.setattr, GrowingFile, "_read_to", lambda *_: pytest.fail("read again"))
    steps = (lambda: replaced(path, old[:99]), refuse, nothing, monkeypatch.undo, append(path, old[99:] + b"new\n"), nothing)
    assert await followed(path, shelf, *steps) == [(str(len(old)), b"new")]


async def test_a_restart_while_a_copy_appears_keeps_the_place_and_reads_what_is_still_too_short_from_its_beginning(
    path: Path, shelf: Shelf
) -> None:
    """A bookmark cannot tell a start of what was read from the short file of a new day, whose lines must not wait."""
    old = from_template(80, "a", "b")
    write(path, old)
    assert await followed(path, shelf, lambda: replaced(path, old[:150]), nothing) == []
    said = await FollowedFile(path, shelf, ScriptedClock([]), None).settle()
    where = f"the content before byte {len(old)}, where it was left, is not what was read"
    assert said == f"from its beginning: {where}{SKIPPED}"
    append(path, old[150:] + b"new\n")()
    assert await followed(path, shelf) == [(str(len(old)), b"new")]


async def test_a_torn_line_that_is_all_of_a_file_is_delivered_when_another_file_takes_its_place(path: Path, shelf: Shelf) -> None:
    steps = (append(path, b"torn"), lambda: replaced(path, b"new\n"), lambda: None)
    assert await followed(path, shelf, *steps) == [("0", b"torn"), ("0", b"new")]


async def test_a_start_says_where_it_reads_a_file_that_is_not_the_one_it_left(path: Path, shelf: Shelf) -> None:
    write(path, from_template(80, "a"))
    left = path.stat().st_size  # noqa: ASYNC240 - a small file of the test's own
    await followed(path, shelf)
    assert await FollowedFile(path, shelf, ScriptedClock([]), None).settle() == f"from byte {left}, where it was left"
    replaced(path, from_template(80, "b", "c"))
    said = await FollowedFile(path, shelf, ScriptedClock([]), None).settle()
    assert said == f"from its beginning: the content before byte {left}, where it was left, is not what was read{SKIPPED}"
    assert await FollowedFile(path, shelf, ScriptedClock([]), None).settle() == said, "as nothing of the other file was taken yet"
    path.unlink()  # noqa: ASYNC240 - a small file of the test's own
    said = await FollowedFile(path, shelf, ScriptedClock([]), None).settle()
    assert said == f"from byte {left}, where it was left, once it can be read{SKIPPED}"


async def test_a_start_says_that_it_cannot_know_a_file_of_which_nothing_was_read(path: Path, shelf: Shelf) -> None:
    """A service that was killed before it took anything, and a file that was renamed meanwhile."""
    write(path, b"")
    await followed(path, shelf)
    append(path, b"one\n")()
    replaced(path, b"two\n")
    said = await FollowedFile(path, shelf, ScriptedClock([]), None).settle()
    assert said == "from byte 0, where it was left" + SKIPPED


async def test_what_takes_the_place_of_a_file_while_a_service_stands_by_is_read_whole_and_said(path: Path, shelf: Shelf) -> None:
    write(path, b"old\nolder\n")
    source = FollowedFile(path, shelf, ScriptedClock([]), end_of(path))
    replaced(path, b"one\ntwo\nthree\n")
    said = await source.settle()
    where = "its end when this process first looked"
    assert said == f"from its beginning: the content before byte 10, {where}, is not what was there{SKIPPED}"
    assert await rest_of(source) == [b"one", b"two", b"three"]


async def test_a_settled_source_reads_nothing_again_while_others_trade(
    path: Path, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is before its place is hashed whole."""
    write(path, b"old\n")
    source = FollowedFile(path, shelf, ScriptedClock([append(path, b"new\n")]), end_of(path))
    await source.settle()
    monkeypatch.setattr(GrowingFile, "_read_to", lambda *_: pytest.fail("read again"))
    assert await rest_of(source) == [b"new"]


def descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def test_a_file_that_fails_while_it_is_opened_is_closed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(path, b"old\n")
    kept = descriptors()
    monkeypatch.setattr(GrowingFile, "_read_to", lambda *_: os.lseek(-1, 0, 0))
    assert end_of(path) is None
    assert descriptors() == kept


async def test_the_bookmark_of_an_earlier_version_is_understood_and_stored_anew(path: Path, shelf: Shelf) -> None:
    """It was the first 16 hexadecimal digits of the SHA-256 of the last 64 bytes."""
    content = from_template(80, "old")
    write(path, content)
    name, proof = f"signal_source:follow:{path}", hashlib.sha256(content[-64:]).hexdigest()[:16]
    shelf.values[name] = f"{len(content)} {proof}"
    assert await followed(path, shelf) == []
    assert shelf.values == {name: f"{len(content)} {hashlib.sha256(content).hexdigest()}"}
    replaced(path, from_template(80, "new", "too"))
    assert names_in(await followed(path, shelf)) == ["new", "too"]


@pytest.mark.parametrize("left", [b"another file with a line that is long enough to be told apart\n", b"x" * 500 + b"\n"])
async def test_the_bookmark_of_an_earlier_version_in_another_file_is_not_kept(path: Path, shelf: Shelf, left: bytes) -> None:
    name = f"signal_source:follow:{path}"
    shelf.values[name] = f"{len(left)} {hashlib.sha256(left[-64:]).hexdigest()[:16]}"
    write(path, from_template(80, "new"))
    assert names_in(await followed(path, shelf, acknowledge=False)) == ["new"]
    assert shelf.values[name] == str(BEGINNING)


async def test_a_file_that_cannot_be_opened_ends_the_first_start_and_is_waited_for_afterwards(path: Path, shelf: Shelf) -> None:
    write(path, b"old\n")
    await followed(path, shelf)
    become_a_folder(path)

    def become_a_file() -> None:
        path.rmdir()
        write(path, b"old\nnew\n")

    assert await followed(path, shelf, become_a_file, lambda: None) == [("4", b"new")]
    become_a_folder(path)
    with pytest.raises(InvalidInput, match="cannot be read"):
        await followed(path, Shelf())


async def test_a_failing_disk_is_waited_out(path: Path, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    write(path, b"")

    def broken(*_: object) -> bytes:
        raise OSError("input/output error")

    def break_disk() -> None:
        append(path, b"one\n")()
        monkeypatch.setattr(os, "pread", broken)
        monkeypatch.setattr(GrowingFile, "_read", lambda file: b"")

    assert await followed(path, shelf, break_disk, lambda: None, monkeypatch.undo, lambda: None) == [("0", b"one")]


async def test_a_line_counts_as_published_when_the_file_was_last_written(path: Path, shelf: Shelf) -> None:
    await shelf.save_checkpoint(f"signal_source:follow:{path}", "0 e3b0c44298fc1c14")
    write(path, b"one\n")
    os.utime(path, (WRITTEN_AT.timestamp(), WRITTEN_AT.timestamp()))
    assert [message.published_at for message in await delivered(path, shelf)] == [WRITTEN_AT]


# --- standard input -----------------------------------------------------------------------------------------------------------


async def test_piped_lines_are_delivered_as_they_come_and_the_end_ends_it() -> None:
    reading, writing = os.pipe()
    messages = StandardInput(reading).messages()
    os.write(writing, b"one\ntw")
    assert (await anext(messages)).raw == b"one"
    waiting = asyncio.ensure_future(anext(messages))
    await asyncio.sleep(0)
    assert not waiting.done()
    os.write(writing, b"o\nthree")
    assert (await waiting).offset == "4"
    os.close(writing)
    assert [message.raw async for message in messages] == [b"three"]
    os.close(reading)


async def test_waiting_for_input_can_be_cancelled() -> None:
    reading, writing = os.pipe()
    waiting = asyncio.ensure_future(anext(StandardInput(reading).messages()))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    os.close(reading)
    os.close(writing)


async def test_a_file_as_standard_input_is_read_to_its_end(path: Path) -> None:
    write(path, b"one\ntwo\n")
    descriptor = os.open(path, os.O_RDONLY)
    assert [message.raw for message in await drained(StandardInput(descriptor))] == [b"one", b"two"]
    os.close(descriptor)


# --- one JSON document --------------------------------------------------------------------------------------------------------

LIST = [{"signal_id": name, "symbol": "SPY", "side": "BUY", "quantity": 1} for name in ("a", "b", "c")]
ONE_A_LINE = ",\n".join(json.dumps(signal) for signal in LIST)
DOCUMENTS = {
    "one a line": f"[\n{ONE_A_LINE}\n]\n",
    "opened with the first": f"[{ONE_A_LINE}]",
    "indented": json.dumps(LIST, indent=2),
    "after blank lines": f"\n  \n [ \r\n{ONE_A_LINE}\n]",
    "after a byte order mark": f"\ufeff[\n{ONE_A_LINE}\n]",
    "in an object": f'{{"signals": [\n{ONE_A_LINE}\n]}}',
    "in a list of lists": f"[[\n{ONE_A_LINE}\n]]",
}
"""Each has lines that are good signals by themselves, but for the indented one."""
in_every_form = pytest.mark.parametrize("text", DOCUMENTS.values(), ids=DOCUMENTS.keys())


async def test_a_list_on_one_line_is_refused_whole_too(path: Path) -> None:
    write(path, json.dumps(LIST).encode())
    with pytest.raises(InvalidInput, match="write one object per line"):
        JsonlFile(path)


@in_every_form
async def test_a_file_that_is_one_document_is_refused_whole(path: Path, text: str) -> None:
    write(path, text.encode())
    with pytest.raises(InvalidInput, match=r"signals: .*signals\.jsonl is one JSON document, .*; write one object per line"):
        JsonlFile(path)


@in_every_form
async def test_one_document_on_standard_input_is_refused_whole(path: Path, text: str) -> None:
    write(path, text.encode())
    descriptor = os.open(path, os.O_RDONLY)
    with pytest.raises(InvalidInput, match=r"signals: standard input is one JSON document, .*; write one object per line"):
        await anext(StandardInput(descriptor).messages())
    os.close(descriptor)


@in_every_form
async def test_a_followed_file_that_is_one_document_ends_the_first_start(path: Path, shelf: Shelf, text: str) -> None:
    write(path, text.encode())
    with pytest.raises(InvalidInput, match="is one JSON document"):
        await followed(path, shelf, append(path, b"\n" + json.dumps(LIST[0]).encode() + b"\n"))
    assert shelf.values == {}


@in_every_form
async def test_of_a_followed_file_that_becomes_one_document_nothing_is_taken_until_another_takes_its_place(
    path: Path, shelf: Shelf, text: str
) -> None:
    """Its first line is delivered: it becomes a dead letter, which is an alert."""
    good = json.dumps(LIST[0]).encode()
    raws = [
        raw
        for _, raw in await followed(
            path,
            shelf,
            append(path, text.encode()),
            append(path, b"\n" + good + b"\n"),
            lambda: replaced(path, good + b"\n"),
            lambda: None,
        )
    ]
    assert [raw == good for raw in raws] == [False, True]
    with pytest.raises(UnusableSignal):
        Signal.parse(raws[0])


async def test_after_a_restart_the_rest_of_a_document_is_passed_over_still(path: Path, shelf: Shelf) -> None:
    await followed(path, shelf, append(path, f"[\n{ONE_A_LINE}\n".encode()))
    assert await followed(path, shelf, append(path, json.dumps(LIST[0]).encode() + b"\n")) == []


async def test_a_list_on_the_first_line_of_a_followed_file_is_one_line_that_cannot_be_used(path: Path, shelf: Shelf) -> None:
    good = json.dumps(LIST[0]).encode()
    taken = await followed(path, shelf, append(path, json.dumps(LIST).encode() + b"\n" + good + b"\n"))
    assert [raw for _, raw in taken] == [json.dumps(LIST).encode(), good]
    with pytest.raises(UnusableSignal, match="write a list as JSON Lines"):
        Signal.parse(taken[0][1])


@pytest.mark.parametrize("first", [b"{", b"{not json", b"[INFO] started", b'"text"', b"[1, 2]", b'{"signal_id":"torn","sym'])
async def test_a_first_line_that_only_cannot_be_used_keeps_nothing_else_from_being_read(
    path: Path, shelf: Shelf, first: bytes
) -> None:
    good = json.dumps(LIST[0]).encode()
    write(path, first + b"\n" + good + b"\n")
    assert [message.raw for message in await drained(JsonlFile(path))] == [first, good]
    shelf.values[f"signal_source:follow:{path}"] = str(BEGINNING)
    assert [raw for _, raw in await followed(path, shelf)] == [first, good]


# --- signals made by a source -------------------------------------------------------------------------------------------------


def test_a_source_may_deliver_signals_it_made_itself() -> None:
    signal = Signal(signal_id="s1", symbol="SPY", side="BUY", quantity=1)
    assert Signal.parse(SourceMessage("mine", "1", signal).raw) == signal
