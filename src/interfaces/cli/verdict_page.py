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
    console.print(
        shown(f"{verdict.side} {_amount(verdict)} {verdict.instrument} in {verdict.account_id}{_effect(verdict)}", "bold")
    )
    for name, value in verdict.figures.items():
        console.print(shown(f"  {name.replace('_', ' ')}: {value}", "dim"))
    console.print(shown("would be sent", "green") if verdict.is_approved else shown("would be refused", "bold red"))
    for refusal in verdict.refusals:
        console.print(shown(f"  {refusal.code}: {refusal.message}", "red"))
    for note in verdict.notes:
        console.print(shown(f"  {note}", "yellow"))


def _amount(verdict: VerdictView) -> str:
    if verdict.quantity is not None:
        return f"{verdict.quantity:f}"
    return "nothing of" if verdict.notional is None else f"{verdict.notional:f} worth of"


def _effect(verdict: VerdictView) -> str:
    effect = f", {verdict.position_effect}" if verdict.position_effect is not None else ""
    return effect + (f" (asked: {verdict.asked})" if verdict.asked else "")
