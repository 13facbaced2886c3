import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Joined here, so that this file does not hold what it looks for.
REGISTRY_HOSTS = [
    ".".join(parts)
    for parts in [
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("anaconda", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("crates", "io"),
    ]
]
MACHINE_PATHS = ["/".join(parts) for parts in [("", "work", ""), ("", "root", ""), ("", "tmp", "lib"), ("..", "shared")]]
LINT_EXCEPTION = re.compile(r"#\s*(noqa|type:\s*ignore|pragma:\s*no)")
REASON = re.compile(r"(noqa: [A-Z0-9, ]+|type: ignore\[[a-z, -]+\]|pragma: no \w+)\s+(--?|#)\s+\w")


@pytest.mark.parametrize("host", REGISTRY_HOSTS)
def test_no_file_names_a_package_registry_host(host: str) -> None:
    assert files_containing(host) == []


@pytest.mark.parametrize("path", MACHINE_PATHS)
def test_no_file_names_a_path_of_one_machine(path: str) -> None:
    assert files_containing(path) == []


def test_every_lint_exception_gives_its_reason() -> None:
    assert [
        f"{path.relative_to(ROOT)}:{number}"
        for path in project_files()
        if path.suffix == ".py"
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if LINT_EXCEPTION.search(line) and not REASON.search(line)
    ] == []


def files_containing(text: str) -> list[str]:
    needle = text.encode()
    return [str(path.relative_to(ROOT)) for path in project_files() if needle in path.read_bytes()]


def project_files() -> Iterator[Path]:
    """Tracked or about to be; the layout's symlink leads to files that are listed anyway."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    paths = (ROOT / name for name in listed.stdout.split("\0") if name)
    return (path for path in paths if path.is_file())
