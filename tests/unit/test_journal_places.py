"""Each store has an emergency journal of its own, the same for every spelling of its address."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest

from liveorder.bootstrap.parts import journal_of, journal_path
from liveorder.infrastructure.settings import Settings
from tests.addresses import HEAD, TAIL

STORES = [
    "sqlite:///var/a",
    "sqlite:///var/a.db",
    "sqlite:///var/a.sqlite",
    "sqlite:///b/a.db",
    "postgresql://127.0.0.1/db",
    "postgresql://127.0.0.1/db?schema=two",
    "postgresql://127.0.0.1/db2",
    "postgresql://127.0.0.1:5433/db",
    "postgresql://elsewhere/db",
    "postgresql://one,two/db",
    "postgresql:///db",
    "postgresql:///db?host=/tmp",
]
SPELLINGS = {
    "postgresql://one/db": [
        "postgres://one/db",
        "postgresql://one:5432/db",
        "postgresql://ONE/db",
        "postgresql:///db?host=one",
        "postgresql://one/d%62",
        "postgresql://one/db?schema=liveorder",
        f"postgresql://bob:{HEAD}{TAIL}@one/db?sslmode=disable",
        "postgresql:///?dbname=db&host=one&port=5432",
    ],
    "postgresql://one,two:5433/db": ["postgresql://two:5433,one:5432/db", "postgresql:///db?host=one,two&port=,5433"],
    "postgresql://one:7,two:7/db": ["postgresql:///db?host=one,two&port=7"],
    "postgresql://[::1]/db": ["postgresql:///db?host=::1"],
    "postgresql://bob@one": ["postgresql://bob@one/bob"],
}


def path_of(store: str) -> Path:
    return journal_path(Settings(store=store))


@pytest.mark.parametrize("pair", [*combinations(STORES, 2)], ids=" ".join)
def test_two_stores_have_two_journals(pair: tuple[str, str]) -> None:
    assert path_of(pair[0]) != path_of(pair[1])


@pytest.mark.parametrize("store", SPELLINGS)
def test_every_spelling_of_an_address_names_one_journal(store: str) -> None:
    for spelling in SPELLINGS[store]:
        assert path_of(spelling) == path_of(store), spelling


def test_what_the_environment_says_of_the_server_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    named = path_of("postgresql://one:7/db")
    monkeypatch.setenv("PGHOST", "one")
    monkeypatch.setenv("PGPORT", "7")
    monkeypatch.setenv("PGDATABASE", "db")
    assert path_of("postgresql://") == named


@pytest.mark.parametrize(
    ("store", "former"),
    [
        ("sqlite:///var/a.db", "var/a.emergency.jsonl"),
        ("sqlite:///var/a.sqlite", "var/a.emergency.jsonl"),
        ("postgresql://one/db", "var/liveorder.emergency.jsonl"),
    ],
)
def test_a_journal_that_an_earlier_version_left_is_trouble(
    store: str, former: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    journal = journal_of(Settings(store=store))
    assert journal.trouble() is None
    Path("var").mkdir()
    Path(former).touch()
    assert former in (journal.trouble() or "")
