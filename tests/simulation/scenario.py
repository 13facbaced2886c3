"""What one seed draws: a broker of some kind, and a list of steps at their times. The list can be thinned out."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeAlias

from liveorder.domain.broker_capabilities import BrokerCapabilities
from liveorder.testing.venue.faults import Fault
from liveorder.testing.venue.settings import VenueSettings


class CommitFault(StrEnum):
    """What the next commit suffers. Where it says so, the process dies within it, or the store is away after it."""

    NOT_STORED = "commit failed, not stored"
    STORED = "commit failed, stored"
    NOT_STORED_AND_AWAY = "commit failed, not stored, cannot be read back"
    STORED_AND_AWAY = "commit failed, stored, cannot be read back"
    DIES_BEFORE = "died before a commit"
    DIES_AFTER = "died after a commit"


@dataclass(frozen=True)
class Delivered:
    """A message comes to the source."""

    at: float
    text: str


@dataclass(frozen=True)
class DeliveredTogether:
    """Many messages come to the source at once."""

    at: float
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Commanded:
    """A person asks for something, as from another process. `signal_id` names the order, where it is about one."""

    at: float
    kind: str
    signal_id: str | None = None
    arguments: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class HaltPut:
    """Another process puts the halt's row in its place, owner or no owner."""

    at: float


@dataclass(frozen=True)
class Laid:
    """From now on the venue has this fault."""

    at: float
    fault: Fault


@dataclass(frozen=True)
class Killed:
    """SIGKILL so many callbacks of the loop after this moment; the next life begins after `rest` seconds."""

    at: float
    callbacks: int
    rest: float


@dataclass(frozen=True)
class Paused:
    """SIGSTOP, so many callbacks after this moment; another life begins beside it; SIGCONT after `seconds`."""

    at: float
    callbacks: int
    seconds: float


@dataclass(frozen=True)
class Stopped:
    """An orderly stop and a new start."""

    at: float
    rest: float


@dataclass(frozen=True)
class ClockJumped:
    at: float
    seconds: float


@dataclass(frozen=True)
class CommitFails:
    """The next commit but `after` fails so; `seconds` is how long the store is away, where it is."""

    at: float
    fault: CommitFault
    after: int
    seconds: float


@dataclass(frozen=True)
class StoreAway:
    """Nothing can be written for so long; nor read, if it `is_blind`."""

    at: float
    seconds: float
    is_blind: bool


@dataclass(frozen=True)
class StoreSlow:
    """For so long, every commit takes `seconds`."""

    at: float
    seconds: float
    lasts: float


@dataclass(frozen=True)
class ReceiverFails:
    """The receiver of confirmations fails the next call, with the messages taken or not."""

    at: float
    is_taken: bool


@dataclass(frozen=True)
class AcknowledgementFails:
    """The source fails to remember how far it was read."""

    at: float


@dataclass(frozen=True)
class PriceMoved:
    at: float
    instrument: str
    price: Decimal


@dataclass(frozen=True)
class VenueActed:
    """The exchange's own people: `close`, `restate`, `bust`, `fill` an order by signal; `place` one of somebody else; `drop`."""

    at: float
    act: str
    signal_id: str | None = None
    number: Decimal | None = None


@dataclass(frozen=True)
class TradedByHand:
    """A person trades at the broker beside us, at the market; `units` is signed."""

    at: float
    account_id: str
    instrument: str
    units: Decimal


Step: TypeAlias = (
    Delivered
    | DeliveredTogether
    | Commanded
    | HaltPut
    | Laid
    | Killed
    | Paused
    | Stopped
    | ClockJumped
    | CommitFails
    | StoreAway
    | StoreSlow
    | ReceiverFails
    | AcknowledgementFails
    | PriceMoved
    | VenueActed
    | TradedByHand
)


@dataclass(frozen=True)
class Scenario:
    """`steps` in order of time, each with its number in what the seed drew."""

    seed: int
    key_class: str
    venue: VenueSettings
    capabilities: BrokerCapabilities
    commit_seconds: float
    """A commit and a read take up to so long."""
    call_timeout_seconds: float
    breaker_failures: int
    max_signal_age_seconds: float | None
    may_be_short: bool
    steps: tuple[tuple[int, Step], ...]
    opens_after: float | None = None
    """So many seconds after its beginning New York opens; None: it is open all along."""

    def only(self, numbers: frozenset[int]) -> Scenario:
        """The same with nothing but these steps."""
        kept = tuple(item for item in self.steps if item[0] in numbers)
        return Scenario(**{**vars(self), "steps": kept})
