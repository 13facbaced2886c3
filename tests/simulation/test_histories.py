"""Two hundred histories, every promise kept; one seed is one history, wherever it is simulated."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from itertools import count, islice
from pathlib import Path

import pytest

from tests.simulation.coverage import KILLED, KINDS, STATES, Cell, missing, table
from tests.simulation.generator import generate
from tests.simulation.history import simulate
from tests.simulation.shrinking import report, shrunk
from tests.simulation.targeted_faults import TARGET

SEEDS = 200
AT_ONCE = 40
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_every_promise_is_kept_in_histories_full_of_faults(first: int) -> None:
    reached: Counter[Cell] = Counter()
    for seed in range(first, first + AT_ONCE):
        history = simulate(generate(seed))
        assert history.code is None, report(shrunk(history))
        reached.update(history.cells)
    states = {state for _, state in reached}
    assert "SUBMITTED" in states, "orders hardly existed"
    assert len(states & {"FILLED", "CANCELLED", "REJECTED"}) > 1, "orders hardly ended"


def test_targets_are_brought_into_states_that_are_rare_at_random() -> None:
    targeted = (scenario for scenario in map(generate, count()) if TARGET in repr(scenario.steps))
    reached = {state for scenario in islice(targeted, 30) for _, state in simulate(scenario).cells}
    assert {"PARTIAL", "FILLED", "CANCELLED", "REJECTED", "in doubt: cancel", "in doubt: replace"} <= reached


def test_one_seed_is_one_history_in_every_process(tmp_path: Path) -> None:
    """Whatever its hashes are salted with, wherever it stands, and whatever it did before."""
    simulate(generate(3))
    digests = {simulate(generate(4)).digest, *(_digest_elsewhere(4, salt, tmp_path) for salt in ("1", "2"))}
    assert len(digests) == 1


def _digest_elsewhere(seed: int, salt: str, folder: Path) -> str:
    command = [sys.executable, "-m", "tests.simulation", "--seed", str(seed), "--digest"]
    environment = os.environ | {"PYTHONHASHSEED": salt, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True).stdout.strip()


def test_other_seeds_are_other_histories() -> None:
    assert len({simulate(generate(seed)).digest for seed in range(5)}) == 5


def test_what_a_fault_can_meet_and_never_met_is_told() -> None:
    reached: Counter[Cell] = Counter({(kind, state): 1 for kind in KINDS for state in STATES})
    del reached[KILLED, "PARTIAL"], reached["bust", "PENDING"]
    assert missing(reached) == [(KILLED, "PARTIAL")]
    assert "-" in table(reached)
