"""One result of certification: what is declared, and what was measured."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass

from liveorder.domain.errors import BrokerError


@dataclass(frozen=True, slots=True)
class Finding:
    """`agrees` is None if nothing is declared about the question, or if it could not be tried."""

    question: str
    declared: str
    measured: str
    agrees: bool | None = None


async def answered(question: str, answer: Awaitable[Finding]) -> Finding:
    """Await the finding. A failure becomes a finding too."""
    try:
        return await answer
    except BrokerError as error:
        return Finding(question, "", f"{type(error).__name__}: {error}", False)
