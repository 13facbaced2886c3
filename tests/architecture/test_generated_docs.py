import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
from docs.generate import DECLARED, DOCS, PAGES

from liveorder.domain.broker_capabilities import BrokerCapabilities
from liveorder.infrastructure.settings.sections import AccountSettings


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_as_the_code_has_it_now(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name](), "run `python docs/generate.py`"


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: str(page.relative_to(DOCS)))
def test_every_row_of_a_table_is_one_line(page: Path) -> None:
    rows = [line for line in page.read_text().splitlines() if line.startswith("|")]
    assert [line for line in rows if not line.rstrip().endswith("|")] == []


def test_every_capability_has_a_row_in_the_table_of_brokers() -> None:
    assert sorted(DECLARED) == sorted(each.name for each in fields(BrokerCapabilities))
    page = (DOCS / "brokers/README.md").read_text(encoding="utf-8")
    assert [name for name in DECLARED if f"\n| `{name}` | {DECLARED[name]} | " not in page] == []


def test_the_example_of_capabilities_can_be_set() -> None:
    (block,) = re.findall(r"```toml\n(.+?)```", (DOCS / "brokers/README.md").read_text(encoding="utf-8"), re.DOTALL)
    capabilities = tomllib.loads(block)["accounts"]["capabilities"]
    assert set(AccountSettings(id="A", capabilities=capabilities).capabilities) == set(capabilities) != set()
