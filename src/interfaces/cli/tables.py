"""Tables that fit the screen: if it is too narrow, columns that tell no rows apart are left out, then the least important. What
tells whose a row is stays, shortened. No cell is wrapped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from liveorder.application.reporting.columns import Column
from liveorder.application.reporting.figures import Styled, in_short
from liveorder.interfaces.cli.screen import screen, shown

R = TypeVar("R")
_GAP = 2
"""Characters between two columns, including the divider."""
_READABLE = 8
"""Characters of a shortened name at least."""
_LEGIBLE = 40
"""Characters of a sentence at least."""
_DIVIDER = 1
"""Characters of the divider."""


def table(title: str, columns: Sequence[Column[R]], rows: Sequence[R], width: int) -> Table:
    """The table with the columns that fit into `width`. A cell that is still too long ends in an ellipsis, but for ids."""
    cells = [[styled(column.of(row)) for column in columns] for row in rows]
    kept = fitting(columns, cells, width)
    _shorten(columns, cells, kept, width)
    made = Table(
        title=shown(title, "bold"),
        title_justify="left",
        title_style="",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, _GAP - _DIVIDER, 0, 0),
    )
    has_text = any(columns[place].is_text for place in kept)
    others = sum(_needs(columns, cells, place) for place in kept if not columns[place].is_text)
    for place in kept:
        column, whole = columns[place], _needs(columns, cells, place) - _GAP
        is_whole = column.is_id or (has_text and not column.is_text)
        least = whole if is_whole and whole + _GAP <= width else None
        most = max(_READABLE, width - others) if column.is_text else None
        made.add_column(column.title, justify=column.justify, no_wrap=True, overflow="ellipsis", min_width=least, max_width=most)
    for row in cells:
        made.add_row(*(row[place] for place in kept))
    return made


def fitting(columns: Sequence[Column[R]], cells: Sequence[Sequence[Text]], width: int) -> list[int]:
    """Indexes of the columns that stay, in order. Those that tell whose a row is are counted as short as they still do."""
    alike = [len(cells) > 1 and len({row[place].plain for row in cells}) == 1 for place in range(len(columns))]
    stays = [column.rank == 0 or _tells_apart(column, cells, place) for place, column in enumerate(columns)]
    needs = [
        _least(column, cells, place) + _GAP if column.tells or column.is_text else _needs(columns, cells, place)
        for place, column in enumerate(columns)
    ]
    kept = list(range(len(columns)))
    for place in sorted(kept, key=lambda place: (stays[place], not alike[place], -columns[place].rank, -place)):
        if stays[place] or sum(needs[at] for at in kept) - _GAP <= width:
            break
        kept.remove(place)
    return kept


def _needs(columns: Sequence[Column[R]], cells: Sequence[Sequence[Text]], place: int) -> int:
    """Characters of the whole column, with its gap."""
    return max(cell_len(columns[place].title), *(cell_len(row[place].plain) for row in cells), 0) + _GAP


def _tells_apart(column: Column[R], cells: Sequence[Sequence[Text]], place: int) -> bool:
    return column.tells and len({row[place].plain for row in cells}) > 1


def _least(column: Column[R], cells: Sequence[Sequence[Text]], place: int) -> int:
    """The narrowest width at which cells that differ still do, and are still read; of sentences, how they begin."""
    if column.is_text:
        return min(_LEGIBLE, _needs([column], [[row[place]] for row in cells], 0) - _GAP)
    texts = {row[place].plain for row in cells}
    longest = max(map(len, texts), default=0)
    enough = (width for width in range(_READABLE, longest) if len({in_short(text, width) for text in texts}) == len(texts))
    return max(len(column.title), min(next(enough, longest), longest))


def _shorten(columns: Sequence[Column[R]], cells: list[list[Text]], kept: Sequence[int], width: int) -> None:
    """Shorten what tells whose a row is, the longest first, until all fits or nothing can be shortened any more."""
    least = {place: _least(columns[place], cells, place) for place in kept if columns[place].tells}
    widths = {place: _needs(columns, cells, place) - _GAP for place in kept}
    too_much = sum(widths.values()) + _GAP * (len(kept) - 1) - width
    while too_much > 0 and (longer := [place for place in least if widths[place] > least[place]]):
        widths[max(longer, key=lambda place: widths[place])] -= 1
        too_much -= 1
    for row in cells:
        for place in least:
            row[place] = Text(in_short(row[place].plain, widths[place]), row[place].style)


def print_table(title: str, columns: Sequence[Column[R]], rows: Sequence[R], if_empty: str) -> None:
    """Print the table, or one line if there are no rows."""
    console = screen()
    if rows:
        console.print(table(title, columns, rows, console.width))
        console.print()
    else:
        console.print(shown(if_empty, "dim"))


def print_pairs(title: str, pairs: Sequence[tuple[str, str]]) -> None:
    """Print names and texts side by side, with the texts wrapped. Prints nothing without pairs."""
    if not pairs:
        return
    grid = Table.grid(padding=(0, _GAP, 0, 0))
    grid.add_column(no_wrap=True)
    for name, text in pairs:
        grid.add_row(shown(name, "cyan"), shown(text))
    console = screen()
    console.print(shown(title, "bold"))
    console.print(grid)
    console.print()


def styled(text: Styled) -> Text:
    return shown(text.plain, text.style)
