"""The switches: the only rules that an order which can only reduce a position meets. Each says itself whom it lets through."""

from __future__ import annotations

from datetime import timedelta

from liveorder.domain.risk.proposal import Proposal, RiskRefusal, RiskView, is_reducing
from liveorder.domain.risk_limits import RiskLimits
from liveorder.domain.values import OrderRole

LATEST_EXIT = timedelta(days=1)
"""How old a signal may be and still take a position off."""

_PROTECTIVE = (OrderRole.STOP_LOSS, OrderRole.TAKE_PROFIT)


def kill_switch(proposal: Proposal, view: RiskView, limits: RiskLimits) -> RiskRefusal | None:
    """A halt stops everything but what a person does to reduce a position."""
    if view.halt is None or (proposal.is_operators and is_reducing(proposal, view)):
        return None
    return RiskRefusal("kill_switch", f"trading is halted ({view.halt}); `liveorder resume` lifts it", view.halt, "no halt")


def auto_trading(proposal: Proposal, view: RiskView, limits: RiskLimits) -> RiskRefusal | None:
    """Switched off, no signal trades, a closing one neither: the person who switched it off decides about the positions.

    A person's own orders pass, and so does a stop-loss or take-profit that can only reduce: switching automation off must not
    leave a position unguarded.
    """
    if view.auto_trading or proposal.is_operators:
        return None
    if proposal.role in _PROTECTIVE and is_reducing(proposal, view):
        return None
    return RiskRefusal("auto_trading", "auto-trading is off; set ENABLE_AUTO_TRADING to let signals trade", "off", "on")


def stale_signal(proposal: Proposal, view: RiskView, limits: RiskLimits) -> RiskRefusal | None:
    """Neither after the end that its sender gave it, nor too old, nor from the future by as much: that is a wrong clock or zone.

    A late exit is better than none, so one that can only reduce may be a day old. Not older: yesterday's file, read again by
    mistake, must not sell today's positions.
    """
    if proposal.valid_until is not None and view.now > proposal.valid_until:
        ended = proposal.valid_until.isoformat()
        return RiskRefusal("stale_signal", f"the signal was valid until {ended}; send a new one", view.now.isoformat(), ended)
    if proposal.signal_at is None or limits.max_signal_age_seconds is None:
        return None
    age_seconds = (view.now - proposal.signal_at).total_seconds()
    allowed_seconds = limits.max_signal_age_seconds
    if abs(age_seconds) > allowed_seconds and is_reducing(proposal, view):
        allowed_seconds = max(allowed_seconds, LATEST_EXIT.total_seconds())
    if abs(age_seconds) <= allowed_seconds:
        return None
    message = (
        f"the signal is {age_seconds:.0f} s old; send a new one"
        if age_seconds > 0
        else (f"the signal is dated {-age_seconds:.0f} s ahead; check its clock and time zone")
    )
    return RiskRefusal("stale_signal", message, f"{age_seconds:.3f}", f"{allowed_seconds:g}")
