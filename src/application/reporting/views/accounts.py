"""An account's money as its broker reported it, each figure with its time."""

from __future__ import annotations

from datetime import datetime

from liveorder.application.reporting.views.fields import Moment, Number, View
from liveorder.domain.broker_account import BrokerAccount, Figure, FigureKind
from liveorder.domain.values import TradingMode

NO_EQUITY = "no_equity"


class FigureView(View):
    """`at` is when the broker reported the amount, and `age_seconds` how long before this view was made."""

    amount: Number
    currency: str
    at: Moment
    age_seconds: float


class PartFigureView(FigureView):
    """Of a part of the account, or in another currency than its own."""

    kind: FigureKind
    part: str
    """An exchange, an asset class or a word of the broker's; empty: the whole account."""


class AccountView(View):
    """Figures of the whole account, in its own currency; None is what the broker does not report. `others` are the rest."""

    account_id: str
    broker: str
    mode: TradingMode | None
    currency: str | None
    equity: FigureView | None = None
    cash: FigureView | None = None
    initial_margin: FigureView | None = None
    maintenance_margin: FigureView | None = None
    available_funds: FigureView | None = None
    buying_power: FigureView | None = None
    others: tuple[PartFigureView, ...] = ()
    notes: tuple[str, ...] = ()
    """What is missing that rules or sizes may need, and how to mend it."""
    problem: str | None = None
    """Why the broker did not answer when it was asked last; the figures are of an earlier answer then, or none."""

    @property
    def figures(self) -> dict[str, FigureView]:
        """Those of the whole account that are known, by name."""
        named = ((kind.value, getattr(self, kind.value)) for kind in FigureKind)
        return {name: figure for name, figure in named if figure is not None}


def account_view(account_id: str, broker: str, account: BrokerAccount | None, now: datetime, problem: str | None) -> AccountView:
    if account is None:
        return AccountView(account_id=account_id, broker=broker, mode=None, currency=None, problem=problem)
    own = {kind: figure for kind in FigureKind if (figure := account.figure(kind)) is not None}
    missing = f"{NO_EQUITY}: {broker} reports no equity; set equity of the account in [[accounts]]"
    return AccountView(
        account_id=account_id,
        broker=broker,
        mode=account.mode,
        currency=account.currency,
        **{kind.value: FigureView.model_validate(_fields(figure, now)) for kind, figure in own.items()},
        others=tuple(
            PartFigureView.model_validate(_fields(each, now) | {"kind": each.kind, "part": each.part})
            for each in account.figures
            if each not in own.values()
        ),
        notes=() if FigureKind.EQUITY in own else (missing,),
        problem=problem,
    )


def _fields(figure: Figure, now: datetime) -> dict[str, object]:
    age_seconds = (now - figure.at).total_seconds()
    return {"amount": figure.amount, "currency": figure.currency, "at": figure.at, "age_seconds": round(age_seconds, 3)}
