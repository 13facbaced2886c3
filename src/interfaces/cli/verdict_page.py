"""The verdict of all rules on a signal, for a terminal."""

from __future__ import annotations

from liveorder.application.reporting.views import VerdictView
from liveorder.domain.wording import in_brackets
from liveorder.interfaces.cli.exit_codes import ExitCode
from liveorder.interfaces.cli.screen import print_json, screen, shown


def code_for_verdict(verdict: VerdictView) -> ExitCode:
    return ExitCode.OK if verdict.is_approved else ExitCode.REFUSED


def print_verdict(verdict: VerdictView, *, as_json: bool) -> None:
    if as_json:
        print_json(verdict.to_dict())
        return
    console = screen()
    console.print(shown(_headline(verdict), "bold"))
    for name, value in verdict.figures.items():
        console.print(shown(f"  {name.replace('_', ' ')}: {value}", "dim"))
    console.print(shown("would be sent", "green") if verdict.is_approved else shown("would be refused", "bold red"))
    for refusal in verdict.refusals:
        console.print(shown(f"  {refusal.code}: {refusal.message}", "red"))
    for note in verdict.notes:
        console.print(shown(f"  {note}", "yellow"))


def _headline(verdict: VerdictView) -> str:
    asked, amount = in_brackets(f"asked: {verdict.asked}" if verdict.asked else ""), verdict.quantity
    if amount is None and verdict.notional is None:
        return f"No order in {verdict.instrument} of {verdict.account_id}{asked}"
    wanted = f"{verdict.notional:f} worth of" if amount is None else f"{amount:f}"
    effect = f", {verdict.position_effect}" if verdict.position_effect is not None else ""
    return f"{verdict.side} {wanted} {verdict.instrument} in {verdict.account_id}{effect}{asked}"
