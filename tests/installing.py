"""A package installed into a folder, as pip leaves it there: its files, its metadata and its entry points. Needs no network."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path


def install_project(project: Path, target: Path) -> None:
    """What its pyproject.toml describes."""
    described = tomllib.loads((project / "pyproject.toml").read_text())
    for package in described["tool"]["setuptools"]["packages"]:
        shutil.copytree(project / package, target / package, ignore=shutil.ignore_patterns("__pycache__"))
    about = described["project"]
    _write_metadata(target, about["name"], about["version"], about["entry-points"])


def install_module(target: Path, name: str, version: str, source: str, entry_points: Mapping[str, Mapping[str, str]]) -> None:
    """A package that is one module of its own name, with - as _."""
    target.mkdir(exist_ok=True)
    (target / f"{name.replace('-', '_')}.py").write_text(source)
    _write_metadata(target, name, version, entry_points)


def _write_metadata(target: Path, name: str, version: str, entry_points: Mapping[str, Mapping[str, str]]) -> None:
    folder = target / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    groups = (
        f"[{group}]\n" + "".join(f"{each} = {place}\n" for each, place in named.items()) for group, named in entry_points.items()
    )
    (folder / "entry_points.txt").write_text("\n".join(groups))
