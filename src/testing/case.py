"""One promise of the `Broker` port, and the error if it is broken."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from liveorder.testing.stage import Stage

Play = Callable[[Stage], Awaitable[None]]


class ContractBroken(AssertionError):
    """The adapter did not do what the port promises."""


@dataclass(frozen=True, slots=True)
class ContractCase:
    """`promise` is a sentence. `play` raises `ContractBroken` if it does not hold."""

    name: str
    promise: str
    play: Play

    def __str__(self) -> str:
        return self.name


def case(play: Play) -> ContractCase:
    """Make a case. The function's name is the case's name, its docstring the promise."""
    return ContractCase(getattr(play, "__name__", ""), (play.__doc__ or "").strip(), play)


def require(holds: bool, what_is_wrong: str) -> None:
    if not holds:
        raise ContractBroken(what_is_wrong)
