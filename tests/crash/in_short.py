"""A campaign in five lines, for a reader who takes nothing else away."""

from __future__ import annotations

from collections.abc import Iterator

from tests.crash.cases import DELIVERIES, OPERATIONS
from tests.crash.crowd import CROWDS, SIZES
from tests.crash.defects import DEFECTS
from tests.crash.key_classes import KEY_CLASSES
from tests.crash.published import shortcomings
from tests.crash.results import DEFECTS as DEFECT_TRIALS
from tests.crash.results import MATRIX, TrialResults
from tests.harness.figures import machine


def in_short(results: TrialResults, seed: int, command: str) -> str:
    return "\n".join(f"- {line}" for line in _lines(results, seed, command))


def _lines(results: TrialResults, seed: int, command: str) -> Iterator[str]:
    trials, broken = results.of(MATRIX), sum(1 for _ in results.broken())
    pauses, orders = sum(each.pauses for each in trials), sum(each.orders for each in trials)
    fates = f"{len(OPERATIONS) + len(CROWDS)} operations × {len(KEY_CLASSES)} kinds of key × {len(DELIVERIES)} fates of a request"
    seconds = f"{sum(run['seconds'] for run in results.runs):,} s on {machine()['cores']} cores"
    reported = {verdict.case.defect for verdict in results.of(DEFECT_TRIALS) if verdict.violations} - {None}
    yield (
        f"**Killed.** Real service processes, with one order or up to {max(SIZES)} in flight, were killed with SIGKILL just before "
        "or just after a commit or a broker call, or stopped past their lease; others took their stores over."
    )
    yield (
        f"**How often.** {results.kills(MATRIX):,} kills and {pauses:,} pauses in {len(trials):,} trials with {orders:,} orders: "
        f"{fates}, on {' and '.join(sorted({verdict.case.engine for verdict in trials}))}, seed {seed}, {seconds}."
    )
    yield (
        f"**Result.** Promises broken in {broken} trials{'; they stand below' if broken else ''}. Left in doubt, for a person: "
        f"{sum(verdict.is_in_doubt for verdict in trials)}. Asked: no order twice, none lost, fills and positions as at the "
        "exchange, read models as the log has them."
    )
    short = "; ".join(shortcomings(results)) or "every boundary was struck, before and after"
    yield f"**Can it fail?** {len(reported)} of {len(DEFECTS)} defects that were put in were reported; {short}."
    yield (
        f"**Again.** `{command}`. It does not show power loss, a broker that breaks its declaration, or a real network "
        "([limits](#limits-of-the-proof))."
    )
