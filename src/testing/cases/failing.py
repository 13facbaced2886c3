"""Failed requests, each sorted: surely not received, refused, or outcome unknown."""

from __future__ import annotations

from liveorder.application.ports.broker import Absence
from liveorder.domain.errors import (
    BrokerAuthenticationError,
    BrokerError,
    BrokerRateLimitError,
    BrokerUnavailable,
    OutcomeUnknown,
)
from liveorder.domain.execution_report import BrokerStatus
from liveorder.testing.case import case, require
from liveorder.testing.stage import Placed, Stage
from liveorder.testing.venue.faults import Fault, FaultKind, Point


@case
async def a_lost_request_is_not_known(stage: Stage) -> None:
    """The request never arrived, but the adapter cannot know that: `OutcomeUnknown`, then absent."""
    placed = await _unknown(stage, Fault(kind=FaultKind.REQUEST_LOST))
    await stage.venue.clear_faults()
    answer = await stage.certain(placed)
    require(answer is Absence.ABSENT, f"find() returned {answer} for an order that never arrived")


@case
async def a_lost_acknowledgement_is_not_known(stage: Stage) -> None:
    """The request arrived, but the answer did not: `OutcomeUnknown`, then found."""
    await _is_found(stage, await _unknown(stage, Fault(kind=FaultKind.ACKNOWLEDGEMENT_LOST)))


@case
async def a_call_without_an_answer_ends_in_time_as_not_known(stage: Stage) -> None:
    """The connection stands and no answer comes: the adapter's own time-out ends the call."""
    await _is_found(stage, await _unknown(stage, Fault(kind=FaultKind.ACKNOWLEDGEMENT_LOST, silent=True)))


@case
async def a_request_that_is_held_can_turn_up_later(stage: Stage) -> None:
    """The request is still in flight: absent now, found once it arrives, and never two orders."""
    placed = await _unknown(stage, Fault(kind=FaultKind.REQUEST_HELD))
    await stage.venue.clear_faults()
    answer = await stage.certain(placed)
    require(answer is Absence.ABSENT, f"find() returned {answer} for an order that is still in flight")
    await stage.venue.release()
    await _is_found(stage, placed)


@case
async def a_server_error_after_acceptance_is_not_known(stage: Stage) -> None:
    """A 5xx or similar: the order may exist, and does."""
    await _is_found(stage, await _unknown(stage, Fault(kind=FaultKind.SERVER_ERROR)))


@case
async def an_answer_that_cannot_be_read_is_not_known(stage: Stage) -> None:
    """The answer is garbled, but the order exists."""
    await _is_found(stage, await _unknown(stage, Fault(kind=FaultKind.ACKNOWLEDGEMENT_GARBLED)))


@case
async def a_restart_of_the_venue_in_the_middle_is_not_known(stage: Stage) -> None:
    """The venue accepts the order, goes down and comes back. The order is found once the adapter has reconnected."""
    await _is_found(stage, await _unknown(stage, Fault(kind=FaultKind.RESTART)))


@case
async def a_broker_that_cannot_be_reached_received_nothing(stage: Stage) -> None:
    """Without a connection: `BrokerUnavailable`, and no order exists. Afterwards requests work again."""
    placed = stage.ready()
    async with stage.unreachable(stage):
        error = await _failure(stage, placed)
        require(isinstance(error, BrokerUnavailable), f"it was reported as {error!r}")
    require(not await stage.taken(placed), "the venue has the order")
    await stage.connected()
    await stage.rest()


@case
async def a_request_that_came_too_fast_was_not_received(stage: Stage) -> None:
    """The rate limit is exceeded: `BrokerRateLimitError`, and no order exists."""
    await stage.venue.lay(Fault(kind=FaultKind.RATE_LIMITED))
    placed = stage.ready()
    error = await _failure(stage, placed)
    require(isinstance(error, BrokerRateLimitError), f"it was reported as {error!r}")
    require(not await stage.taken(placed), "the venue has the order")


@case
async def refused_credentials_are_told_as_such(stage: Stage) -> None:
    """`BrokerAuthenticationError`, without a secret in it."""
    await stage.venue.lay(Fault(kind=FaultKind.UNAUTHORIZED))
    error = await _failure(stage, stage.ready())
    require(isinstance(error, BrokerAuthenticationError), f"it was reported as {error!r}")
    texts = (str(error), repr(error), repr(error.__cause__), repr(error.__context__))
    require(not any(secret in text for secret in stage.secrets for text in texts), "the error holds a secret")


@case
async def a_cancel_whose_answer_is_lost_is_not_known(stage: Stage) -> None:
    """`OutcomeUnknown`, and the order is found as cancelled."""
    placed = await stage.rest()
    await stage.venue.lay(Fault(kind=FaultKind.ACKNOWLEDGEMENT_LOST, on=Point.CANCEL))
    try:
        await stage.cancel(placed)
    except BrokerError as error:
        require(isinstance(error, OutcomeUnknown), f"it was reported as {error!r}")
    await stage.found(placed, lambda order: order.status is BrokerStatus.CANCELLED, "cancelled")


@case
async def a_replace_whose_answer_is_lost_is_not_known(stage: Stage) -> None:
    """`OutcomeUnknown`, and the order is found with its new terms."""
    placed = await stage.rest()
    await stage.venue.lay(Fault(kind=FaultKind.ACKNOWLEDGEMENT_LOST, on=Point.REPLACE))
    wanted = stage.below("0.95")
    try:
        await stage.replace(placed, limit_price=wanted)
    except BrokerError as error:
        require(isinstance(error, OutcomeUnknown), f"it was reported as {error!r}")
    await stage.found(placed, lambda order: order.limit_price == wanted, "at its new limit")


async def _unknown(stage: Stage, fault: Fault) -> Placed:
    """Send an order that meets the fault. Its outcome is unknown."""
    await stage.venue.lay(fault.model_copy(update={"nth": 1}))
    placed = stage.ready()
    error = await _failure(stage, placed)
    require(isinstance(error, OutcomeUnknown), f"it was reported as {error!r}")
    return placed


async def _failure(stage: Stage, placed: Placed) -> BrokerError:
    try:
        reports = await stage.send(placed)
    except BrokerError as error:
        return error
    require(False, f"nothing failed; the answer was {reports}")
    raise AssertionError


async def _is_found(stage: Stage, placed: Placed) -> None:
    await stage.found(placed, lambda order: order.status in (BrokerStatus.PENDING, BrokerStatus.WORKING), "open")
    require(len(await stage.taken(placed)) == 1, "the venue does not have exactly one order")
