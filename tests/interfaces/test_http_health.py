"""HTTP of a service over real sockets: where it listens, who may ask, and what it says of its state."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from liveorder.application.engine.service import Service
from liveorder.bootstrap import listening, load_settings
from liveorder.domain.errors import SettingsError
from liveorder.domain.not_listening import NotListening
from liveorder.infrastructure.http import server
from tests.interfaces.command_line import ENOUGH_SECONDS, SETTINGS, CommandLine, eventually
from tests.interfaces.http_doors import ANY_PORT, door
from tests.interfaces.test_alerts import alerts


async def test_it_says_its_state_and_nothing_else(cli: CommandLine) -> None:
    async with door() as http:
        assert [(await http.get(path)).body for path in ("/healthz", "/readyz")] == [{"state": "alive"}, {"state": "ready"}]
        assert (await http.ask("HEAD", "/healthz")).status == 200
        http.service.engine.send_no_more()
        unready = await http.get("/readyz")
        assert (unready.status, unready.body) == (503, {"state": "not ready"})
        assert (await http.get("/healthz")).status == 200
        http.service.engine.ownership.answered_at -= 3600
        hung = await http.get("/healthz")
        assert (hung.status, hung.body) == (503, {"state": "not alive"})
        assert {hung.headers["Server"], hung.headers["Cache-Control"]} == {"liveorder", "no-store"}


async def test_a_service_that_lost_its_store_is_not_ready(cli: CommandLine) -> None:
    async with door() as http:
        http.service.engine.ownership.lose("another process took it")
        assert (await http.get("/readyz")).status == 503


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("localhost:1", 200),
        ("[::1]:8787", 200),
        ("Trading.Example.com", 200),
        ("evil.example.com", 421),
        ("trading.example.com.evil", 421),
        ("[::1]evil", 421),
        ("", 421),
    ],
)
async def test_only_hosts_on_the_list_are_answered(cli: CommandLine, host: str, status: int) -> None:
    async with door(hosts=["trading.example.com"]) as http:
        answer = await http.get("/healthz", Host=host)
        assert (answer.status, answer.body.get("error")) == (status, None if status == 200 else "unknown_host")


async def test_a_page_in_a_browser_is_refused(cli: CommandLine) -> None:
    async with door() as http:
        refused = await http.get("/healthz", Origin="http://127.0.0.1")
        assert (refused.status, refused.body["error"]) == (403, "origin_refused")


async def test_other_paths_and_methods_are_refused_in_the_same_form(cli: CommandLine) -> None:
    async with door() as http:
        assert (await http.get("/nothing")).body == {"error": "not_found", "message": "Not Found"}
        refused = await http.ask("DELETE", "/healthz")
        assert (refused.status, refused.body["error"], refused.headers["Allow"]) == (405, "method_not_allowed", "GET,HEAD")


async def test_a_taken_port_is_tried_again_with_one_alert(cli: CommandLine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        async def free(service: Service) -> None:
            await service.engine.store.wait_beyond(0, ENOUGH_SECONDS)
            taken.close()

        async with door(listen=f"127.0.0.1:{port}", meanwhile=free) as http:
            assert (await http.get("/readyz")).status == 200
            stored = [item.event async for page in http.service.engine.store.log() for item in page]
    (event,) = [each for each in stored if isinstance(each, NotListening)]
    assert (event.address, "already in use" in event.reason.lower()) == (f"127.0.0.1:{port}", True)
    (alert,) = alerts(cli)
    assert "trading goes on" in alert["message"]


async def test_further_connections_are_closed_at_once(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 3)
    async with door() as http:
        held = [await asyncio.open_connection("127.0.0.1", http.listener.port) for _ in range(3)]
        reader, writer = await asyncio.open_connection("127.0.0.1", http.listener.port)
        assert await reader.read() == b""
        for _, each in (*held, (reader, writer)):
            each.close()
            await each.wait_closed()
        async with asyncio.timeout(ENOUGH_SECONDS):
            while await _is_turned_away(http.url("/healthz"), http):
                pass


async def _is_turned_away(url: str, http: Any) -> bool:
    try:
        return bool((await http.get("/healthz")).status != 200)
    except OSError:
        return True


# --- settings ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("http", "words"),
    [
        ({"listen": "8787"}, "write it like 127.0.0.1:8787"),
        ({"listen": "127.0.0.1:65536"}, "write it like 127.0.0.1:8787"),
        ({"listen": "0.0.0.0:8787"}, "0.0.0.0:8787 is reachable from other machines"),
        ({"listen": "[::]:8787"}, "reachable from other machines"),
        ({"listen": "desk.example.com:8787"}, "reachable from other machines"),
        ({"listen": "127.0.0.1:8787", "tls_key": "key.pem"}, "belong together"),
        ({"hosts": ["https://desk"]}, "not a host name"),
    ],
)
def test_settings_that_are_refused(cli: CommandLine, http: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        load_settings(http=http).check()


@pytest.mark.parametrize("listen", ["127.9.9.9:1", "[::1]:1", "localhost:1"])
def test_on_loopback_nothing_else_is_needed(cli: CommandLine, listen: str) -> None:
    load_settings(http={"listen": listen}).check()


def test_beyond_loopback_a_proxy_or_tls_is(cli: CommandLine) -> None:
    load_settings(http={"listen": "0.0.0.0:1", "behind_proxy": True}).check()
    files = {"tls_certificate": "cert.pem", "tls_key": "key.pem"}
    with pytest.raises(SettingsError, match="cannot be read"):
        listening(load_settings(http={"listen": "0.0.0.0:1", **files}))
    for name in files.values():
        cli.write(name, "nonsense")
    with pytest.raises(SettingsError, match="not a certificate"):
        listening(load_settings(http={"listen": "0.0.0.0:1", **files}))


# --- as processes --------------------------------------------------------------------------------------------------------------


ANY_PORT_HERE = SETTINGS + f'[engine]\nlease_seconds = 1\n[http]\nlisten = "{ANY_PORT}"\n'


def ports(cli: CommandLine) -> list[str]:
    """Where services of this folder have listened so far, by their log."""
    log = cli.folder / "logs" / "execution_service.log"
    return re.findall(r"Listening at https?://127\.0\.0\.1:(\d+)", log.read_text()) if log.exists() else []


@contextmanager
def running(cli: CommandLine, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = cli.start("run", *arguments)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def state(url: str, context: ssl.SSLContext | None = None) -> str | None:
    """What it says; None if nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=ENOUGH_SECONDS, context=context) as answer:  # noqa: S310 - of this machine
            return str(json.loads(answer.read())["state"])
    except HTTPError as error:
        return str(json.loads(error.read())["state"])
    except URLError:
        return None


