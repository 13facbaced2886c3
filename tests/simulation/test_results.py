"""What a run of many seeds keeps, adds up and shows."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.figures import END, begin, publish
from tests.simulation import results
from tests.simulation.campaign import run
from tests.simulation.coverage import KILLED
from tests.simulation.published import figures, in_short
from tests.simulation.results import CHUNK, ROOT, HistoryResults, RangeResult, Tally, chunks

SEEDS = range(3 * CHUNK + 1)


def a_result(seeds: range) -> RangeResult:
    cells = Counter({(KILLED, "PARTIAL"): len(seeds)})
    return RangeResult(Tally(len(seeds), cells, Counter(lives=2 * len(seeds)), {seeds.start: "twice"}, ["how"], traces=2**63), 0.5)


def test_an_interrupted_run_finds_its_results_again_but_for_a_line_that_was_cut_off(tmp_path: Path) -> None:
    kept = HistoryResults(tmp_path / "results" / "ranges.jsonl")
    for part in chunks(SEEDS):
        kept.add(part, a_result(part))
    assert kept.file is not None
    assert HistoryResults(kept.file).total(SEEDS) == kept.total(SEEDS)
    kept.file.write_text(kept.file.read_text()[:-10])
    found = HistoryResults(kept.file)
    assert list(found.ranges) == chunks(SEEDS)[:-1]
    found.add(chunks(SEEDS)[-1], a_result(chunks(SEEDS)[-1]))
    assert HistoryResults(kept.file).total(SEEDS) == kept.total(SEEDS)


def test_results_of_other_code_count_for_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = HistoryResults(tmp_path / "ranges.jsonl")
    kept.add(chunks(SEEDS)[0], a_result(chunks(SEEDS)[0]))
    monkeypatch.setattr(results, "code", lambda: "other")
    assert not HistoryResults(kept.file).ranges


def test_all_traces_together_do_not_depend_on_which_history_was_first() -> None:
    there, back = run([1, 2]), run([2, 1])
    assert there.traces == back.traces != run([1, 3]).traces


def test_a_total_has_the_seeds_asked_for_and_is_told_between_the_marks_of_its_page(tmp_path: Path) -> None:
    kept, page = HistoryResults(), tmp_path / "page.md"
    for part in [*chunks(SEEDS), range(1000, 1000 + CHUNK)]:
        kept.add(part, a_result(part))
    short = "make simulate, in short"
    page.write_text(f"before\n{begin(short)}\nold\n{END}\n{begin('make simulate')}\nold\n{END}\nafter\n")
    publish(page, "make simulate", figures(SEEDS, kept.total(SEEDS)))
    publish(page, short, in_short(SEEDS, kept.total(SEEDS)))
    text = page.read_text()
    assert (text.startswith("before\n"), text.endswith("\nafter\n"), "old" in text) == (True, True, False)
    assert "76 histories of seeds 0 to 75; promises broken in 4.**" in text
    assert "- seed 25: twice" in text
    assert "152 lives; 38.0 histories a second, 2 s." in text
    assert "- **How often.** 76 histories, seeds 0 to 75: 0 orders, 152 lives of the service, 2 s on" in text
    assert "- **Result.** Promises broken in 4 histories; they stand below." in text


def test_a_page_without_a_place_for_figures_is_left_as_it_is(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing here")
    with pytest.raises(ValueError, match=r"page\.md has no place for figures: <!-- figures: written by `make simulate` --> "):
        publish(page, "make simulate", "new")
    assert page.read_text() == "nothing here"


def test_a_run_that_is_terminated_leaves_its_results_and_no_process(tmp_path: Path) -> None:
    kept = tmp_path / "ranges.jsonl"
    command = [sys.executable, "-m", "tests.simulation", "--seeds", "100000", "--results", str(kept)]
    with subprocess.Popen(command, cwd=ROOT, start_new_session=True, stderr=subprocess.PIPE, text=True) as running:
        assert eventually(lambda: kept.exists() and "\n" in kept.read_text())
        running.terminate()
        said = running.communicate(timeout=60)[1]
    assert (running.returncode, said.splitlines()[-1]) == (130, "interrupted")
    assert HistoryResults(kept).ranges
    assert eventually(lambda: not is_there(running.pid))


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 60
    while not (so := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return so


def is_there(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
