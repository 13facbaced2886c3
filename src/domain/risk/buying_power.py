"""Is there enough to pay for an order? Asked only where its value is what the broker wants for it."""

from __future__ import annotations

from decimal import Decimal

from liveorder.domain.instrument import Instrument
from liveorder.domain.order.events import decimal_text
from liveorder.domain.risk.exposure import share_of
from liveorder.domain.risk.proposal import BuyingPower, Proposal, RiskCase, RiskRefusal, RiskView
from liveorder.domain.risk_limits import RiskLimits
from liveorder.domain.values import AssetClass, Product, Side

_BOUGHT_OUTRIGHT = (AssetClass.EQUITY, AssetClass.OPTION, AssetClass.CRYPTO)
_ON_MARGIN = (Product.MIS, Product.NRML, Product.MTF)


def is_paid_in_full(instrument: Instrument, side: Side, product: Product | None) -> bool:
    """Whether a broker takes the order's value off its buying power: of shares, long options and coins that are bought.

    What it wants for the rest (a future, a short sale or a written option, shares on intraday margin) follows from margin rules
    that only the broker knows.
    """
    if side is not Side.BUY or instrument.asset_class not in _BOUGHT_OUTRIGHT:
        return False
    return instrument.asset_class is not AssetClass.EQUITY or product not in _ON_MARGIN


def buying_power(case: RiskCase, limits: RiskLimits) -> RiskRefusal | None:
    """Refuses only by a recent figure that none of our orders can have raised since. The broker judges everything else itself."""
    power, needed = case.view.buying_power, _needed(case)
    if power is None or needed is None or not _does_not_cover(power, needed, limits):
        return None
    if not power.is_settled or power.age_seconds > limits.max_account_age_seconds:
        return None
    cost, left = decimal_text(needed), decimal_text(power.amount)
    message = (
        f"it takes {cost} {case.view.currency} and {left} is left of the buying power that the broker reported "
        f"{power.age_seconds:.0f} s ago; order less, or set check_buying_power to false to let the broker judge"
    )
    return RiskRefusal("buying_power", message, cost, left)


def is_short(proposal: Proposal, view: RiskView, limits: RiskLimits) -> bool:
    """Whether the rule would refuse the order by the known figure if it had just been reported."""
    if (power := view.buying_power) is None:
        return False
    case = RiskCase.of(proposal, view, limits)
    needed = None if case.is_reducing else _needed(case)
    return needed is not None and _does_not_cover(power, needed, limits)


def _does_not_cover(power: BuyingPower, needed: Decimal, limits: RiskLimits) -> bool:
    return limits.check_buying_power and needed > power.amount


def _needed(case: RiskCase) -> Decimal | None:
    """The value of the part that adds to the position; None where value is not what is needed, or not known."""
    proposal, view = case.proposal, case.view
    if case.value is None or not is_paid_in_full(proposal.instrument, proposal.terms.side, proposal.terms.product):
        return None
    has = view.of_order
    takes_off, units = has.account.reducible_by(proposal.terms.side, has.agreed_quantity), proposal.units
    return case.value if not takes_off or units is None else share_of(case.value, units - takes_off, units)
