"""What `make` installs for whom, and what `make coverage` shows."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documentation import ROOT

NEEDED = ("Makefile", "pyproject.toml", "setup.py", "constraints.txt")
FOR_PEOPLE = "--editable .\n"
FOR_DEVELOPERS = "--editable '.[dev,docs]'\n"
WITHOUT_TOOLS = {"run", "mirror", "clean"}
TARGETS = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in NEEDED:
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def planned(checkout: Path, target: str) -> str:
    """The commands that make would run."""
    return subprocess.run(["make", "--dry-run", target], cwd=checkout, capture_output=True, text=True, check=True).stdout


def install(checkout: Path, stamp: str) -> None:
    (checkout / ".venv").mkdir(exist_ok=True)
    (checkout / ".venv" / stamp).touch()


def test_a_run_installs_what_it_needs_and_no_tools(checkout: Path) -> None:
    commands = planned(checkout, "run")
    assert (FOR_PEOPLE in commands, FOR_DEVELOPERS in commands) == (True, False)


@pytest.mark.parametrize("target", sorted(set(TARGETS[1].split()) - WITHOUT_TOOLS if TARGETS else ()))
def test_every_other_target_installs_its_tools(checkout: Path, target: str) -> None:
    assert FOR_DEVELOPERS in planned(checkout, target)


def test_tests_after_a_run_add_to_its_environment(checkout: Path) -> None:
    install(checkout, ".installed")
    commands = planned(checkout, "test")
    assert ("-m venv" in commands, FOR_PEOPLE in commands, FOR_DEVELOPERS in commands) == (False, False, True)


def test_nothing_is_installed_twice(checkout: Path) -> None:
    install(checkout, ".installed")
    install(checkout, ".tools")
    assert ["pip" in planned(checkout, target) for target in ("run", "test")] == [False, False]


@pytest.mark.parametrize("changed", NEEDED[1:])
def test_what_the_packages_follow_from_is_followed(checkout: Path, changed: str) -> None:
    install(checkout, ".installed")
    install(checkout, ".tools")
    stamp = (checkout / ".venv" / ".tools").stat()
    later = stamp.st_mtime_ns + 1_000_000_000
    os.utime(checkout / changed, ns=(later, later))
    assert [FOR_PEOPLE in planned(checkout, target) for target in ("run", "test")] == [True, True]
    assert FOR_DEVELOPERS in planned(checkout, "test")


BRANCHES = "import sys\n" + "".join(f"if len(sys.argv) > {number}:\n    print({number})\n" for number in range(1, 9))


@pytest.mark.parametrize(("arguments", "code"), [(list("12345678"), 1), ([], 1)])
def test_the_coverage_shows_lines_and_branches_apart_and_fails_below(tmp_path: Path, arguments: list[str], code: int) -> None:
    """With all arguments every line runs, and half of the branches do not."""
    (tmp_path / "sample.py").write_text(BRANCHES)
    coverage = [sys.executable, "-m", "coverage"]
    subprocess.run([*coverage, "run", "--branch", "sample.py", *arguments], cwd=tmp_path, check=True, capture_output=True)
    subprocess.run([*coverage, "json", "-o", "coverage.json"], cwd=tmp_path, check=True, capture_output=True)
    shown = figures(tmp_path / "coverage.json")
    assert shown.returncode == code
    assert re.fullmatch(r"lines +\d+\.\d\d % covered\nbranches +50\.00 % covered\n", shown.stdout)
    assert shown.stderr == ("below 85 %: branches\n" if arguments else "below 85 %: lines, branches\n")


def test_the_coverage_passes_from_its_bound_on(tmp_path: Path) -> None:
    totals = {"covered_lines": 85, "num_statements": 100, "covered_branches": 17, "num_branches": 20}
    (tmp_path / "coverage.json").write_text(json.dumps({"totals": totals}))
    assert figures(tmp_path / "coverage.json").returncode == 0


def figures(report: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "dev/coverage_figures.py"), str(report)]
    return subprocess.run(command, capture_output=True, text=True, check=False)
