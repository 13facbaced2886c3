"""What runs by itself, before a commit and on a host, runs what there is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.documentation import ROOT

WORKFLOW: dict[str, Any] = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
JOBS: dict[str, dict[str, Any]] = WORKFLOW["jobs"]
HOOKS: list[dict[str, Any]] = [
    hook for repository in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"] for hook in repository["hooks"]
]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TARGETS = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def commands_of_the_workflow() -> list[str]:
    return [line for job in JOBS.values() for step in job["steps"] for line in step.get("run", "").splitlines()]


def test_the_workflow_runs_only_what_runs_anywhere() -> None:
    commands = commands_of_the_workflow()
    assert ".ci/run" in commands
    assert [command for command in commands if not is_there(command)] == []


def is_there(command: str) -> bool:
    """A target of the Makefile, or a program in .ci."""
    if command.startswith("make "):
        return command.split()[1] in TARGETS
    return command.startswith(".ci/") and os.access(ROOT / command, os.X_OK)


def test_what_the_ci_runs_makes_only_targets_that_there_are() -> None:
    made = re.findall(r"^(?:timeout \S+ )?make (\S+)", (ROOT / ".ci/run").read_text(), re.MULTILINE)
    assert made == ["test", "check"]
    assert set(made) <= TARGETS


def test_the_workflow_tries_the_oldest_python_and_a_newer_one_that_are_declared() -> None:
    (job,) = JOBS.values()
    oldest, *newer = job["strategy"]["matrix"]["python"]
    assert PROJECT["requires-python"] == f">={oldest}"
    declared = {each.rpartition(" ")[2] for each in PROJECT["classifiers"] if "Python :: 3." in each}
    assert newer
    assert {oldest, *newer} <= declared


def test_a_hook_runs_a_tool_of_the_environment_that_the_project_installs() -> None:
    tools = {hook["entry"].split()[0] for hook in HOOKS}
    assert {hook["language"] for hook in HOOKS} == {"system"}
    assert tools == {".venv/bin/ruff", ".venv/bin/mypy", ".venv/bin/lint-imports", ".venv/bin/python"}


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_a_hook_runs_what_make_check_runs(hook: dict[str, Any]) -> None:
    checks = subprocess.run(
        ["make", "--dry-run", "check"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert any(check.startswith(hook["entry"]) for check in checks)


def test_the_hooks_are_understood() -> None:
    validation = [sys.executable, "-m", "pre_commit", "validate-config", str(ROOT / ".pre-commit-config.yaml")]
    assert subprocess.run(validation, check=False, capture_output=True).returncode == 0


def test_the_mirror_is_a_tree_in_which_the_package_has_its_name(tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    subprocess.run(["make", "--silent", "mirror", f"MIRROR={mirror}"], cwd=ROOT, check=True)
    (found,) = mirror.glob("*/domain/order/state.py")
    assert found.relative_to(mirror).parts[0] == "liveorder"
    assert not (mirror / "src").exists()
    assert [path for path in mirror.rglob("*") if path.is_symlink()] == []
