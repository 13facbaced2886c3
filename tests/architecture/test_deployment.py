"""The files that liveorder is deployed with fit each other, the command line, its exit codes and its defaults."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from liveorder.bootstrap.supervision import BEAT_SECONDS, START_SECONDS
from liveorder.infrastructure.settings import Settings
from liveorder.infrastructure.settings.sources import DEFAULT_CONFIG, DOTENV
from liveorder.interfaces.cli.exit_codes import ExitCode
from liveorder.interfaces.cli.main import app
from tests.documentation import ROOT

DEPLOY = ROOT / "deploy"
UNIT = DEPLOY / "liveorder.service"
HOME = "/var/lib/liveorder"
NO_HOME = f"--no-create-home --home-dir {HOME}"
FOR_A_PERSON = {ExitCode.USAGE, ExitCode.INVALID_INPUT, ExitCode.SETTINGS, ExitCode.STORE_REFUSED, ExitCode.STORE_OWNED}
"""What a restart cannot mend."""
LONGEST_STOP_SECONDS = 2 * Settings().timeouts.drain_seconds + 30
"""Calls in flight, then messages, then closing store and connections."""


def unit() -> dict[str, dict[str, str]]:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # as the library's manual has it: names keep their case
    parser.read(UNIT)
    return {name: dict(parser[name]) for name in parser.sections()}


def compose() -> Any:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def dockerfile() -> list[tuple[str, str]]:
    """Its instructions."""
    lines = re.sub(r"^\s*#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE)
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines.replace("\\\n", " ").splitlines() if line]


def parsed(arguments: list[str]) -> str:
    """The name of the command, whose options are all ones that it has."""
    command: Any = get_command(app)
    context = command.make_context("liveorder", arguments)
    name, found, rest = command.resolve_command(context, arguments)
    found.make_context(name, rest, parent=context)
    return str(name)


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


# --- systemd -------------------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs systemd-analyze, which looks at the unit as systemd does"
)
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    """The program that it names is put where this one is, or it would be missed."""
    here = tmp_path / UNIT.name
    here.write_text(UNIT.read_text().replace("/opt/liveorder/bin/liveorder", str(Path(sys.executable).parent / "liveorder")))
    verified = subprocess.run(["systemd-analyze", "verify", here], capture_output=True, text=True, check=False)
    assert (verified.returncode, [line for line in verified.stderr.splitlines() if UNIT.name in line]) == (0, [])


def test_the_unit_runs_a_command_that_is_one_and_is_told_when_it_is_ready() -> None:
    service = unit()["Service"]
    assert parsed(shlex.split(service["ExecStart"])[1:]) == "run"
    assert (service["Type"], service["NotifyAccess"]) == ("notify", "main")
    assert service["WorkingDirectory"] == f"/var/lib/{service['StateDirectory']}" == HOME


def test_the_unit_waits_as_long_as_a_service_may_take() -> None:
    service = unit()["Service"]
    assert seconds(service["TimeoutStopSec"]) >= LONGEST_STOP_SECONDS
    assert seconds(service["WatchdogSec"]) > 2 * BEAT_SECONDS
    assert seconds(service["TimeoutStartSec"]) >= START_SECONDS


def test_what_a_person_must_mend_is_not_started_again() -> None:
    service = unit()["Service"]
    assert service["Restart"] == "on-failure"
    assert {ExitCode(int(code)) for code in service["RestartPreventExitStatus"].split()} == FOR_A_PERSON
    assert ExitCode(int(service["SuccessExitStatus"])) is ExitCode.INTERRUPTED


def test_the_page_installs_what_the_unit_expects() -> None:
    page = (ROOT / "docs/operating.md").read_text()
    service = unit()["Service"]
    assert f"--home-dir {service['WorkingDirectory']} " in page
    assert (
        f"install -d -o {service['User']} -g {service['Group']} -m {service['StateDirectoryMode']} {service['WorkingDirectory']}"
        in page
    )
    assert f"venv {Path(service['ExecStart'].split()[0]).parents[1]} " in page
    codes = re.search(r"not after the exit codes that only a person can mend: ([\d, and]+)", page)
    assert codes is not None
    assert set(re.findall(r"\d+", codes[1])) == set(service["RestartPreventExitStatus"].split())


# --- containers ----------------------------------------------------------------------------------------------------------------


def test_an_image_is_made_of_files_that_are_there() -> None:
    given = [
        line.removeprefix("!") for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")
    ]
    assert [name for name in given if not (ROOT / name).exists()] == []
    described = (ROOT / "pyproject.toml").read_text()
    assert {"src", "examples", "pyproject.toml", "setup.py", "constraints.txt"} <= set(given)
    assert [name for name in re.findall(r'(?:readme = |license-files = \[)"(.+?)"', described) if name not in given] == []


def test_an_image_runs_a_command_that_is_one_as_a_user_without_rights() -> None:
    last = dict(dockerfile())  # of each kind the last, which is what counts
    user = last["USER"]
    assert user not in ("root", "0")
    assert any(
        name == "RUN" and "useradd --system --uid 10001 --user-group" in what and user in what for name, what in dockerfile()
    )
    assert json.loads(last["ENTRYPOINT"]) == ["liveorder"]
    assert parsed(json.loads(last["CMD"])) == "run"
    assert last["WORKDIR"] == last["VOLUME"] == HOME


def test_an_image_is_healthy_while_a_service_trades_or_is_halted() -> None:
    health = dict(dockerfile())["HEALTHCHECK"].partition("CMD ")[2]
    command, _, otherwise = health.partition(" || ")
    assert parsed(command.split()[1:]) == "status"
    assert otherwise == f"[ $? -eq {ExitCode.HALTED.value} ]"


def test_the_composed_services_fit_the_image_and_have_their_secrets_from_files() -> None:
    parts = compose()
    service, database = parts["services"]["liveorder"], parts["services"]["database"]
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).resolve() == DEPLOY / "Dockerfile"
    assert parsed(service["command"]) == "run"
    assert seconds(service["stop_grace_period"]) >= LONGEST_STOP_SECONDS
    assert [secret["target"] for secret in service["secrets"]] == [f"{HOME}/{DOTENV}"]
    assert f"./{DEFAULT_CONFIG}:{HOME}/{DEFAULT_CONFIG}:ro" in service["volumes"]
    assert "environment" not in service
    assert [name for name in database["environment"] if "PASSWORD" in name] == ["POSTGRES_PASSWORD_FILE"]
    named = {each.split(":")[0] for one in (service, database) for each in one["volumes"] if not each.startswith(".")}
    assert named == set(parts["volumes"])
    assert {secret["file"] for secret in parts["secrets"].values()} == {"./secrets/liveorder", "./secrets/database"}


def test_what_holds_secrets_beside_the_composition_is_not_committed() -> None:
    ignored = ["deploy/secrets/liveorder", "deploy/secrets/database", "deploy/liveorder.toml"]
    listed = subprocess.run(["git", "check-ignore", *ignored], cwd=ROOT, capture_output=True, text=True, check=False)
    assert listed.stdout.split() == ignored


def test_the_devcontainer_makes_what_make_makes() -> None:
    described = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text())
    target = described["postCreateCommand"].removeprefix("make ")
    assert f"TOOLS := {target}\n" in (ROOT / "Makefile").read_text()
    assert described["image"].endswith(":3.11")
