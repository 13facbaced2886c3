"""The figures of a campaign, as they stand in `docs/reliability.md`."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from tests.crash.cases import DELIVERIES, ENGINES, OPERATIONS
from tests.crash.crowd import CROWDS
from tests.crash.key_classes import BEYOND_SECONDS, DELIVERY_BOUND_SECONDS, KEY_CLASSES, finds_by_key, longest_doubt_seconds
from tests.crash.plays import PLAYS
from tests.crash.results import BEYOND, MATRIX, TrialResults
from tests.crash.results import DEFECTS as DEFECT_TRIALS
from tests.crash.scope import Scope
from tests.crash.verdict import Verdict
from tests.crash.wires import WIRES
from tests.harness.figures import described, table

_CLASSES, _OPERATIONS = (*KEY_CLASSES, *WIRES), (*OPERATIONS, *CROWDS, *PLAYS)

Name = Callable[[Verdict], str]


def figures(results: TrialResults, seed: int, command: str, scope: Scope) -> str:
    trials = results.of(MATRIX)
    blocks = [
        *_summary(results, trials, seed, command, scope),
        "### By what the key is good for, and what befell the request",
        _outcomes("key / delivery", trials, lambda v: f"{v.case.key_class} / {v.case.delivery}", _pairs(_CLASSES, DELIVERIES)),
        "### By operation and database",
        _outcomes("operation / database", trials, lambda v: f"{v.case.operation} / {v.case.engine}", _pairs(_OPERATIONS, ENGINES)),
        *(("### Many orders in flight", _crowds(trials)) if scope.is_of_orders else ()),
        "### By how many services recover",
        _outcomes("recovering", trials, lambda v: str(v.case.recoverers), ("1", "2")),
        *(("### Doubt", _doubts(trials)) if scope.is_of_orders else ()),
        *_where_it_was_killed(results, scope),
        *_of_the_engine(results, scope),
        *_in_full(results),
    ]
    return "\n\n".join(blocks)


def _of_the_engine(results: TrialResults, scope: Scope) -> Iterator[str]:
    if scope.broker is None and scope.is_of_orders:
        yield "### Beyond the declared bound: a violated assumption"
        yield _beyond(results.of(BEYOND))
    if scope.broker is None:
        yield "### Can it fail? Defects put in"
        yield _defects(results.of(DEFECT_TRIALS), scope.defects)


# --- in all ---


def _summary(results: TrialResults, trials: Sequence[Verdict], seed: int, command: str, scope: Scope) -> Iterator[str]:
    broken, short = sum(1 for _ in results.broken()), shortcomings(results, scope)
    yield f"**{results.kills(MATRIX)} kills in {len(trials)} trials; promises broken in {broken}.**"
    yield f"`{command}`, seed {seed}. {'; '.join(_run(run) for run in results.runs)}."
    repeated = Counter(_plain(verdict.repeated_for) for verdict in trials if verdict.repeated_for)
    reasons = ": " + "; ".join(f"{why} ({times})" for why, times in repeated.most_common()) if repeated else ""
    yield f"{sum(repeated.values())} trials could not be carried out the first time, and were the second{reasons}."
    held = [verdict.outlived_recovery for verdict in trials if verdict.outlived_recovery is not None]
    yield f"Of {len(held)} held requests whose sender died meanwhile, {sum(held)} arrived after the next service had recovered."
    yield f"{'; '.join(short) or _without_shortcomings(scope)}."


def _without_shortcomings(scope: Scope) -> str:
    often = max(scope.at_least(kind) for kind in scope.kinds)
    times = f" at least {often} times" if often > 1 else ""
    defects = ", and every defect reported" if scope.broker is None else ""
    return f"Every boundary was struck{times} before and after{defects}"


def _run(run: Mapping[str, Any]) -> str:
    rate = f"{run['kills']} kills in {run['seconds']} s, {run['at_once']} trials side by side, load up to {run['load']}"
    return f"{described(run)}, PostgreSQL {run['postgres']}: {rate}"


def _outcomes(title: str, verdicts: Sequence[Verdict], name_of: Name, names: Iterable[str]) -> str:
    groups = _grouped(verdicts, name_of)
    rows = [_outcome(name, groups[name]) for name in names if name in groups]
    head = (title, "trials", "kills", "broken", "left in doubt", "settled: median", "99 %", "longest")
    return table(head, [*rows, _outcome("all", verdicts)])


def _outcome(name: str, verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    settled = [verdict.settling_seconds for verdict in verdicts if not verdict.is_in_doubt]
    return (
        name,
        str(len(verdicts)),
        str(sum(verdict.deaths for verdict in verdicts)),
        str(sum(bool(verdict.violations) for verdict in verdicts)),
        _share(sum(verdict.is_in_doubt for verdict in verdicts), len(verdicts)),
        *_times(settled),
    )


def _crowds(verdicts: Sequence[Verdict]) -> str:
    groups = _grouped(verdicts, lambda verdict: verdict.case.operation)
    rows = [_crowd(name, groups[name]) for name in CROWDS if name in groups]
    return table(("what befell the services", "trials", "orders", "kills", "pauses", "broken", "left in doubt"), rows)


def _crowd(name: str, verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    return (
        name,
        str(len(verdicts)),
        str(sum(verdict.orders for verdict in verdicts)),
        str(sum(verdict.deaths for verdict in verdicts)),
        str(sum(verdict.pauses for verdict in verdicts)),
        str(sum(bool(verdict.violations) for verdict in verdicts)),
        _share(sum(verdict.is_in_doubt for verdict in verdicts), len(verdicts)),
    )


def _doubts(verdicts: Sequence[Verdict]) -> str:
    groups = _grouped(verdicts, lambda verdict: verdict.case.key_class)
    rows = [_doubt(name, groups[name]) for name in _CLASSES if name in groups]
    head = ("key", "had a doubt", "left to a person", "of them at the venue", "out of doubt: median", "99 %", "longest", "allowed")
    return table(head, rows)


def _doubt(name: str, verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    ended = [verdict.doubt_seconds for verdict in verdicts if verdict.doubt_seconds is not None]
    left = [verdict for verdict in verdicts if verdict.is_in_doubt]
    at_venue = sum(bool(verdict.venue_orders) for verdict in left)
    allowed = f"{longest_doubt_seconds(name):.1f} s" if finds_by_key(name) else "no limit"
    return (name, str(len(ended) + len(left)), str(len(left)), str(at_venue), *_times(ended), allowed)


# --- boundaries ---


def _where_it_was_killed(results: TrialResults, scope: Scope) -> Iterator[str]:
    for kind in scope.kinds:
        yield "### Where it was killed" if len(scope.kinds) == 1 else f"### Where it was killed: {kind}"
        yield _struck(results, kind)


def _struck(results: TrialResults, kind: str) -> str:
    kills = results.struck(kind)
    calls = sorted({call for _, call in (*results.passed(kind), *kills)})
    return table(("boundary", "killed before", "killed after"), [_times_struck(call, kills) for call in calls])


def _times_struck(call: str, kills: Mapping[tuple[str, str], int]) -> tuple[str, ...]:
    return f"`{call}`", str(kills.get(("before", call), 0)), str(kills.get(("after", call), 0))


def shortcomings(results: TrialResults, scope: Scope) -> list[str]:
    """Of the campaign itself: what it did not strike, or too seldom, and defects that it did not see."""
    seldom = [
        f"{f'STRUCK {times} TIMES' if times else 'NEVER STRUCK'}: {' '.join(place)}"
        for kind in scope.kinds
        for place, times in results.seldom_struck(kind, scope.at_least(kind))
    ]
    seen = {verdict.case.defect for verdict in results.of(DEFECT_TRIALS) if verdict.violations}
    blind = [f"NOT REPORTED: {defect}" for defect in scope.defects if defect not in seen]
    alarmed = ["REPORTED of a sound service beside the defects"] if None in seen else []
    return [*seldom, *blind, *alarmed]


# --- beyond, and defects ---


def _beyond(verdicts: Sequence[Verdict]) -> str:
    groups = _grouped(verdicts, lambda v: f"{v.case.key_class} / {v.case.point}")
    head = (
        "key / held request",
        "trials",
        "kills",
        "one order at most",
        "two orders",
        "anomaly alerted",
        "left in doubt",
        "what broke, most often",
    )
    rows = [_what_happened(name, groups[name]) for name in sorted(groups)]
    bound = f"The venue takes the request {BEYOND_SECONDS:g} s after it was sent; the broker declares {DELIVERY_BOUND_SECONDS:g} s."
    return f"{bound}\n\n{table(head, rows)}"


def _what_happened(name: str, verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    two = sum(verdict.venue_orders > 1 for verdict in verdicts)
    broken = Counter(violation for verdict in verdicts for violation in verdict.violations)
    return (
        name,
        str(len(verdicts)),
        str(sum(verdict.deaths for verdict in verdicts)),
        str(len(verdicts) - two),
        str(two),
        str(sum(bool(verdict.anomalies) for verdict in verdicts)),
        str(sum(verdict.is_in_doubt for verdict in verdicts)),
        "; ".join(f"{_plain(violation)} ({times})" for violation, times in broken.most_common(2)) or "nothing",
    )


def _defects(verdicts: Sequence[Verdict], defects: Sequence[str]) -> str:
    rows, sound = [], [verdict for verdict in verdicts if verdict.case.defect is None]
    for defect in defects:
        having = [verdict for verdict in verdicts if verdict.case.defect == defect]
        reported = [verdict for verdict in having if verdict.violations]
        rows.append((defect, str(len(having)), str(len(reported)), _most_telling(reported)))
    rows.append(("none: the same trials", str(len(sound)), str(sum(bool(each.violations) for each in sound)), ""))
    return table(("defect", "trials", "reported in", "for example"), rows)


def _most_telling(reported: Sequence[Verdict]) -> str:
    """What the venue's books say, where they do."""
    found = sorted((each for verdict in reported for each in verdict.violations), key=lambda each: "venue" not in each)
    return _plain(found[0]) if found else "NOT REPORTED"


def _in_full(results: TrialResults) -> Iterator[str]:
    broken = [f"- {verdict.case}: {_plain('; '.join(verdict.violations))}" for verdict in results.broken()]
    if broken:
        yield "### Broken, in full"
        yield "\n".join(broken)


# --- words and numbers ---


def _pairs(first: Iterable[str], second: Iterable[str]) -> list[str]:
    return [f"{one} / {other}" for one in first for other in second]


def _grouped(verdicts: Sequence[Verdict], name_of: Name) -> dict[str, list[Verdict]]:
    groups: defaultdict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        groups[name_of(verdict)].append(verdict)
    return groups


def _times(seconds: Sequence[float]) -> tuple[str, str, str]:
    if not seconds:
        return "–", "–", "–"
    ordered = sorted(seconds)
    return tuple(f"{ordered[math.ceil(share * len(ordered)) - 1]:.1f} s" for share in (0.5, 0.99, 1.0))  # type: ignore[return-value]  # three


def _share(part: int, whole: int) -> str:
    return f"{part} ({part / whole:.1%})" if whole else "0"


def _plain(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ")[:200]
