"""A failing scenario thinned out while it still fails in the same way: what is left is what it takes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from tests.harness.defects import SOUND, Defect
from tests.simulation.history import History, simulate
from tests.simulation.outside import AS_BEFORE


def shrunk(history: History, defect: Defect = SOUND, most_lives: int = 400) -> History:
    """Delta debugging: chunks are left out, halved in size whenever none of a size can be; and at last pairs: a fault and what
    it befalls go together.
    """
    best, left = history, most_lives
    size = max(len(best.scenario.steps) // 2, 1)
    while left > 0:
        numbers = [number for number, _ in best.scenario.steps]
        for chunk in _chunks(numbers, size) if size else combinations(numbers[::-1], 2):
            left -= 1
            thinner = simulate(best.scenario.only(frozenset(numbers) - frozenset(chunk)), defect)
            if thinner.code == history.code:
                best, size = thinner, max(size, 1)
                break
        else:
            if size == 0:
                return best
            size //= 2
    return best


def _chunks(numbers: Sequence[int], size: int) -> list[Sequence[int]]:
    """The latest first: what came after the failure goes at once."""
    return [numbers[start : start + size] for start in range(0, len(numbers), size)][::-1]


def report(history: History) -> str:
    """For people: what happened, what was seen of it, what was broken, and how to see it again."""
    numbers = ",".join(str(number) for number, _ in history.scenario.steps)
    happened = [f"  {number:>3}  {step}" for number, step in history.scenario.steps]
    seen = [line for line in history.trace if not line.endswith(f"-> {AS_BEFORE}")]
    broken = [f"  {violation.code}: {violation.text}" for violation in history.violations]
    again = f"python -m tests.simulation --seed {history.scenario.seed} --only {numbers or 'none'}"
    heads = f"seed {history.scenario.seed}, key class {history.scenario.key_class}"
    return "\n".join([heads, "steps:", *happened, "trace:", *seen, "violated:", *broken, f"repeat: {again}"])
