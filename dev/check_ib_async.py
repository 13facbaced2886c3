"""Run the tests of the Interactive Brokers adapter with ib_async, in an environment of its own.

The development environment has ib_insync. Both bring a package `eventkit`, so they cannot be installed side by side. ib_async 2.1
wants an older tzdata than constraints.txt names; every other version is the one that the tests run on.
"""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TESTS = ("tests/unit/ibkr", "tests/contract/brokers/test_ibkr.py")
WITH = ("pytest", "pytest-asyncio", "pytest-xdist", "hypothesis")
USES_IB_ASYNC = "from liveorder.infrastructure.brokers.ibkr import sdk; assert sdk.NAME == 'ib_async', sdk.NAME"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        python = installed(Path(folder))
        run(python, "-c", USES_IB_ASYNC)
        told = run(python, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", *TESTS)
    print(f"with ib_async: {told.splitlines()[-1]}")


def installed(folder: Path) -> str:
    environment = folder / "venv"
    venv.create(environment, with_pip=True)
    python = str(environment / "bin" / "python")
    constraints = folder / "constraints.txt"
    constraints.write_text("".join(line for line in lines() if not line.startswith("tzdata")))
    run(python, "-m", "pip", "install", "-q", "-c", str(constraints), "-e", f"{ROOT}[ib-async]", *WITH)
    return python


def lines() -> list[str]:
    return (ROOT / "constraints.txt").read_text().splitlines(keepends=True)


def run(*command: str) -> str:
    finished = subprocess.run(command, check=False, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if finished.returncode:
        sys.exit(f"{' '.join(command[:4])} failed:\n{finished.stdout}")
    return finished.stdout


if __name__ == "__main__":
    main()
