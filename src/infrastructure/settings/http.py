"""`[http]`: where a running service listens, and to whom."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Annotated, Self

from pydantic import AfterValidator

from liveorder.domain.errors import SettingsError
from liveorder.infrastructure.settings.sections import FilePath, Section

_LISTEN = re.compile(r"(?:\[([^\]\s]+)\]|([^\s:\[\]/@]+)):(\d{1,5})", re.ASCII)
_LAST_PORT = 65535
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

    @property
    def address(self) -> ListenAddress | None:
        return None if self.listen is None else ListenAddress.parse(self.listen)


def check_http(http: Http) -> None:
    """Raises `SettingsError` if it would be reachable unencrypted from other machines."""
    if (http.tls_certificate is None) is not (http.tls_key is None):
        raise SettingsError("http: tls_certificate and tls_key belong together; give both, or leave both out")
    address = http.address
    if address is not None and not address.is_loopback and http.tls_certificate is None and not http.behind_proxy:
        raise SettingsError(
            f"http.listen: {http.listen} is reachable from other machines, where nothing may go unencrypted; give tls_certificate "
            "and tls_key, or behind_proxy = true where a proxy does TLS"
        )
