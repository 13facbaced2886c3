"""Whatever somebody writes as the address of a database: it is understood exactly, or refused unseen."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict
from pydantic import ValidationError

from liveorder.domain.errors import LiveOrderError
from liveorder.infrastructure.clock import SystemClock
from liveorder.infrastructure.database_url import PostgresUrl, SqliteUrl, database_url
from liveorder.infrastructure.eventstore.postgres_connection import address_of
from liveorder.infrastructure.eventstore.store_by_url import database_at
from liveorder.infrastructure.secrecy import Censor
from liveorder.infrastructure.settings import Settings
from liveorder.interfaces.runner import Runner
from tests.addresses import HEAD, TAIL, encoded, is_hidden_in, passwords, written

_HOSTS = {
    "db.example": ("db.example", None),
    "db.example:6432": ("db.example", "6432"),
    "[::1]:5432": ("::1", "5432"),
    "h1:5432,[::1]:5433": ("h1,::1", "5432,5433"),
    "%2Fvar%2Frun": ("/var/run", None),
    "": (None, None),
}


def _chain(error: BaseException | None) -> Iterator[str]:
    """Every text that an error leads to, whether a traceback shows it or not."""
    while error is not None:
        yield f"{error} {error!r} {error.args} {''.join(traceback.format_exception(error))}"
        yield from _chain(error.__cause__)
        error = error.__context__


def _shown_by(make: Callable[[], object]) -> str:
    """By what it makes, or by its error."""
    try:
        made = make()
    except (LiveOrderError, ValidationError) as error:
        return "".join(_chain(error))
    return f"{made} {made!r}"


@given(written())
@example(f"postgresql://h/db?password={HEAD}&{TAIL}")
@example(f"postgresql://bob:%zz{HEAD}@h/db")
def test_no_error_and_no_text_of_an_address_shows_a_secret(url: str) -> None:
    assert is_hidden_in(_shown_by(lambda: database_url(url)))
    assert is_hidden_in(_shown_by(lambda: address_of(url)))
    assert is_hidden_in(_shown_by(lambda: database_at(url, SystemClock())))
    assert is_hidden_in(_shown_by(lambda: Settings.load(store=url)))


@given(written(), st.sampled_from(["store", "read_model"]))
def test_settings_that_hold_an_address_show_no_secret(url: str, name: str) -> None:
    assert is_hidden_in(_shown_by(lambda: Settings.model_validate({name: url})))
    assert is_hidden_in(_shown_by(lambda: Settings.model_validate({name: url}).masked()))


@given(passwords())
def test_the_passwords_of_addresses_are_known_to_whoever_must_hide_them(password: str) -> None:
    query = f"passfile=x{encoded(password)}"
    loaded = Settings(store=f"postgresql://h/d?{query}", read_model=f"postgresql://bob:{encoded(password)}@h/d")
    known = {secret.get_secret_value() for secret in loaded.secrets}
    assert {password, encoded(password), f"x{password}", f"x{encoded(password)}"} <= known


@given(written())
async def test_opening_a_runner_on_an_address_shows_no_secret(url: str) -> None:
    with pytest.raises(LiveOrderError) as caught:  # nothing answers there
        async with Runner.open(store=url):
            pass
    assert is_hidden_in("".join(_chain(caught.value)))


@given(
    passwords(),
    st.sampled_from(sorted(_HOSTS)),
    st.sampled_from(["", "?schema=desk", "?sslmode=disable&schema=desk&sslpassword=x%20y"]),
)
def test_an_encoded_password_reaches_the_server_as_it_is(password: str, host: str, query: str) -> None:
    found = database_url(f"postgresql://b%40b:{encoded(password)}@{host}/d{query}")
    assert isinstance(found, PostgresUrl)
    given = conninfo_to_dict(found.conninfo("test"))
    assert (given["password"], given["user"], given["dbname"]) == (password, "b@b", "d")
    assert (given.get("host"), given.get("port")) == _HOSTS[host]
    assert found.schema_name == ("desk" if "schema" in query else "liveorder")
    assert given.get("sslpassword") == ("x y" if "sslpassword" in query else None)
    assert str(found).startswith(f"postgresql://b%40b:**********@{host}/d")


@given(passwords(), st.text(max_size=20), st.text(max_size=20))
def test_a_password_in_an_address_in_any_text_is_hidden(password: str, before: str, after: str) -> None:
    url = f"https://bob:{encoded(password)}@h/x?access_token={encoded(password)}"
    assert is_hidden_in(Censor()(f"{before} {url} {after}"))


@given(passwords(), st.booleans(), st.text(max_size=20))
def test_a_password_in_an_address_that_went_through_a_path_is_hidden(password: str, is_encoded: bool, before: str) -> None:
    url = f"postgresql://bob:{encoded(password) if is_encoded else password}@h/db"
    assert is_hidden_in(Censor()(f"{before} {Path(url)}"))


@given(passwords())
def test_what_cannot_be_taken_apart_in_a_text_is_hidden(password: str) -> None:
    assert is_hidden_in(Censor()(f"cannot reach postgresql://bob:{password}@h/db"))
    assert is_hidden_in(Censor()(f"cannot reach host=h user=bob password={password}"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Order filled: 100 @ 235.15", "Order filled: 100 @ 235.15"),
        ("see https://docs.example/a#b: 100 @ 235.15", "see https://docs.example/a#b: 100 @ 235.15"),
        ("Reads follow:/home/bob@desk/x.jsonl: from byte 5", "Reads follow:/home/bob@desk/x.jsonl: from byte 5"),
        ("write to help@broker.example", "write to help@broker.example"),
        ("GET https://h/x?page=2&api_key=abc&b=1 failed", "GET https://h/x?page=2&api_key=**********&b=1 failed"),
        ("https://token@h/x is down", "https://**********@h/x is down"),
        ("wss://bob:pw@h/x is down", "wss://bob:**********@h/x is down"),
        ("postgresql://bob:p@ss@h/x is down", "postgresql://**********"),
        ("host=h password='a b' user=x", "host=h password=**********"),
    ],
)
def test_what_is_no_secret_stays_readable(text: str, shown: str) -> None:
    assert Censor()(text) == shown


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///x.db", "x.db"),
        ("sqlite:////a%20b/x.db", "/a b/x.db"),
        ("sqlite:////home/bob@corp.example/x.db", "/home/bob@corp.example/x.db"),
    ],
)
def test_a_file_is_named_as_ever(url: str, path: str) -> None:
    found = database_url(url)
    assert isinstance(found, SqliteUrl)
    assert str(found.path) == path
