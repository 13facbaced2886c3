"""The version of the package, the changelog and the tags name the same releases."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from liveorder import __version__
from tests.documentation import ROOT

_RELEASED = re.compile(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d{2}-\d{2}$", re.MULTILINE)
_VERSION = re.compile(r'^__version__ = "(.+)"$', re.MULTILINE)


def test_the_newest_release_of_the_changelog_is_the_version() -> None:
    assert released(ROOT)[0] == __version__


def test_what_is_to_be_released_stands_above_all_releases() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    assert headings[1:] == sorted(headings[1:], key=numbers, reverse=True)


def test_a_tag_is_a_release_of_the_changelog() -> None:
    assert list(wrong_tags(ROOT)) == []


@pytest.mark.parametrize(
    ("tag", "arguments", "wrong"),
    [
        ("v1.2.3", ["-m", "1.2.3"], []),
        ("v1.2.3", [], ["v1.2.3 is not annotated"]),
        ("v1.2.4", ["-m", "1.2.4"], ["v1.2.4 is not in the changelog", "v1.2.4 is on a commit of version 1.2.3"]),
    ],
)
def test_a_tag_that_disagrees_is_found(tmp_path: Path, tag: str, arguments: list[str], wrong: list[str]) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "__init__.py").write_text('__version__ = "1.2.3"\n')
    (tmp_path / "CHANGELOG.md").write_text("## [Unreleased]\n\n## [1.2.3] - 2026-01-02\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, *SOMEBODY, "commit", "--quiet", "-m", "Version 1.2.3")
    git(tmp_path, *SOMEBODY, "tag", *arguments, tag)
    assert list(wrong_tags(tmp_path)) == wrong


SOMEBODY = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org", "-c", "tag.gpgSign=false"]


def released(root: Path) -> list[str]:
    """The versions of the changelog, newest first."""
    return _RELEASED.findall((root / "CHANGELOG.md").read_text())


def numbers(heading: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", heading)]


def wrong_tags(root: Path) -> Iterator[str]:
    """What is wrong with the tags that begin with `v`; nothing where the clone has no tags."""
    for tag in git(root, "tag", "--list", "v*").split():
        version = tag.removeprefix("v")
        if git(root, "cat-file", "-t", tag).strip() != "tag":
            yield f"{tag} is not annotated"
        if version not in released(root):
            yield f"{tag} is not in the changelog"
        there = _VERSION.search(git(root, "show", f"{tag}:src/__init__.py"))
        if there is None or there[1] != version:
            yield f"{tag} is on a commit of version {there and there[1]}"


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout
