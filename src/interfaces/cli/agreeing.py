"""Commands that compare our state with the broker's, and adopt what is only at the broker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from liveorder.application.engine.command_kind import CommandKind
from liveorder.application.reporting.columns import Column
from liveorder.application.trading.adopt import ADOPTED
from liveorder.domain.position_adjustment import PositionTransferred
from liveorder.interfaces.cli.asking import PATIENCE_SECONDS, ask, show_order
from liveorder.interfaces.cli.exit_codes import ExitCode
from liveorder.interfaces.cli.options import AccountName, AsJson, Config, Evidence, Patience, Store, a_number, quiet_settings_for
from liveorder.interfaces.cli.screen import print_json, say
from liveorder.interfaces.cli.tables import print_table

adopt = typer.Typer(no_args_is_help=True, help="Adopt an order or a position that is at the broker and not ours.")

Account = Annotated[str, typer.Option("--account", help="Of which account.")]
ProductName = Annotated[
    str | None, typer.Option("--product", metavar="PRODUCT", help="Under which it is held, where the broker keeps products apart.")
]
Strategy = Annotated[str, typer.Option("--strategy", metavar="STRATEGY", help="Whose it becomes.")]

DIFFERENCES: tuple[Column[Mapping[str, str]], ...] = (
    Column("Account", lambda row: row["account_id"], tells=True),
    Column("What differs", lambda row: row["kind"]),
    Column("Which", lambda row: row["key"], is_id=True),
    Column("Here", lambda row: row["ours"], justify="right"),
    Column("At the broker", lambda row: row["theirs"], justify="right"),
)


def reconcile(
    config: Config = None,
    store: Store = None,
    as_json: AsJson = False,
    account: AccountName = None,
    timeout: Patience = PATIENCE_SECONDS,
) -> None:
    """Ask the brokers for orders, executions and positions, and list what differs from ours."""
    arguments = {} if account is None else {"account_id": account}
    reports: list[dict[str, Any]] = ask(quiet_settings_for(config, store), CommandKind.RECONCILE, arguments, timeout)
    if as_json:
        print_json(reports)
    else:
        _print_reports(reports)
    raise typer.Exit(_code(reports))


def _code(reports: Sequence[Mapping[str, Any]]) -> ExitCode:
    if any(report["unanswered"] for report in reports):
        return ExitCode.BROKER
    return ExitCode.OK if all(report["is_clean"] for report in reports) else ExitCode.DIFFERS


def _print_reports(reports: Sequence[Mapping[str, Any]]) -> None:
    rows = [{"account_id": report["account_id"], **found} for report in reports for found in report["differences"]]
    if rows:
        print_table("Differences", DIFFERENCES, rows, "")
        for row in rows:
            if row["note"]:
                say(f"{row['key']}: {row['note']}")
        say("`liveorder adopt` makes an order or position at the broker ours", "dim")
    for report in reports:
        if report["unanswered"]:
            say(f"{report['account_id']}: no answer about {', '.join(report['unanswered'])}; nothing is known about them", "yellow")
        elif report["is_clean"]:
            say(f"{report['account_id']} agrees with the broker", "green")


def recover(config: Config = None, store: Store = None, as_json: AsJson = False, timeout: Patience = PATIENCE_SECONDS) -> None:
    """Ask the brokers about every unfinished order now, as a start does."""
    report = ask(quiet_settings_for(config, store), CommandKind.RECOVER, {}, timeout)
    if as_json:
        print_json(report)
        return
    say(f"{report['unfinished']} unfinished, {report['in_doubt']} in doubt, {report['taken_up']} taken up again")
    for account in report["unreachable"]:
        say(f"{account}: no answer from its broker; its orders are asked about as soon as it answers", "yellow")


def transfer(
    instrument: Annotated[str, typer.Argument(metavar="KEY", help="The instrument, as `reconcile` and `positions` print it.")],
    giver: Annotated[str, typer.Option("--from", metavar="STRATEGY", help="Whose position it is.")],
    taker: Annotated[str, typer.Option("--to", metavar="STRATEGY", help="Whose it becomes.")],
    quantity: Annotated[str, typer.Option("--quantity", metavar="NUMBER", help="Units that go; negative: that it is short of.")],
    evidence: Evidence,
    price: Annotated[str | None, typer.Option("--price", metavar="NUMBER", help="Of one unit; default: its average cost.")] = None,
    account: Annotated[str | None, typer.Option("--account", help="Of which account; default: the default account.")] = None,
    product: ProductName = None,
    config: Config = None,
    store: Store = None,
    as_json: AsJson = False,
    timeout: Patience = PATIENCE_SECONDS,
) -> None:
    """Move units from one strategy's position to another's; nothing is ordered."""
    arguments = {
        "account_id": account,
        "instrument": instrument,
        "from": giver,
        "to": taker,
        "quantity": str(a_number("quantity", quantity)),
        "price": None if price is None else str(a_number("price", price)),
        "product": product,
        "evidence": evidence,
    }
    result = ask(quiet_settings_for(config, store), CommandKind.TRANSFER, arguments, timeout)
    if as_json:
        print_json(result)
    else:
        say(PositionTransferred.from_dict(result).sentence(), "green")


@adopt.command("order")
def adopt_order(
    broker_order_id: Annotated[str, typer.Argument(help="The broker's order id.")],
    account: Account,
    evidence: Evidence,
    strategy: Strategy = ADOPTED,
    config: Config = None,
    store: Store = None,
    as_json: AsJson = False,
    timeout: Patience = PATIENCE_SECONDS,
) -> None:
    """Follow a broker's order as if it were ours."""
    arguments = {
        "account_id": account,
        "broker_order_id": broker_order_id,
        "strategy_name": strategy,
        "evidence": evidence,
    }
    show_order(ask(quiet_settings_for(config, store), CommandKind.ADOPT_ORDER, arguments, timeout), as_json=as_json)


@adopt.command("position")
def adopt_position(
    symbol: Annotated[str, typer.Argument()],
    quantity: Annotated[str, typer.Option("--quantity", metavar="NUMBER", help="Units to add to ours; negative: to take off.")],
    price: Annotated[str, typer.Option("--price", metavar="NUMBER", help="What one unit cost.")],
    account: Account,
    evidence: Evidence,
    exchange: Annotated[str | None, typer.Option("--exchange")] = None,
    strategy: Strategy = ADOPTED,
    product: ProductName = None,
    config: Config = None,
    store: Store = None,
    as_json: AsJson = False,
    timeout: Patience = PATIENCE_SECONDS,
) -> None:
    """Book a position that is held at the broker and not here."""
    arguments = {
        "account_id": account,
        "symbol": symbol,
        "exchange": exchange,
        "quantity": str(a_number("quantity", quantity)),
        "price": str(a_number("price", price)),
        "strategy_name": strategy,
        "product": product,
        "evidence": evidence,
    }
    show_order(ask(quiet_settings_for(config, store), CommandKind.ADOPT_POSITION, arguments, timeout), as_json=as_json)
