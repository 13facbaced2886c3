"""How a campaign draws its trials, keeps what became of them, and publishes it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from tests.crash import campaign
from tests.crash.cases import Case
from tests.crash.crowd import SIZES, crowd_of
from tests.crash.defects import DEFECTS
from tests.crash.in_short import in_short
from tests.crash.key_classes import is_of_another_day
from tests.crash.matrix import POSITIONS, Boundaries, Matrix, drawn
from tests.crash.processes import Refused
from tests.crash.published import figures, shortcomings
from tests.crash.results import COUNTING, MATRIX, TrialResults
from tests.crash.scope import FULL_KILLS, OFTEN, Scope
from tests.crash.verdict import Verdict
from tests.harness.figures import END, begin, publish

CELLS = Matrix().cells()
FOUND = {cell: Boundaries(("before submit #1", "after submit #1", "before append Filled #1"), ("after find #1",)) for cell in CELLS}


def test_one_seed_draws_the_same_trials_and_another_others() -> None:
    first, again, other = ([*islice(drawn(CELLS, FOUND, seed), 1000)] for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_of_its_boundaries_a_cell_dies_first_where_lives_were_ended_most_seldom() -> None:
    """A boundary that few cells have is not left to chance."""
    common = ("before submit #1", "after submit #1", "before append Filled #1", "after append Filled #1")
    rare = "before append WaitEnded+Approved #1"
    found = {
        cell: Boundaries((*common, rare) if place % 10 == 0 else common, ("after find #1",)) for place, cell in enumerate(CELLS)
    }
    first_turn = [*islice(drawn(CELLS, found, 1), len(CELLS))]
    assert sum(trial.boundary == rare for trial in first_turn) > 0.9 * len(CELLS) / 10


def test_every_cell_dies_at_each_of_its_boundaries_in_turn() -> None:
    trials = [*islice(drawn(CELLS, FOUND, 1), 3 * len(CELLS))]
    struck = {replace(trial, second=None) for trial in trials}
    assert len(struck) == len(trials)


def a_verdict(number: int) -> Verdict:
    return Verdict(CELLS[number], [], struck=["before submit #1"], boundaries=["before submit #1", "after submit #1"])


def test_an_interrupted_campaign_finds_its_results_again_but_for_a_line_that_was_cut_off(tmp_path: Path) -> None:
    file = tmp_path / "results" / "seed-1.jsonl"
    results = TrialResults(file)
    results.begin_run({"date": "today"})
    for number in range(3):
        results.add(MATRIX, number, a_verdict(number))
    file.write_text(file.read_text()[:-10])
    found = TrialResults(file)
    assert [found.has(MATRIX, number, CELLS[number]) for number in range(3)] == [True, True, False]
    assert not found.has(MATRIX, 0, CELLS[1])
    assert (found.kills(MATRIX), found.runs[0]["kills"]) == (2, 2)
    found.add(MATRIX, 2, a_verdict(2))
    assert TrialResults(file).of(MATRIX) == results.of(MATRIX)


def test_a_boundary_that_was_passed_and_never_struck_is_a_shortcoming() -> None:
    results = TrialResults()
    results.add(COUNTING, 0, a_verdict(0))
    results.add(MATRIX, 0, a_verdict(0))
    assert "NEVER STRUCK: after submit" in shortcomings(results, Scope())
    assert "NEVER STRUCK: before submit" not in shortcomings(results, Scope())


def test_a_full_campaign_strikes_each_boundary_of_a_play_thirty_times() -> None:
    play = Matrix(rows=("exit of an entry that never fills",)).cells()[0]
    passed = ["before submit #1", "before append Requested+WaitBegan #1", "after append Requested+WaitBegan #1"]
    results = TrialResults()
    results.add(COUNTING, 0, Verdict(play, [], boundaries=passed))
    for number in range(OFTEN):
        results.add(MATRIX, number, Verdict(play, [], struck=[passed[1], *([passed[2]] if number else [])]))
    full, small = (Scope((POSITIONS,), kills=kills) for kills in (FULL_KILLS, FULL_KILLS - 1))
    found = [each for each in shortcomings(results, full) if "STRUCK" in each]
    assert found == ["STRUCK 29 TIMES: after append Requested", "STRUCK 29 TIMES: after append WaitBegan"]
    assert [each for each in shortcomings(results, small) if "STRUCK" in each] == []
    assert "| `append WaitBegan` | 30 | 29 |" in figures(results, 1, "make killmatrix-positions", full)


@pytest.mark.parametrize("name", ["StoreUnavailable", "BrokerTimeoutError", "LeaseLost"])
async def test_what_the_machine_may_have_caused_is_tried_once_more_and_said(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    verdicts: list[Verdict] = []
    accounts: list[str] = []

    async def tried_on_a_slow_machine(scene: object, case: Case, account: str) -> Verdict:
        accounts.append(account)
        if not verdicts:
            verdicts.append(Verdict(case, []))
            raise Refused(name, "the machine was busy")
        return verdicts[0]

    monkeypatch.setattr(campaign, "tried", tried_on_a_slow_machine)
    nobody: Any = None
    verdict = await campaign._tried_safely(nobody, CELLS[0], ("D0", "D0-again"))
    assert (verdict.violations, accounts) == ([], ["D0", "D0-again"])
    assert f"{name}: the machine was busy" in (verdict.repeated_for or "")


async def test_any_other_refusal_fails_the_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(scene: object, case: Case, account: str) -> Verdict:
        raise Refused("InvalidInput", "quantity: no number")

    monkeypatch.setattr(campaign, "tried", refused)
    nobody: Any = None
    verdict = await campaign._tried_safely(nobody, CELLS[0], ("D0", "D0-again"))
    assert "InvalidInput: quantity: no number" in verdict.violations[0]


def test_lives_are_ended_again_where_they_were_too_seldom_and_no_result_is_overwritten() -> None:
    results = TrialResults()
    results.add(MATRIX, 7, a_verdict(0))
    assert results.next_number(MATRIX, 5) == 8
    assert results.next_number(COUNTING, 5) == 5


def test_figures_are_written_between_their_marks_and_nothing_else_is_touched(tmp_path: Path) -> None:
    page, results = tmp_path / "page.md", TrialResults()
    page.write_text(f"before\n{begin('make killmatrix')}\nold\n{END}\nafter\n")
    results.add(MATRIX, 0, a_verdict(0))
    for _ in range(2):
        publish(page, "make killmatrix", figures(results, 7, "make killmatrix", Scope()))
    text = page.read_text()
    assert (text.startswith("before\n"), text.endswith("\nafter\n"), "old" in text) == (True, True, False)
    assert "1 kills in 1 trials; promises broken in 0" in text


def test_a_campaign_is_told_in_five_lines_by_its_own_figures() -> None:
    results = TrialResults()
    results.begin_run({"date": "today"})
    results.add(MATRIX, 0, replace(a_verdict(0), orders=12, pauses=1))
    lines = in_short(results, 7, "make killmatrix KILLS=1 SEED=7", Scope()).splitlines()
    assert len(lines) == 5
    assert "1 kills and 1 pauses in 1 trials with 12 orders" in lines[1]
    assert "Promises broken in 0 trials. " in lines[2]
    assert f"0 of {len(DEFECTS)} defects" in lines[3]
    assert "`make killmatrix KILLS=1 SEED=7`" in lines[4]


CROWDS = Matrix().crowds()


def test_crowds_are_drawn_among_the_cells_each_kind_in_every_combination() -> None:
    trials = [*islice(drawn(CELLS, FOUND, 1, CROWDS), len(CELLS) + len(CROWDS))]
    assert {replace(trial, crowd=None) for trial in trials if trial.crowd is not None} == set(CROWDS)
    assert len({trial.crowd for trial in trials}) > len(CROWDS) * 0.9


def test_a_crowd_is_the_same_for_the_same_case_and_each_of_its_signals_has_a_source() -> None:
    cases = [replace(CROWDS[0], crowd=number) for number in range(20)]
    crowds = [crowd_of(case) for case in cases]
    assert crowds == [crowd_of(case) for case in cases]
    assert {len(crowd.members) for crowd in crowds} <= {*SIZES}
    assert all(member.sources for crowd in crowds for member in crowd.members)
    assert any(len(member.sources) > 1 for member in crowds[0].members)


@pytest.mark.parametrize(("key_class", "forgets"), [("ibkr", True), ("alpaca", False), ("unique", False)])
def test_what_is_not_found_of_the_day_before_is_left_to_a_person_where_the_broker_forgets_at_midnight(
    key_class: str, forgets: bool
) -> None:
    now = datetime.now(UTC)
    assert is_of_another_day(key_class, now - timedelta(days=1)) is forgets
    assert not is_of_another_day(key_class, now)
