"""The verdict of all rules on a signal, for a terminal."""

from __future__ import annotations

from liveorder.application.reporting.views import VerdictView
from liveorder.interfaces.cli.exit_codes import ExitCode
from liveorder.interfaces.cli.screen import print_json, screen, shown


def code_for_verdict(verdict: VerdictView) -> ExitCode:
    return ExitCode.OK if verdict.is_approved else ExitCode.REFUSED


def print_verdict(verdict: VerdictView, *, as_json: bool) -> None:
    if as_json:
        print_json(verdict.to_dict())
        return
    console = screen()
    amount = f"{verdict.quantity:f}" if verdict.quantity is not None else f"{verdict.notional:f} worth of"
    console.print(shown(f"{verdict.side} {amount} {verdict.instrument} in {verdict.account_id}", "bold"))
    console.print(shown("would be sent", "green") if verdict.is_approved else shown("would be refused", "bold red"))
    for refusal in verdict.refusals:
        console.print(shown(f"  {refusal.code}: {refusal.message}", "red"))
    for note in verdict.notes:
        console.print(shown(f"  {note}", "yellow"))
