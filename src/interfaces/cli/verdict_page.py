"""What all the rules say of a signal, before it is one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from liveorder.application.views import View
from liveorder.bootstrap import Settings, open_service
from liveorder.domain.order.facts import Refused, Requested
from liveorder.domain.signal import Signal
from liveorder.interfaces.cli.exit_codes import ExitCode
from liveorder.interfaces.cli.screen import print_json, screen, shown


class RefusalView(View):
    """`measured` and `limit` are the figures that were compared, the order included."""

    code: str
    message: str
    measured: str | None
    limit: str | None


class VerdictView(View):
    """`refusals` are all that stands in the way; none: it would be sent."""

    signal_id: str
    account_id: str
    instrument: str
    side: str
    quantity: str | None
    notional: str | None
    is_approved: bool
    refusals: tuple[RefusalView, ...]


def verdict_on(settings: Settings, signal: Signal) -> VerdictView:
    """Owns the store for a moment."""
    return asyncio.run(_ask(settings, signal))


async def _ask(settings: Settings, signal: Signal) -> VerdictView:
    async with open_service(settings) as service:
        return _verdict(*await service.engine.execute.validate(signal))


def _verdict(intent: Requested, refusals: Sequence[Refused]) -> VerdictView:
    return VerdictView(
        signal_id=intent.signal_id,
        account_id=intent.account_id,
        instrument=intent.instrument.key,
        side=intent.side.value,
        quantity=None if intent.quantity is None else f"{intent.quantity:f}",
        notional=None if intent.notional is None else f"{intent.notional:f}",
        is_approved=not refusals,
        refusals=tuple(_refusal(refusal) for refusal in refusals),
    )


def _refusal(refusal: Refused) -> RefusalView:
    return RefusalView(code=refusal.code, message=refusal.message, measured=refusal.measured, limit=refusal.limit)


def code_for_verdict(verdict: VerdictView) -> ExitCode:
    return ExitCode.OK if verdict.is_approved else ExitCode.REFUSED


def print_verdict(verdict: VerdictView, *, as_json: bool) -> None:
    if as_json:
        print_json(verdict.to_dict())
        return
    console = screen()
    amount = verdict.quantity if verdict.quantity is not None else f"{verdict.notional} worth of"
    console.print(shown(f"{verdict.side} {amount} {verdict.instrument} in {verdict.account_id}", "bold"))
    console.print(shown("would be sent", "green") if verdict.is_approved else shown("would be refused", "bold red"))
    for refusal in verdict.refusals:
        console.print(shown(f"  {refusal.code}: {refusal.message}", "red"))