def test_a_standby_listens_once_it_owns_the_store_and_a_service_ends_in_good_order(cli: CommandLine) -> None:
    cli.write("liveorder.toml", ANY_PORT_HERE)
    with running(cli) as owner:
        (port,) = eventually(lambda: ports(cli), owner)
        assert state(f"http://127.0.0.1:{port}/readyz") == "ready"
        with running(cli, "--standby") as standby:
            eventually(lambda: "Standing by" in (cli.folder / "logs" / "execution_service.log").read_text(), standby)
            assert ports(cli) == [port]
            owner.send_signal(signal.SIGTERM)
            _, err = owner.communicate(timeout=ENOUGH_SECONDS)
            assert (owner.returncode, "Traceback" in err) == (0, False)
            eventually(lambda: len(ports(cli)) == 2, standby)
            assert state(f"http://127.0.0.1:{ports(cli)[1]}/readyz") == "ready"


def test_a_run_that_ends_by_itself_does_not_listen(cli: CommandLine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        cli.write("liveorder.toml", SETTINGS + f'[http]\nlisten = "127.0.0.1:{taken.getsockname()[1]}"\n')
        assert cli.run("run", "--until-idle").exit_code == 0
    assert not alerts(cli)


def test_tls_by_the_files_of_the_settings(cli: CommandLine) -> None:
    make_certificate(cli.folder)
    tls = 'tls_certificate = "cert.pem"\ntls_key = "key.pem"\n'
    cli.write("liveorder.toml", ANY_PORT_HERE + tls)
    context = ssl.create_default_context(cafile=cli.folder / "cert.pem")
    with running(cli) as process:
        (port,) = eventually(lambda: ports(cli), process)
        assert state(f"https://127.0.0.1:{port}/healthz", context) == "alive"


def make_certificate(folder: Path) -> None:
    """A certificate of its own for 127.0.0.1, and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
