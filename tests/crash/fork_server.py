"""Where the processes of the crash tests come from: one process that has imported everything, and forks.

Each child is a process of its own, to be killed or paused like any other, and costs milliseconds instead of a second. Children end
with this one, and this one ends with its test: by `PR_SET_PDEATHSIG`, and by the end of their sockets.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

from tests.crash.plans import ServicePlan, VenuePlan

ROOT = Path(__file__).resolve().parents[2]
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
_PR_SET_PDEATHSIG = 1


class ForkServer:
    """Spawns services and venues."""

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests

    def spawn(self, plan: ServicePlan | VenuePlan) -> socket.socket:
        """A new process; what is returned is its only line to anybody."""
        ours, theirs = socket.socketpair()
        with theirs:
            request = json.dumps([type(plan).__name__, asdict(plan)]).encode()
            socket.send_fds(self._requests, [request], [theirs.fileno()])
        ours.setblocking(False)
        return ours


@asynccontextmanager
async def fork_server() -> AsyncIterator[ForkServer]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    with ours:
        command = [sys.executable, "-m", "tests.crash.fork_server", str(theirs.fileno())]
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, pass_fds=[theirs.fileno()], env=os.environ | ONE_THREAD)
        theirs.close()
        try:
            yield ForkServer(ours)
        finally:
            process.kill()
            await process.wait()


# --- the other side ------------------------------------------------------------------------------------------------------------


def spawn_on_request(requests: socket.socket) -> None:
    """Until nobody can ask any more."""
    from tests.crash import made_before, service_process, venue_process
    from tests.crash.wires import load_client

    mains = {"ServicePlan": service_process.main, "VenuePlan": venue_process.main}
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    made_before.make_ready()
    gc.freeze()
    while True:
        request, lines, _, _ = socket.recv_fds(requests, 1 << 20, 1)
        if not request:
            return
        parent = os.getpid()
        kind, plan = json.loads(request)
        load_client(plan["key_class"])
        if os.fork() == 0:
            requests.close()
            die_with_parent(parent)
            mains[kind](plan, socket.socket(fileno=lines[0]))
            os._exit(0)
        os.close(lines[0])


def die_with_parent(parent: int) -> None:
    """Killed when the process that forked this one is gone, also while paused."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


if __name__ == "__main__":
    spawn_on_request(socket.socket(fileno=int(sys.argv[1])))
