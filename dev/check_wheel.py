"""Build the sdist, the wheel from it, install that wheel alone, and import all of it.

The wheel must hold exactly the files of `src`, and every module must import in an environment that
has nothing but the declared dependencies. A package folder without `__init__.py`, a dependency that
was never declared, and a module that needs an optional SDK at import all fail here.
"""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).resolve().parents[1]
LOAD_EVERYTHING = """
import importlib.metadata, sys
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
        run(python, "-I", "-W", "error", "-c", LOAD_EVERYTHING, *modules)
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
    run(python, "-m", "pip", "install", "-q", "-c", str(ROOT / "constraints.txt"), str(wheel))
    return python


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
