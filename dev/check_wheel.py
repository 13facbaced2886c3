"""Build the sdist, the wheel from it, install that wheel alone, import all of it, and trade its example in an empty folder.

The wheel must hold exactly the files of `src` and of the example, and every module must import in an environment that
has nothing but the declared dependencies; those that belong to an extra, once that is installed too.
A package folder without `__init__.py`, a dependency that was never declared, and a module that needs
an optional SDK at import and is not named here all fail.
"""

import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = {
    "liveorder.infrastructure.brokers.alpaca": "alpaca",
    "liveorder.infrastructure.brokers.ibkr": "ibkr",
    "liveorder.infrastructure.brokers.kite": "kite",
    "liveorder.infrastructure.http": "http",
    "liveorder.infrastructure.http_session": "alpaca",
    "liveorder.infrastructure.publishers.redis_stream": "redis",
    "liveorder.infrastructure.redis_client": "redis",
    "liveorder.infrastructure.signals.redis_channel": "redis",
    "liveorder.infrastructure.signals.redis_stream": "redis",
    "liveorder.plugins.http": "alpaca",
    "liveorder.testing.broker_contract": "testing",
}
"""By module or package: the extra that it belongs to."""
LOAD_EVERYTHING = """
import importlib, importlib.metadata, sys
for module in sys.argv[1:]:
    importlib.import_module(module)
for script in importlib.metadata.distribution("liveorder").entry_points:
    script.load()
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        wheel = built(Path(folder))
        files = package_files(wheel)
        demand_same_files(files)
        python = installed(wheel, Path(folder) / "venv")
        modules = sorted(module_name(file) for file in files if file.endswith(".py"))
        run(python, "-I", "-W", "error", "-c", LOAD_EVERYTHING, *(each for each in modules if extra_of(each) is None))
        demand_that_the_example_trades(Path(python).parent / "liveorder", Path(folder))
        install(python, f"{wheel}[{','.join(sorted(set(EXTRAS.values())))}]")
        run(python, "-I", "-c", LOAD_EVERYTHING, *(each for each in modules if extra_of(each) is not None))
    print(f"{wheel.name}: {len(files)} files, {len(modules)} modules imported")


def built(folder: Path) -> Path:
    run(sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT))
    (wheel,) = folder.glob("*.whl")
    return wheel


def package_files(wheel: Path) -> set[str]:
    with ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def demand_same_files(in_wheel: set[str]) -> None:
    expected = {"liveorder/py.typed"} | {
        f"liveorder/{path.relative_to(ROOT / 'src').as_posix()}"
        for path in (ROOT / "src").rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    }
    expected |= {f"liveorder/examples/{path.name}" for path in (ROOT / "examples").iterdir() if path.is_file()}
    if in_wheel != expected:
        sys.exit(f"wheel and src differ: missing {sorted(expected - in_wheel)}, unexpected {sorted(in_wheel - expected)}")


def demand_that_the_example_trades(liveorder: Path, folder: Path) -> None:
    """From any folder: all that it leaves is in there, and a second run places nothing."""
    empty = folder / "empty"
    empty.mkdir()
    placed = [json.loads(run(str(liveorder), "demo", "--json", cwd=empty, stderr=subprocess.DEVNULL))["placed"] for _ in range(2)]
    left = sorted(path.relative_to(empty).as_posix() for path in empty.glob("*/*"))
    if placed[0] == 0 or placed[1] != 0 or left != ["var/demo"]:
        sys.exit(f"liveorder demo placed {placed[0]} orders, then {placed[1]}, and left {left}")


def installed(wheel: Path, environment: Path) -> str:
    venv.create(environment, with_pip=True)
    python = str(environment / "bin" / "python")
    install(python, str(wheel))
    return python


def install(python: str, what: str) -> None:
    run(python, "-m", "pip", "install", "-q", "-c", str(ROOT / "constraints.txt"), what)


def extra_of(module: str) -> str | None:
    return next((extra for name, extra in EXTRAS.items() if module == name or module.startswith(f"{name}.")), None)


def module_name(file: str) -> str:
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def run(*command: str, cwd: Path = Path(ROOT.anchor), stderr: int = subprocess.STDOUT) -> str:
    finished = subprocess.run(command, check=False, cwd=cwd, stdout=subprocess.PIPE, stderr=stderr, text=True)
    if finished.returncode:
        sys.exit(f"{' '.join(command[:4])} failed:\n{finished.stdout}")
    return finished.stdout


if __name__ == "__main__":
    main()
