import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("top", ["src", "tests"])
def test_every_package_folder_has_an_init(top: str) -> None:
    folders = {module.parent for module in (ROOT / top).rglob("*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_the_package_has_one_name_only() -> None:
    spec = importlib.util.spec_from_file_location("src", ROOT / "src" / "__init__.py")
    assert spec is not None
    assert spec.loader is not None
    with pytest.raises(ImportError, match="imported as 'src'"):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
