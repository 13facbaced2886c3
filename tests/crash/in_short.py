"""A campaign in five lines, for a reader who takes nothing else away."""

from __future__ import annotations

from collections.abc import Iterator

from tests.crash.cases import DELIVERIES
from tests.crash.crowd import CROWDS, SIZES
from tests.crash.key_classes import KEY_CLASSES
from tests.crash.published import shortcomings
from tests.crash.results import DEFECTS as DEFECT_TRIALS
from tests.crash.results import MATRIX, TrialResults
from tests.crash.scope import Scope
from tests.harness.figures import machine

_KILLED = (
    "Real service processes, with one order or up to {most} in flight, were killed with SIGKILL just before or just after a commit "
    "or a broker call, or stopped past their lease; others took their stores over."
)
_KILLED_AMID_EXITS = (
    "The same services amid exits, orders that wait, transfers between strategies and kills that close positions: of one strategy "
    "and of two on one symbol."
)


def in_short(results: TrialResults, seed: int, command: str, scope: Scope) -> str:
    return "\n".join(f"- {line}" for line in _lines(results, seed, command, scope))


def _lines(results: TrialResults, seed: int, command: str, scope: Scope) -> Iterator[str]:
    trials, broken = results.of(MATRIX), sum(1 for _ in results.broken())
    pauses, orders = sum(each.pauses for each in trials), sum(each.orders for each in trials)
    rows = len(scope.rows) + (len(CROWDS) if scope.is_of_orders else 0)
    fates = f"{rows} operations × {len(KEY_CLASSES)} kinds of key × {len(DELIVERIES)} fates of a request"
    seconds = f"{sum(run['seconds'] for run in results.runs):,} s on {machine()['cores']} cores"
    reported = {verdict.case.defect for verdict in results.of(DEFECT_TRIALS) if verdict.violations} - {None}
    yield f"**Killed.** {_KILLED.format(most=max(SIZES)) if scope.is_of_orders else _KILLED_AMID_EXITS}"
    paused = f" and {pauses:,} pauses" if scope.is_of_orders else ""
    yield (
        f"**How often.** {results.kills(MATRIX):,} kills{paused} in {len(trials):,} trials with {orders:,} orders: "
        f"{fates}, on {' and '.join(sorted({verdict.case.engine for verdict in trials}))}, seed {seed}, {seconds}."
    )
    yield (
        f"**Result.** Promises broken in {broken} trials{'; they stand below' if broken else ''}. Left in doubt, for a person: "
        f"{sum(verdict.is_in_doubt for verdict in trials)}. Asked: no order twice, none lost, fills and positions as at the "
        "exchange, read models as the log has them."
    )
    often = max(scope.at_least(kind) for kind in scope.kinds)
    times = f", at least {often} times each" if often > 1 else ""
    short = "; ".join(shortcomings(results, scope)) or f"every boundary was struck, before and after{times}"
    yield f"**Can it fail?** {len(reported)} of {len(scope.defects)} defects that were put in were reported; {short}."
    yield (
        f"**Again.** `{command}`. It does not show power loss, a broker that breaks its declaration, or a real network "
        "([limits](#limits-of-the-proof))."
    )
