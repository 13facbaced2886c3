"""URLs of Redis: what they say, and what is said of those that cannot be used, never with a password."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveorder.domain.errors import SettingsError
from liveorder.infrastructure.settings.doors import Door
from liveorder.infrastructure.settings.redis_url import (
    ChannelSource,
    StreamSource,
    destination_of,
    source_of,
)
from tests.addresses import encoded, is_hidden_in, passwords

FIELD = "sources.0.url"
FORMS = "redis://HOST:6379/0?stream=NAME&group=NAME or redis://HOST:6379/0?channel=NAME, with a password as ${NAME}"


def source(url: str) -> StreamSource | ChannelSource:
    return source_of(Door(FIELD, url))


def refusal(url: str) -> str:
    with pytest.raises(SettingsError) as raised:
        source(url)
    return str(raised.value)


def test_a_stream_is_read_as_a_group_of_ours_unless_another_is_named() -> None:
    found = source("redis://H:6379/0?stream=trading-signals&group=desk")
    assert isinstance(found, StreamSource)
    assert (found.url.host, found.url.port, found.url.database, found.stream, found.group) == (
        "H",
        6379,
        0,
        "trading-signals",
        "desk",
    )
    assert found.name == "redis://H:6379/0?stream=trading-signals&group=desk"
    assert source("redis://H?stream=s").name == "redis://H:6379/0?stream=s&group=liveorder"
    assert source("redis://H/3?group=g&stream=s%20t").name == "redis://H:6379/3?stream=s%20t&group=g"


def test_a_channel_is_named_by_its_url() -> None:
    found = source("rediss://[::1]:7000/2?channel=signals")
    assert isinstance(found, ChannelSource)
    assert (found.url.host, found.url.is_encrypted, found.name) == ("::1", True, "rediss://[::1]:7000/2?channel=signals")


def test_neither_user_nor_password_is_part_of_a_name() -> None:
    found = source("redis://desk:p%40ss@H/0?stream=s")
    assert (found.url.username, found.url.password) == ("desk", "p@ss")
    assert found.name == "redis://H:6379/0?stream=s&group=liveorder"
    assert "p@ss" not in repr(found)


@given(passwords())
def test_a_password_of_a_variable_may_have_any_character(password: str) -> None:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("REDIS_PASSWORD", password.replace("\0", ""))
        found = source_of(Door(FIELD, "redis://desk:${REDIS_PASSWORD}@H:6379/0?stream=s&group=g"))
    assert (found.url.host, found.url.password) == ("H", password.replace("\0", ""))


def test_a_whole_url_may_stand_in_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:p%40ss@H:6380/1?stream=s")
    found = source("${REDIS_URL}")
    assert (found.url.host, found.url.port, found.url.password) == ("H", 6380, "p@ss")


def test_a_variable_that_is_not_set_is_named() -> None:
    assert "sources.0.url: ${NOT_SET_HERE} is not set; set NOT_SET_HERE in the environment" in refusal(
        "redis://:${NOT_SET_HERE}@H/0?stream=s"
    )


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis://H/0", f"it must name a stream or a channel, and one of them; write {FORMS}"),
        ("redis://H/0?stream=a&channel=b", f"it must name a stream or a channel, and one of them; write {FORMS}"),
        ("redis:///0?stream=a", f"it has no host, or a # in it; write {FORMS}"),
        ("redis:x", f"it has no host, or a # in it; write {FORMS}"),
        ("redis://H/0?stream=a#b", f"it has no host, or a # in it; write {FORMS}"),
        ("redis://[::1/0?stream=a", f"its host cannot be read; write {FORMS}"),
        ("redis://a:b:c/0?stream=a", f"its host cannot be read; write {FORMS}"),
        ("redis://H:x/0?stream=a", "its port is no number from 1 to 65535; write it like redis://HOST:6379/0"),
        ("redis://H:0/0?stream=a", "its port is no number from 1 to 65535; write it like redis://HOST:6379/0"),
        ("redis://H:99999/0?stream=a", "its port is no number from 1 to 65535; write it like redis://HOST:6379/0"),
        ("redis://H/db?stream=a", "the path of its URL is no number of a database; write it like redis://HOST:6379/0"),
        ("redis://H/0?stream=a&stream=b", "?stream=… is given twice; keep one of them"),
        ("redis://H/0?stream=", "?stream=… is empty; give it a value, or leave it out"),
        ("redis://H/0?channel=a&group=g", "?group=… applies to a stream only; leave it out"),
        ("redis://H/0?channel=a&from_beginning=true", "?from_beginning=… applies to a stream only; leave it out"),
        (
            "redis://H/0?stream=a&from_beginning=yes",
            "?from_beginning=… can only be true; write from_beginning=true, or leave it out",
        ),
        (
            "redis://H/0?stream=a&maxlen=5",
            "?maxlen=… is not an option of Redis here; use stream=… or group=… or from_beginning=… or channel=…",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_field_and_the_remedy(url: str, said: str) -> None:
    assert refusal(url) == f"{FIELD}: {said}"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis://H/0?channel=a", "?channel=… is not an option of Redis here; use stream=… or maxlen=…"),
        ("redis://H/0", "it must name a stream; write redis://HOST:6379/0?stream=NAME, with a password as ${NAME}"),
        ("redis://H/0?stream=a&maxlen=0", "?maxlen=… is no number of entries; write it like maxlen=100000, or leave it out"),
        ("redis://H/0?stream=a&maxlen=x", "?maxlen=… is no number of entries; write it like maxlen=100000, or leave it out"),
    ],
)
def test_a_destination_is_a_stream(url: str, said: str) -> None:
    with pytest.raises(SettingsError) as raised:
        destination_of(Door("publishers.0.url", url))
    assert str(raised.value) == f"publishers.0.url: {said}"
    assert destination_of(Door("p", "redis://H/0?stream=a&maxlen=9")).maxlen == 9


_BROKEN = st.sampled_from(
    [
        "redis://bob:{secret}@H/0",
        "redis://bob:{secret}@H:x/0?stream=s",
        "redis://bob:{secret}@[::1/0?stream=s",
        "redis://bob:{secret}@H/{secret}?stream=s",
        "redis://bob:{secret}@H/0?stream=s&password={secret}",
        "redis://H/0?stream=s&{secret}",
        "redis://{secret}@H/0?stream=s&x",
        "rediss:bob:{secret}@H",
    ]
)


@given(_BROKEN, passwords(), st.booleans())
def test_no_refusal_shows_a_password(form: str, password: str, is_encoded: bool) -> None:
    url = form.format(secret=encoded(password) if is_encoded else password)
    assert is_hidden_in(refusal(url))
