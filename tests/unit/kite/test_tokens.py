"""The access token of the day: where it is read, what happens when it ends, and how a person makes the next."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from liveorder.domain.errors import BrokerAuthenticationError, BrokerError, InvalidInput, SettingsError
from liveorder.infrastructure.brokers.kite import login, tokens
from liveorder.infrastructure.brokers.kite.session import client_of
from liveorder.infrastructure.brokers.kite.tokens import AccessToken
from liveorder.infrastructure.settings.sections import Kite
from tests.twins.kite.server import FIRST_TOKEN, NEXT_TOKEN
from tests.unit.kite.canned import MORNING, broker_on, error, success
from tests.unit.kite.stage import scene

EVENING = datetime(2026, 11, 19, 14, 0, tzinfo=UTC)
"""Before the morning of the tests."""


def test_a_token_that_is_written_is_read_again_and_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "token.json"
    tokens.write(path, "secret-one", EVENING)
    tokens.write(path, "secret-two", MORNING)
    assert tokens.read(path) == AccessToken(SecretStr("secret-two"), MORNING)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "secret" not in repr(tokens.read(path))


def test_a_file_with_nothing_but_the_token_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret-one\n")
    assert tokens.current(Kite(access_token_file=tmp_path / "token")) == AccessToken(SecretStr("secret-one"))


@pytest.mark.parametrize("content", [None, "{", '{"access_token": "secret-one"}'])
def test_a_file_that_holds_no_token_is_told_with_the_remedy(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "token.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(BrokerAuthenticationError, match="liveorder kite login") as caught:
        tokens.current(Kite(access_token_file=path))
    assert "secret-one" not in str(caught.value)


def test_without_any_token_the_remedy_is_told() -> None:
    with pytest.raises(BrokerAuthenticationError, match="liveorder kite login"):
        tokens.current(Kite())


@pytest.mark.parametrize(
    ("made_at", "ends_at"),
    [
        (datetime(2026, 11, 19, 3, 0, tzinfo=UTC), datetime(2026, 11, 20, 0, 30, tzinfo=UTC)),
        (datetime(2026, 11, 19, 20, 0, tzinfo=UTC), datetime(2026, 11, 20, 0, 30, tzinfo=UTC)),
        (datetime(2026, 11, 20, 0, 30, tzinfo=UTC), datetime(2026, 11, 21, 0, 30, tzinfo=UTC)),
    ],
)
def test_a_token_ends_at_six_in_an_indian_morning(made_at: datetime, ends_at: datetime) -> None:
    token = AccessToken(SecretStr("secret-one"), made_at)
    assert not token.has_surely_ended(ends_at - timedelta(seconds=1))
    assert token.has_surely_ended(ends_at)
    assert not AccessToken(SecretStr("secret-one")).has_surely_ended(ends_at)


def test_a_token_of_yesterday_is_warned_about_at_connect(tmp_path: Path) -> None:
    tokens.write(tmp_path / "token.json", "secret-one", EVENING)
    canned = broker_on({}, access_token_file=tmp_path / "token.json")
    (told,) = canned.log.of("ERROR")
    assert "has ended" in told
    assert "secret-one" not in told


async def test_a_token_that_ends_is_told_once_and_a_login_is_taken_up_without_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "token.json"
    tokens.write(path, FIRST_TOKEN, datetime.now(UTC))
    async with scene(access_token_file=path) as live:
        live.twin.end_the_session()
        for _ in range(3):
            with pytest.raises(BrokerAuthenticationError, match="liveorder kite login"):
                await live.broker.open_orders()
        assert len(live.log.of("ERROR")) == 1
        assert [report async for report in live.broker.reports()] == []
        tokens.write(path, NEXT_TOKEN, datetime.now(UTC))
        with pytest.raises(BrokerAuthenticationError):
            await live.submit()
        await live.submit()
        await live.broker.connect()


# --- login ---------------------------------------------------------------------------------------------------------------------

WITH_SECRET = Kite(api_key=SecretStr("anapikey"), api_secret=SecretStr("anapisecret"))


def test_the_login_address_names_the_app_and_no_secret() -> None:
    address = login.login_address(WITH_SECRET)
    assert address.startswith("https://kite.zerodha.com/connect/login?api_key=anapikey")
    assert "anapisecret" not in address


@pytest.mark.parametrize(
    "answer",
    [
        "AbCd1234",
        " AbCd1234\n",
        "https://127.0.0.1/?action=login&type=login&status=success&request_token=AbCd1234",
        "http://localhost:5000/redirect?request_token=AbCd1234&action=login&status=success",
    ],
)
def test_the_request_token_is_read_from_itself_or_from_the_address(answer: str) -> None:
    assert login.request_token_in(answer) == "AbCd1234"


@pytest.mark.parametrize("answer", ["", "https://127.0.0.1/?action=login&status=cancelled", "a b", "token; rm"])
def test_an_answer_without_a_token_is_told(answer: str) -> None:
    with pytest.raises(InvalidInput, match="request token"):
        login.request_token_in(answer)


@pytest.mark.parametrize("section", [Kite(), Kite(api_key=SecretStr("anapikey"))])
def test_what_is_missing_for_a_login_is_named(section: Kite) -> None:
    with pytest.raises(SettingsError, match="KITE_API_SECRET"):
        login.exchanged(section, "AbCd1234", MORNING)
    if section.api_key is None:
        with pytest.raises(SettingsError, match="KITE_API_KEY"):
            login.login_address(section)


@pytest.mark.parametrize(
    "answer", [error(403, "TokenException", "AbCd1234 is invalid for anapisecret"), success("{}"), success("[]")]
)
def test_a_login_that_fails_tells_no_secret(answer: object, monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_of(WITH_SECRET, 1.0)
    client.reqsession.mount("https://", broker_on({"/session/token": answer}).wire)  # type: ignore[dict-item]  # one of the answers
    monkeypatch.setattr(login, "client_of", lambda *_: client)
    with pytest.raises(BrokerError) as caught:
        login.exchanged(WITH_SECRET, "AbCd1234", MORNING)
    assert not any(secret in f"{caught.value!r} {caught.value}" for secret in ("AbCd1234", "anapisecret"))
    assert caught.value.__context__ is None
