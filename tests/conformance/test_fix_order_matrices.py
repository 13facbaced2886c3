"""Every scenario and every fork of the FIX order state matrices, and of our own beside them, through the real order.

`LIVEORDER_FIX_MATRICES=FILE` runs another file of the same form.
"""

import json
import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.conformance.order_scenarios import Case, Run, Scenario, Step, cases_in

DATA = Path(__file__).parent / "data"
SHIPPED = DATA / "fix_order_matrices.json"
OURS = DATA / "liveorder_matrices.json"
GIVEN = Path(os.environ.get("LIVEORDER_FIX_MATRICES", SHIPPED))
CASES = [*cases_in(GIVEN), *cases_in(OURS)]

OF_NO_ORDER = {
    "B.1.f": [1, 2],  # a cancel of an order that nobody knows
    "E.1.a": [2, 3, 4, 5],  # an order that we did not send
    "F.1.a": [4, 5],  # a second order under the same id
    "G.1.a": [5],  # the status of an order that nobody knows
}
"""Steps that are tested where reports are matched to orders."""

ONLY_EXPLAIN = {"t", "note", "crosses_request_on_wire", "duplicate_clordid"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_order_goes_through_its_scenario(case: Case) -> None:
    run = Run(case.scenario)
    for step in case.steps:
        run.take(step)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_scenario_told_twice_ends_the_same(case: Case) -> None:
    run = Run(case.scenario, tell_twice=True)
    for step in case.steps:
        run.take(step)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_scenario_that_is_polled_after_every_report_ends_the_same(case: Case) -> None:
    run = Run(case.scenario, ask_too=True)
    for step in case.steps:
        run.take(step)


@pytest.mark.parametrize("path", [SHIPPED, OURS], ids=lambda path: path.stem)
def test_no_step_is_left_out_but_those_that_concern_no_order(path: Path) -> None:
    left_out = {}
    for case in cases_in(path):
        run = Run(case.scenario)
        for step in case.steps:
            run.take(step)
        left_out[case.name] = run.unmatched
    assert {name: steps for name, steps in left_out.items() if steps} == (OF_NO_ORDER if path == SHIPPED else {})


@pytest.mark.parametrize("path", [SHIPPED, OURS], ids=lambda path: path.stem)
def test_every_field_of_our_files_is_read_or_only_explains(path: Path) -> None:
    steps = [step for scenario in json.loads(path.read_text())["scenarios"] for step in scenario["steps"]]
    assert {field for step in steps for field in step} <= set(Step.model_fields) | ONLY_EXPLAIN


@pytest.mark.parametrize(
    "step",
    [
        {"n": 1, "actor": "sell", "msg": "MUMBLE"},
        {"n": 1, "actor": "sell", "msg": "EXEC", "exec_type": "EXPLODED"},
        {"n": 1, "actor": "sell", "msg": "EXEC", "exec_type": "NEW", "branch": "somewhere"},
        {"n": 1, "actor": "sell", "msg": "EXEC", "exec_type": "NEW", "expect": {"ord_status": "NEW", "mood": "good"}},
    ],
    ids=["message", "type", "branch", "expectation"],
)
def test_what_a_file_says_in_other_words_is_an_error(step: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Scenario.model_validate({"id": "?", "title": "?", "steps": [step]})
