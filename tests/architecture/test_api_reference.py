from importlib import import_module

import pytest
from docs.api_reference import SHOWN, public_name

from tests.documentation import ROOT


@pytest.mark.parametrize("page", SHOWN)
def test_a_page_of_the_api_reference_shows_classes_under_names_that_can_be_imported(page: str) -> None:
    assert (ROOT / f"{page}.md").is_file()
    for documented in SHOWN[page]:
        module, _, name = public_name(documented).rpartition(".")
        assert getattr(import_module(module), name) is documented


def test_the_api_reference_names_what_the_package_exports_as_programs_import_it() -> None:
    shown = {public_name(documented) for classes in SHOWN.values() for documented in classes}
    assert {f"liveorder.{name}" for name in import_module("liveorder").__all__ if name != "__version__"} <= shown
