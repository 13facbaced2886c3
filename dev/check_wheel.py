"""Build the sdist, the wheel from it, install that wheel alone, and import all of it.

The wheel must hold exactly the files of `src`, and every module must import in an environment that
has nothing but the declared dependencies; those that belong to an extra, once that is installed too.
A package folder without `__init__.py`, a dependency that was never declared, and a module that needs
an optional SDK at import and is not named here all fail.
"""

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
    "liveorder.infrastructure.http_session": "alpaca",
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
    if in_wheel != expected:
        sys.exit(f"wheel and src differ: missing {sorted(expected - in_wheel)}, unexpected {sorted(in_wheel - expected)}")


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


def run(*command: str) -> None:
    finished = subprocess.run(
        command,
        check=False,
        cwd=ROOT.anchor,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if finished.returncode:
        sys.exit(f"{' '.join(command[:4])} failed:\n{finished.stdout}")


if __name__ == "__main__":
    main()
