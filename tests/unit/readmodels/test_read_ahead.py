import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

import pytest

from liveorder.application.reporting.projector import read_ahead
from liveorder.domain.events import RecordedEvent
from tests.builders import SENT, recorded

PAGES = [recorded([SENT], after) for after in range(3)]


class Source:
    """Three pages, or what is told to come instead of one."""

    def __init__(self, broken_at: int | None = None) -> None:
        self.asked = 0
        self.is_closed = False
        self._broken_at = broken_at

    async def pages(self) -> AsyncIterator[Sequence[RecordedEvent]]:
        try:
            for number, page in enumerate(PAGES):
                self.asked += 1
                await asyncio.sleep(0)
                if number == self._broken_at:
                    raise ConnectionError("gone")
                yield page
        finally:
            self.is_closed = True


async def test_the_pages_come_in_order_and_end() -> None:
    assert [page async for page in read_ahead(Source().pages())] == PAGES


async def test_the_next_page_is_on_its_way_while_one_is_worked_on() -> None:
    source = Source()
    async with aclosing(read_ahead(source.pages())) as pages:
        await anext(pages)
        await asyncio.sleep(0)
        assert source.asked == 2


async def test_leaving_early_stops_the_reading() -> None:
    source = Source()
    async with aclosing(read_ahead(source.pages())) as pages:
        await anext(pages)
    assert source.is_closed


async def test_an_error_comes_after_the_pages_before_it() -> None:
    pages = read_ahead(Source(broken_at=2).pages())
    assert [await anext(pages), await anext(pages)] == PAGES[:2]
    with pytest.raises(ConnectionError, match="gone"):
        await anext(pages)
