"""`/healthz` and `/readyz`: the state, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web


def health_routes(is_alive: Callable[[], bool], is_ready: Callable[[], bool]) -> list[web.RouteDef]:
    """200 if so, 503 if not."""

    async def healthz(request: web.Request) -> web.Response:
        return _state("alive", is_alive())

    async def readyz(request: web.Request) -> web.Response:
        return _state("ready", is_ready())

    return [web.get("/healthz", healthz), web.get("/readyz", readyz)]


def _state(name: str, holds: bool) -> web.Response:
    return web.json_response({"state": name if holds else f"not {name}"}, status=200 if holds else 503)
