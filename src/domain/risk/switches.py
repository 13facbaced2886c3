"""The switches: every order meets them, also one that can only reduce a position. Each says itself whom it lets through."""

from __future__ import annotations

from datetime import timedelta

from liveorder.domain.risk.proposal import RiskCase, RiskRefusal
from liveorder.domain.risk_limits import RiskLimits
from liveorder.domain.values import OrderRole

KILL_SWITCH, AUTO_TRADING = "kill_switch", "auto_trading"
"""The codes of the two."""
LATEST_EXIT = timedelta(days=1)
"""How old a signal may be and still take a position off."""

_PROTECTIVE = (OrderRole.STOP_LOSS, OrderRole.TAKE_PROFIT)


def kill_switch(case: RiskCase, limits: RiskLimits) -> RiskRefusal | None:
    """A halt stops every new order but one by which a person reduces a position, and what is left to guard one by a kill: a
    stop-loss or take-profit that waited when the kill came. A replacement is refused by the halt itself.
    """
    halt, is_spared = case.view.halt, case.proposal.terms.passes_halt and case.view.is_killed
    if halt is None or (case.is_reducing and (case.proposal.is_operators or is_spared)):
        return None
    return RiskRefusal(KILL_SWITCH, f"trading is halted ({halt}); see `liveorder status`", halt, "no halt")


def auto_trading(case: RiskCase, limits: RiskLimits) -> RiskRefusal | None:
    """Switched off, no signal trades, a closing one neither: the person who switched it off decides about the positions.

    A person's own orders pass, and so does a stop-loss or take-profit that can only reduce: switching automation off must not
    leave a position unguarded.
    """
    if case.view.auto_trading or case.proposal.is_operators:
        return None
    if case.proposal.terms.role in _PROTECTIVE and case.is_reducing:
        return None
    return RiskRefusal(AUTO_TRADING, "auto-trading is off; set ENABLE_AUTO_TRADING to let signals trade", "off", "on")


def stale_signal(case: RiskCase, limits: RiskLimits) -> RiskRefusal | None:
    """Neither after the end that its sender gave it, nor too old, nor from the future by as much: that is a wrong clock or zone.

    A late exit is better than none, so one that can only reduce may be a day old. Not older: yesterday's file, read again by
    mistake, must not sell today's positions.
    """
    now, signal_at, valid_until = case.view.now, case.proposal.terms.signal_at, case.proposal.terms.stale_after
    if valid_until is not None and now > valid_until:
        ended = valid_until.isoformat()
        return RiskRefusal("stale_signal", f"the signal was valid until {ended}; send a new one", now.isoformat(), ended)
    if signal_at is None or limits.max_signal_age_seconds is None:
        return None
    age_seconds = (now - signal_at).total_seconds()
    allowed_seconds = limits.max_signal_age_seconds
    if abs(age_seconds) > allowed_seconds and case.is_reducing:
        allowed_seconds = max(allowed_seconds, LATEST_EXIT.total_seconds())
    if abs(age_seconds) <= allowed_seconds:
        return None
    message = (
        f"the signal is {age_seconds:.0f} s old; send a new one"
        if age_seconds > 0
        else (f"the signal is dated {-age_seconds:.0f} s ahead; check its clock and time zone")
    )
    return RiskRefusal("stale_signal", message, f"{age_seconds:.3f}", f"{allowed_seconds:g}")
