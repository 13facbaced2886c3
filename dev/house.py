"""Measure the house: levels and imports of the rooms, an order's walk through them, names with two meanings, the worst idioms.

``python dev/house.py`` prints each figure beside its aim. Where the aim is not met yet, it fails above what has been reached.
"""

from __future__ import annotations

import ast
import asyncio
import re
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import grimp

from liveorder import Runner, Signal

ROOT = Path(__file__).resolve().parent.parent
APPLICATION = "liveorder.application."
WALK_BEGINS = "ExecuteOrder.execute"
IDIOMS = {
    r"\btold\b": (60, 60),
    r"\bbe it\b": (0, 0),
    r"\bwhoever\b": (0, 0),
    r"\bwill not do\b": (0, 0),
    r"\bin good order\b": (0, 0),
}
"""Of the worst: the aim, and what has been reached."""


@dataclass(frozen=True)
class Figure:
    name: str
    value: int
    aim: int
    details: str = ""
    reached: int = 0
    """What a figure that is above its aim may not rise above."""

    @property
    def at_most(self) -> int:
        return max(self.aim, self.reached)


def figures() -> Iterator[Figure]:
    rooms = _imports_between_rooms()
    yield Figure("levels of application/", _levels(rooms), 8)
    yield Figure("imports between its rooms", sum(map(len, rooms.values())), 60)
    entered = asyncio.run(_walk())
    yield Figure("files of application/ that one execute enters", len(entered), 9, ", ".join(sorted(entered)))
    returned = {name: times - 1 for name, times in entered.items() if times > 1}
    details = ", ".join(f"{name} {times}" for name, times in sorted(returned.items(), key=lambda item: -item[1]))
    yield Figure("and how often it comes back to one", sum(returned.values()), 15, details)
    doubled = _doubled_class_names()
    yield Figure("class names with two meanings", len(doubled), 0, "; ".join(f"{k}: {', '.join(v)}" for k, v in doubled.items()))
    yield Figure("words of the glossary", _glossary_words(), 45)
    for idiom, (aim, reached) in IDIOMS.items():
        name = idiom.replace("\\b", "")
        lines = _lines_with(idiom)
        where = (
            ", ".join(f"{path} {count}" for path, count in lines.most_common(5))
            + "; say who does what (reported, returned, recorded)"
        )
        yield Figure(f"lines of src with {name!r}", lines.total(), aim, where if lines.total() > max(aim, reached) else "", reached)


def _imports_between_rooms() -> Mapping[str, set[str]]:
    graph = grimp.build_graph("liveorder")
    rooms: dict[str, set[str]] = defaultdict(set)
    for module in graph.modules:
        if module.startswith(APPLICATION):
            room = _room(module)
            imported = graph.find_modules_directly_imported_by(module)
            rooms[room] |= {_room(each) for each in imported if each.startswith(APPLICATION)} - {room}
    return rooms


def _room(module: str) -> str:
    return module.removeprefix(APPLICATION).partition(".")[0]


def _levels(rooms: Mapping[str, set[str]]) -> int:
    def level(room: str) -> int:
        return 1 + max(map(level, rooms.get(room, ())), default=0)

    return max(map(level, rooms))


async def _walk() -> Counter[str]:
    """How often a file of `application/` is entered from another one, by file, while one order is executed in simulation."""
    walk = Walk()
    with tempfile.TemporaryDirectory() as folder:
        settings: dict[str, Any] = {
            "store": f"sqlite:///{folder}/orders.db",
            "simulation": {"venue_data": Path(folder) / "venue.db"},
            "logs": {"console": False, "directory": Path(folder) / "logs"},
        }
        async with Runner.open(**settings) as runner:
            sys.setprofile(walk)
            try:
                order = await runner.execute(
                    Signal(signal_id="walk", symbol="BTC/USD", side="BUY", quantity="0.1", timestamp=datetime.now(UTC))
                )
            finally:
                sys.setprofile(None)
    if order.reason is not None:
        raise SystemExit(f"the order of the walk was not sent: {order.reason} {order.error_message}")
    return walk.entered


class Walk:
    """A profile function: calls only, none of what goes on beside the order."""

    def __init__(self) -> None:
        self.entered: Counter[str] = Counter()
        self._begun: set[FrameType] = set()

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        if event != "call" or (name := _file_of_application(frame)) is None or frame in self._begun:
            return
        self._begun.add(frame)
        callers = list(_callers(frame))
        if not any(each.f_code.co_qualname == WALK_BEGINS for each in (frame, *callers)):
            return
        before = next((found for each in callers if (found := _file_of_application(each)) is not None), None)
        self.entered[name] += before != name


def _callers(frame: FrameType) -> Iterator[FrameType]:
    caller = frame.f_back
    while caller is not None:
        yield caller
        caller = caller.f_back


def _file_of_application(frame: FrameType) -> str | None:
    """Room and module. A package in a room counts as one; ports are no code, and a listener to what was recorded is no step."""
    _, found, name = frame.f_code.co_filename.partition("/application/")
    room, _, module = name.removesuffix(".py").partition("/")
    return f"{room}/{module.partition('/')[0]}" if found and room not in ("ports", "reporting", "engine") else None


def _doubled_class_names() -> Mapping[str, list[str]]:
    places: dict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(path.relative_to(ROOT / "src")))
    return {name: where for name, where in places.items() if len(where) > 1}


def _glossary_words() -> int:
    """Rows of its table."""
    text = (ROOT / "docs" / "glossary.md").read_text()
    return len(re.findall(r"^\| \*\*", text, re.MULTILINE))


def _lines_with(idiom: str) -> Counter[str]:
    """By file."""
    lines = {path.relative_to(ROOT): path.read_text().splitlines() for path in (ROOT / "src").rglob("*.py")}
    return Counter(
        {str(path): found for path, text in lines.items() if (found := sum(bool(re.search(idiom, line)) for line in text))}
    )


def main() -> int:
    is_good = True
    for figure in figures():
        is_good &= figure.value <= figure.at_most
        mark = "!" if figure.value > figure.at_most else "." if figure.value > figure.aim else " "
        print(f"{mark} {figure.name:50} {figure.value:4}  (aim {figure.aim}; at most {figure.at_most})")
        if mark != " " and figure.details:
            print(f"    {figure.details}")
    return 0 if is_good else 1


if __name__ == "__main__":
    raise SystemExit(main())
