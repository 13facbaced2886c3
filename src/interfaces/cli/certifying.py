"""The command that compares a broker with what its adapter declares."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from decimal import Decimal
from typing import Annotated

import typer

from liveorder.application.ports.instruments import InstrumentQuery
from liveorder.bootstrap import AccountSettings, Settings, load_settings, open_brokerage
from liveorder.domain.errors import InvalidInput
from liveorder.domain.values import TradingMode
from liveorder.interfaces.cli.exit_codes import ExitCode
from liveorder.interfaces.cli.options import AsJson, Config, a_number
from liveorder.interfaces.cli.screen import print_json, say, screen, shown
from liveorder.interfaces.cli.tables import print_pairs
from liveorder.testing.certification import Certification
from liveorder.testing.finding import Finding
from liveorder.testing.trials import TinyOrder

CHEAP = {"alpaca": ("F", None), "ibkr": ("F", None), "kite": ("IDEA", "NSE")}
"""By broker, symbol and exchange of an instrument of which one lot costs little."""
WITHOUT_PAPER = frozenset({"kite"})
"""Brokers without paper accounts. Certification still asks them everything that needs no order."""
SMALL = Decimal(250)


def certify(
    broker: Annotated[str, typer.Option("--broker", help="alpaca, ibkr, kite or simulated.")],
    config: Config = None,
    as_json: AsJson = False,
    account: Annotated[str | None, typer.Option("--account", help="Which account, if the broker has several.")] = None,
    symbol: Annotated[str | None, typer.Option("--symbol", help="What to trade; default: something cheap.")] = None,
    exchange: Annotated[str | None, typer.Option("--exchange")] = None,
    away: Annotated[str, typer.Option("--away", metavar="PERCENT", help="How far from the market.")] = "10",
    max_value: Annotated[str | None, typer.Option("--max-value", metavar="AMOUNT", help="Maximum value of one order.")] = None,
    live: Annotated[str | None, typer.Option("--live", metavar="ACCOUNT", help="Use real money, on this account.")] = None,
) -> None:
    """Ask a broker, and try tiny orders far from the market, cancelled at once: does it do what its adapter declares?"""
    settings = load_settings(config, broker=broker, logs={"console": False})
    chosen = _account(settings, account)
    instrument = _instrument(chosen, symbol, exchange)
    order = _order(settings, chosen, a_number("--away", away), a_number("--max-value", max_value), live)
    findings: list[Finding] = []
    try:
        asyncio.run(_find(settings, chosen, instrument, order, findings))
    finally:
        if findings:
            _show(f"{chosen.id} at {chosen.broker}", findings, as_json=as_json)
    if any(finding.agrees is False for finding in findings):
        raise typer.Exit(ExitCode.DIFFERS)
    if not as_json:
        say("the broker does what its adapter declares, as far as was tried", "green")


async def _find(
    settings: Settings, account: AccountSettings, instrument: InstrumentQuery, order: TinyOrder | None, findings: list[Finding]
) -> None:
    """Appends findings as they are made, so that those before an error are shown too."""
    async with open_brokerage(settings, account.id) as (brokerage, clock):
        certification = Certification(brokerage, account.id, settings.mode, clock)
        async for finding in certification.findings(instrument, order):
            findings.append(finding)  # noqa: PERF401 - one by one


def _account(settings: Settings, wanted: str | None) -> AccountSettings:
    """Raises `InvalidInput` and `SettingsError`."""
    settings.check()
    accounts = {account.id: account for account in settings.trading_accounts}
    if wanted is None and len(accounts) > 1:
        raise InvalidInput("--account", "there are several at this broker", f"name one of {', '.join(accounts)}")
    chosen = next(iter(accounts.values())) if wanted is None else accounts.get(wanted)
    if chosen is None:
        raise InvalidInput("--account", f"{wanted} is not an account at this broker", f"name one of {', '.join(accounts)}")
    return chosen


def _instrument(account: AccountSettings, symbol: str | None, exchange: str | None) -> InstrumentQuery:
    cheap = CHEAP.get(account.broker, ("AAPL", None))
    return InstrumentQuery(*cheap) if symbol is None else InstrumentQuery(symbol, exchange or account.exchange)


def _order(
    settings: Settings,
    account: AccountSettings,
    away: Decimal | None,
    max_value: Decimal | None,
    live: str | None,
) -> TinyOrder | None:
    """None if nothing may be sent. Raises `InvalidInput` for real money without confirmation."""
    if away is None or not 0 < away < 100:
        raise InvalidInput("--away", "is not between 0 and 100", "give a percentage such as 10")
    is_live = settings.mode is TradingMode.LIVE
    if is_live and not _is_confirmed(account, max_value, live):
        say(
            f"{account.id} is real money: only questions are asked; --live {account.id} --max-value AMOUNT sends tiny orders",
            "yellow",
        )
        return None
    return TinyOrder(max_value or SMALL, away / 100, account.product, may_be_live=is_live)


def _is_confirmed(account: AccountSettings, max_value: Decimal | None, live: str | None) -> bool:
    if live is None:
        if account.broker in WITHOUT_PAPER:
            return False
        raise InvalidInput("TRADING_MODE", f"{account.id} is real money", f"use a paper account, or add --live {account.id}")
    if live != account.id:
        raise InvalidInput("--live", f"{live} is not the account that would be used, {account.id}", "name the one that you mean")
    if max_value is None:
        raise InvalidInput("--max-value", "real money needs a bound", "give the maximum value of one order")
    typed = typer.prompt(
        f"This sends real orders for up to {max_value:f} on {account.id}. Type the account's name to go on", err=True
    )
    if typed != account.id:
        raise InvalidInput("confirmation", "it was not the account's name", "nothing was sent; start again if you want to")
    return True


def _show(title: str, findings: list[Finding], *, as_json: bool) -> None:
    """Print the findings. Those that differ are repeated at the end."""
    if as_json:
        print_json([asdict(finding) for finding in findings])
        return
    print_pairs(title, [(finding.question, _text(finding)) for finding in findings])
    for finding in findings:
        if finding.agrees is False:
            screen().print(shown(f"{finding.question}: {_text(finding)}", "bold red"), soft_wrap=True)


def _text(finding: Finding) -> str:
    mark = {True: "ok: ", False: "DIFFERS: ", None: ""}[finding.agrees]
    return f"{mark}{finding.measured}" + (f" (declared: {finding.declared})" if finding.declared else "")
