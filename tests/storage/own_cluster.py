"""PostgreSQL servers of a test's own, to be killed: made where their programs are installed, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

_SETTINGS = "-c fsync=off -c listen_addresses=127.0.0.1 -c shared_buffers=16MB -c max_connections=30"
"""Without syncs: what is killed is the server and not the machine."""


class Cluster:
    """One that has been started."""

    def __init__(self, programs: Path, folder: Path, port: int) -> None:
        self._programs, self._folder, self.port = programs, folder, port

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        options = f"{_SETTINGS} -p {self.port} -k {self._folder}"
        self._run("pg_ctl", "start", "-w", "-l", str(self._folder / "log"), "-o", options)

    def stop(self, how: str) -> None:
        """`fast` ends every session in good order, `immediate` is a crash: the next start recovers."""
        self._run("pg_ctl", "stop", "-w", "-m", how)

    def end(self) -> None:
        if (self._folder / "data" / "postmaster.pid").exists():
            self.stop("immediate")

    def crash(self) -> None:
        self.stop("immediate")
        self.start()

    def restart(self) -> None:
        self.stop("fast")
        self.start()

    def kill_writers(self) -> None:
        """SIGKILL to the process behind each session that is at work; the server then throws out all others and recovers."""
        for pid in self._sessions("state = 'active'") or self._sessions("true"):
            with suppress(ProcessLookupError):  # it ended since it was listed
                os.kill(pid, signal.SIGKILL)

    def end_sessions(self) -> None:
        with closing(psycopg.connect(self.url(), autocommit=True)) as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'liveorder'")

    def _sessions(self, condition: str) -> list[int]:
        statement = f"SELECT pid FROM pg_stat_activity WHERE application_name = 'liveorder' AND {condition}"  # noqa: S608 - no input
        with closing(psycopg.connect(self.url(), autocommit=True)) as connection:
            return [pid for (pid,) in connection.execute(statement.encode()).fetchall()]

    def initialise(self) -> None:
        self._run("initdb", "-A", "trust", "-U", "postgres", "--no-sync")

    def replicate(self, folder: Path, *, is_synchronous: bool) -> Cluster:
        """A server that follows this one, from now on. Synchronous: nothing is acknowledged that it does not have."""
        replica = Cluster(self._programs, folder, _free_port())
        from_here = ("-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres")
        replica._run("pg_basebackup", *from_here, "--write-recovery-conf", "--checkpoint=fast", "--no-sync")
        if is_synchronous:
            with closing(psycopg.connect(self.url(), autocommit=True)) as connection:
                connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            self.restart()
        replica.start()
        return replica

    def has_all_of(self, primary: Cluster) -> bool:
        with closing(psycopg.connect(primary.url())) as connection:
            (written,) = connection.execute("SELECT pg_current_wal_lsn()").fetchone() or ("",)
        with closing(psycopg.connect(self.url())) as connection:
            return connection.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", (written,)).fetchone() == (True,)

    def replace(self, primary: Cluster) -> None:
        """A failover: where clients found the primary they find this replica, which for a moment cannot be written."""
        primary.end()
        self.end()
        self.port = primary.port
        self.start()
        self._run("pg_ctl", "promote", "-w")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), "-D", str(self._folder / "data"), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self._folder, timeout=60, **_as_somebody())


def _as_somebody() -> dict[str, Any]:
    """The server refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    return {"user": "postgres", "group": pwd.getpwnam("postgres").pw_gid, "extra_groups": []}


def _programs() -> Path:
    configuration = shutil.which("pg_config")
    if configuration is None:
        pytest.skip("no PostgreSQL server is installed here (pg_config)")
    folder = Path(subprocess.run([configuration, "--bindir"], check=True, capture_output=True, text=True).stdout.strip())
    if not (folder / "initdb").exists():
        pytest.skip("no PostgreSQL server is installed here (initdb)")
    return folder


@contextmanager
def own_cluster() -> Iterator[Cluster]:
    """Skips the test where no server can be made; those on the shared server, whose connections are cut, stand for it then."""
    programs = _programs()
    with _own_folder() as folder:
        cluster = Cluster(programs, folder, _free_port())
        cluster.initialise()
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.end()


@contextmanager
def own_replica(primary: Cluster, *, is_synchronous: bool) -> Iterator[Cluster]:
    with _own_folder() as folder:
        replica = primary.replicate(folder, is_synchronous=is_synchronous)
        try:
            yield replica
        finally:
            replica.end()


@contextmanager
def _own_folder() -> Iterator[Path]:
    """The server's user's."""
    with tempfile.TemporaryDirectory(prefix="liveorder-") as name:
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(name, owner.pw_uid, owner.pw_gid)
        yield Path(name)


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
