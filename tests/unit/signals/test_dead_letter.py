from hypothesis import given
from hypothesis import strategies as st

from liveorder.domain.dead_letter import MAX_LINE_LENGTH, SignalDeadLettered, dead_letter_id, shown_line


def test_a_dead_letter_is_the_same_when_the_source_is_read_again() -> None:
    assert dead_letter_id("file:a", "0", b"{") == dead_letter_id("file:a", "0", b"{")
    others = {dead_letter_id("file:b", "0", b"{"), dead_letter_id("file:a", "1", b"{"), dead_letter_id("file:a", "0", b"}")}
    assert len(others - {dead_letter_id("file:a", "0", b"{")}) == 3


def test_the_line_of_a_dead_letter_is_safe_to_show() -> None:
    assert shown_line(b"a\nb\x00\xff \xe2\x80\xae") == r"a\nb\x00\xff \u202e"


@given(st.binary() | st.binary(min_size=1, max_size=8).map(lambda part: part * 10_000))
def test_whatever_the_bytes_the_shown_line_is_printable_and_short(raw: bytes) -> None:
    line = shown_line(raw)
    assert line.isprintable()
    assert len(line) <= MAX_LINE_LENGTH


def test_a_dead_letter_survives_storage() -> None:
    letter = SignalDeadLettered(source="stdin", offset="0", line="{", reason="not JSON", signal_id="s1")
    assert SignalDeadLettered.from_json(letter.to_json()) == letter
