"""Addresses of databases as people write and miswrite them, each with a secret that must not be seen again."""

from __future__ import annotations

from hypothesis import strategies as st

HEAD, TAIL = "Sw0rdf1sh", "Tun4f1sh"
"""Any part of a secret that is shown is one of these."""

_NASTY = st.text(st.sampled_from("/@:?#%[]&=+ ;,'\"\\$ü"), max_size=3)
_UNREACHABLE = st.sampled_from(
    ["127.0.0.1:1", "localhost:1", "[::1]:1", "127.0.0.1:1,127.0.0.1:2", "[::1]:1,localhost:1", "h:port", "[::1"]
)
_SCHEME = st.sampled_from(["postgresql", "postgres", "sqlite", "POSTGRESQL", "mysql", "postgresql+psycopg"])
_FORMS = (
    "{scheme}://bob:{secret}@{host}/db",
    "{scheme}://{secret}@{host}/db/x",
    "{scheme}://:{secret}@{host}",
    "{scheme}:bob:{secret}@{host}/db",
    "{scheme}:///bob:{secret}@{host}/db",
    "bob:{secret}@{host}/db",
    "//bob:{secret}@{host}/db",
    "{scheme}://{host}/db?password={secret}",
    "{scheme}://{host}/db?sslmode=disable&sslpassword={secret}",
    "{scheme}://{host}/db?passfile=/{secret}",
    "{scheme}://bob@{host}/db?schema=desk&{secret}",
    "{scheme}://bob:{secret}@{host}/db?password={secret}",
    "host=127.0.0.1 port=1 user=bob password={secret}",
    "password = '{secret}' host=127.0.0.1 port=1",
)


def encoded(text: str) -> str:
    """As it is written within a part of an address."""
    return "".join(c if c.isalnum() and c.isascii() else "".join(f"%{byte:02X}" for byte in c.encode()) for c in text)


@st.composite
def passwords(draw: st.DrawFn) -> str:
    """With anything before, between and behind its two halves."""
    return f"{draw(_NASTY)}{HEAD}{draw(_NASTY)}{TAIL}{draw(_NASTY)}"


@st.composite
def written(draw: st.DrawFn) -> str:
    """A password with anything in it, at any of the places where people write one; percent-encoded or not."""
    password = draw(passwords())
    secret = encoded(password) if draw(st.booleans()) else password
    return draw(st.sampled_from(_FORMS)).format(scheme=draw(_SCHEME), host=draw(_UNREACHABLE), secret=secret)


def is_hidden_in(shown: str) -> bool:
    """Whether no part of any secret is in it."""
    return HEAD not in shown and TAIL not in shown
