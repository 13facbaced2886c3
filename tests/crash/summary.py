"""What became of many trials, in short, for the console."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from tests.crash.verdict import Verdict

_LINE = "{:<48}{:>7}{:>7}{:>11}{:>10}{:>10}{:>10}"
_HEAD = _LINE.format("", "trials", "kills", "violations", "in doubt", "p50 s", "max s")


def summary(verdicts: Sequence[Verdict]) -> str:
    """By key class and delivery, by operation and engine, and in all; then each violation in full."""
    groups: list[Callable[[Verdict], str]] = [
        lambda verdict: f"{verdict.case.key_class} / {verdict.case.delivery}",
        lambda verdict: f"{verdict.case.operation} / {verdict.case.engine}",
        lambda verdict: f"{verdict.case.recoverers} recovering",
        lambda verdict: "all",
    ]
    blocks = [_HEAD, *("\n".join(_rows(verdicts, group)) for group in groups), *_violations(verdicts)]
    return "\n".join(blocks)


def _rows(verdicts: Sequence[Verdict], name_of: Callable[[Verdict], str]) -> Iterator[str]:
    cells: defaultdict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        cells[name_of(verdict)].append(verdict)
    for name in sorted(cells):
        yield _row(name, cells[name])
    yield ""


def _row(name: str, cell: Sequence[Verdict]) -> str:
    settled = [verdict.settling_seconds for verdict in cell if not verdict.is_in_doubt] or [0.0]
    return _LINE.format(
        name,
        len(cell),
        sum(verdict.deaths for verdict in cell),
        sum(bool(verdict.violations) for verdict in cell),
        f"{sum(verdict.is_in_doubt for verdict in cell) / len(cell):.0%}",
        f"{statistics.median(settled):.1f}",
        f"{max(settled):.1f}",
    )


def _violations(verdicts: Sequence[Verdict]) -> Iterator[str]:
    for verdict in verdicts:
        if verdict.violations:
            yield f"VIOLATED by {verdict.case}: {'; '.join(verdict.violations)}"
