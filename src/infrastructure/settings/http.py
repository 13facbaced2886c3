"""`[http]`: where a running service listens, and to whom."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, SecretStr
from pydantic.networks import IPvAnyNetwork

from liveorder.domain.errors import SettingsError
from liveorder.infrastructure.settings.sections import FilePath, Section, TokenFile

_LISTEN = re.compile(r"(?:\[([^\]\s]+)\]|([^\s:\[\]/@]+)):(\d{1,5})", re.ASCII)
_LAST_PORT = 65535
SHORTEST_SECRET = 16
"""In characters."""
_HOST = re.compile(r"\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """`host` without brackets. Port 0: any that is free."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises `ValueError`."""
        found = _LISTEN.fullmatch(text)
        if found is None or int(found[3]) > _LAST_PORT:
            raise ValueError("not HOST:PORT: write it like 127.0.0.1:8787 or [::1]:8787")
        return cls(found[1] or found[2], int(found[3]))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it. A name that is not `localhost` may lead anywhere."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"


def _check_listen(text: str) -> str:
    ListenAddress.parse(text)
    return text


def _check_host(text: str) -> str:
    if _HOST.fullmatch(text) is None:
        raise ValueError("not a host name: write it like trading.example.com, without scheme, port and path")
    return text.lower()


HostName = Annotated[str, AfterValidator(_check_host)]


class Http(Section):
    """HTTP of a running service. `liveorder run` listens once it owns its store."""

    listen: Annotated[str, AfterValidator(_check_listen)] | None = None
    """HOST:PORT, usually 127.0.0.1:8787; none: it does not listen."""
    hosts: tuple[HostName, ...] = ()
    """Names under which requests may come, in their Host header, in addition to the host of listen and, on loopback, localhost."""
    tls_certificate: FilePath | None = None
    """PEM file of the certificate and its chain; read at start."""
    tls_key: FilePath | None = None
    """PEM file of its private key."""
    behind_proxy: bool = False
    """True: a proxy before it does TLS. Beyond loopback it must be this, or the TLS files."""
    trusted_proxies: tuple[IPvAnyNetwork, ...] = ()
    """Addresses or networks of proxies whose X-Forwarded-For says who asked; of others it is passed over."""
    secret: SecretStr | None = None
    """What senders of signals sign with, at least 16 characters; taken from the environment only. None: no signals are taken."""
    secret_file: TokenFile | None = None
    """File that holds the secret, read at start."""

    @property
    def address(self) -> ListenAddress | None:
        return None if self.listen is None else ListenAddress.parse(self.listen)

    @property
    def takes_signals(self) -> bool:
        return self.listen is not None and (self.secret is not None or self.secret_file is not None)


def signing_secret(http: Http) -> SecretStr | None:
    """What signals must be signed with. None: none are taken. Raises `SettingsError`, which shows nothing of it."""
    return _secret("secret", http.secret, http.secret_file)


def secrets_in_files(http: Http) -> Iterator[SecretStr]:
    """As far as their files can be read: to be masked, by commands too that have no use for them."""
    with suppress(SettingsError):
        if http.secret_file is not None and (secret := signing_secret(http)) is not None:
            yield secret


def refuse_secrets_in_the_file(table: Any, origin: Path) -> None:
    """Raises `SettingsError` for a secret that is written in the settings file, which is copied and shown."""
    if isinstance(table, dict) and table.get("secret") is not None:
        raise SettingsError(
            f"{origin}: http.secret: a secret does not belong in the settings file; give it in LIVEORDER_HTTP__SECRET, in the "
            "environment or in .env, or name a file in http.secret_file"
        )


def _secret(name: str, written: SecretStr | None, file: Path | None) -> SecretStr | None:
    if file is None:
        secret = written
    elif written is not None:
        raise SettingsError(f"http.{name} and http.{name}_file are both set; keep one")
    else:
        try:
            secret = SecretStr(file.read_text(encoding="utf-8").strip())
        except (OSError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
            raise SettingsError(
                f"http.{name}_file: {file} cannot be read ({reason}); name a file that this user may read"
            ) from None
    if secret is not None and len(secret.get_secret_value()) < SHORTEST_SECRET:
        raise SettingsError(f"http.{name}: too short; give at least {SHORTEST_SECRET} characters, drawn at random")
    return secret


def check_http(http: Http) -> None:
    """Raises `SettingsError` for a secret that cannot be used, and for what other machines would reach unencrypted."""
    signing_secret(http)
    if (http.tls_certificate is None) is not (http.tls_key is None):
        raise SettingsError("http: tls_certificate and tls_key belong together; give both, or leave both out")
    address = http.address
    if address is not None and not address.is_loopback and http.tls_certificate is None and not http.behind_proxy:
        raise SettingsError(
            f"http.listen: {http.listen} is reachable from other machines, where nothing may go unencrypted; give tls_certificate "
            "and tls_key, or behind_proxy = true where a proxy does TLS"
        )
