"""The figures of a run, as they stand in `docs/reliability.md`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.harness.figures import described, machine, table
from tests.simulation import coverage
from tests.simulation.coverage import KINDS, STATES, Cell
from tests.simulation.results import RangeResult, code


def summary(seeds: range, result: RangeResult) -> list[str]:
    tally = result.tally
    what = ", ".join(f"{number:,} {name}" for name, number in sorted(tally.figures.items()))
    unmet = ", ".join(" × ".join(cell) for cell in coverage.missing(tally.cells))
    return [
        f"{tally.seeds:,} histories of seeds {seeds.start} to {seeds.stop - 1}; promises broken in {len(tally.failures)}.",
        f"{what}; {tally.seeds / result.seconds:.1f} histories a second, {result.seconds:.0f} s.",
        f"Pairs of a fault and a state that can meet and never did: {unmet or 'none'}.",
        f"All traces together: {tally.traces:016x}, by code {code()}.",
    ]


def figures(seeds: range, result: RangeResult) -> str:
    found, *more = summary(seeds, result)
    broken = "\n".join(f"- seed {seed}: {kind}" for seed, kind in sorted(result.tally.failures.items()))
    where = f"`make simulate SEEDS={len(seeds)}`: {described(machine())}."
    return "\n\n".join(filter(None, (f"**{found}**", broken, " ".join((where, *more)), _met(result.tally.cells))))


def in_short(seeds: range, result: RangeResult) -> str:
    """Five lines, for a reader who takes nothing else away."""
    return "\n".join(f"- {line}" for line in _lines(seeds, result))


def _lines(seeds: range, result: RangeResult) -> Iterator[str]:
    tally, broken = result.tally, len(result.tally.failures)
    figures, seconds = tally.figures, f"{result.seconds:,.0f} s on {machine()['cores']} cores"
    reachable = sum(coverage.unreachable((kind, state)) is None for kind in KINDS for state in STATES)
    yield (
        "**Simulated.** The whole service lived in virtual time on a real store, while the exchange, the store, the clock, the "
        "process and people did what they should not, several things at a time."
    )
    yield (
        f"**How often.** {tally.seeds:,} histories, seeds {seeds.start} to {seeds.stop - 1}: {figures['orders']:,} orders, "
        f"{figures['lives']:,} lives of the service, {seconds}."
    )
    yield (
        f"**Faults × states.** {len(KINDS)} faults × {len(STATES)} states of an order: {reachable} pairs can meet, "
        f"{len(coverage.missing(tally.cells))} of them never did."
    )
    yield f"**Result.** Promises broken in {broken} histories{'; they stand below' if broken else ''}."
    yield (
        f"**Again.** `make simulate SEEDS={len(seeds)}`; one seed: `python -m tests.simulation --seed N`. It does not show what "
        "threads, processes, disks and networks do by themselves."
    )


def _met(cells: Counter[Cell]) -> str:
    """How many orders in each state each fault met; `-` where they cannot meet."""
    rows = [(kind, *(coverage.shown(cells, (kind, state)) for state in STATES)) for kind in KINDS]
    return table(("fault", *STATES), rows)
