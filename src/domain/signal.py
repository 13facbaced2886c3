"""What a strategy wants: one signal, at most one order.

A signal without `signal_id` is known by its content and must carry a `timestamp`; two that are meant to be two need ids.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ModelWrapValidatorHandler, TypeAdapter, ValidationError, model_validator

from liveorder.domain.errors import InvalidInput, LiveOrderError
from liveorder.domain.identifiers import fingerprint
from liveorder.domain.signal_fields import (
    STORED,
    ContractId,
    CurrencyCode,
    Day,
    Moment,
    Number,
    Percent,
    PercentOfAll,
    Positive,
    Seconds,
    SignalId,
    SignedPercent,
    Text,
    any_case,
    any_case_of,
    explained,
)
from liveorder.domain.signal_names import by_field_name, what_was_meant
from liveorder.domain.strict_json import read_object
from liveorder.domain.values import AssetClass, OptionRight, OrderRole, OrderType, PositionEffect, Product, Side, TimeInForce

MAX_SIGNAL_BYTES = 64 * 1024

SIZES = ("quantity", "notional", "percent", "risk_percent", "target_quantity", "target_percent")
"""The fields that say how much; a signal has at most one."""
_NO_CONTENT = frozenset({"signal_id", "symbol_name"})
"""What a signal is known by, and what only people read: two that differ in these alone say the same."""

_ID: TypeAdapter[str] = TypeAdapter(Text, config=ConfigDict(defer_build=True))


class SignalHours(StrEnum):
    """When an order may trade that is made of a signal: see `TradingHours`."""

    REGULAR = "regular"
    EXTENDED = "extended"
    NEXT_OPEN = "next_open"
    """In the regular ones. Outside of them it waits for the open, and is sized and judged then."""


_Side = Annotated[Side, any_case_of(Side)]
_OrderType = Annotated[OrderType, any_case_of(OrderType)]
_PositionEffect = Annotated[PositionEffect, any_case_of(PositionEffect)]
_TimeInForce = Annotated[TimeInForce, any_case_of(TimeInForce)]
_SignalHours = Annotated[SignalHours, any_case_of(SignalHours)]
_Product = Annotated[Product, any_case_of(Product)]
_AssetClass = Annotated[AssetClass, any_case_of(AssetClass)]
_OptionRight = Annotated[OptionRight, any_case_of(OptionRight)]
_OrderRole = Annotated[OrderRole, any_case_of(OrderRole)]
_External = Annotated[Literal["external"], any_case("external")]


class UnusableSignal(LiveOrderError):
    """A message that is no signal. `reason` says why and what to do; `signal_id` is set where that much could be read.

    `is_passing`: the same message may be one at another time.
    """

    def __init__(self, reason: str, signal_id: str | None = None, *, is_passing: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.signal_id, self.is_passing = reason, signal_id, is_passing


class Signal(BaseModel):
    """Strict and frozen. Every way of building one raises `InvalidInput` for what cannot be used, and only that.

    Numbers are exact: `Decimal`, `int` or text, never float. Times have a zone and are kept in UTC. None is the same as absent.
    Sized by one field of `SIZES`, or by none: then it closes all that its strategy holds on the other side, else it opens for the
    account's `position_size`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    signal_id: SignalId = Field("", validate_default=False)
    """Never empty once built: derived from the content when absent."""
    account_id: Text | None = None
    """None: the default account of the settings."""
    strategy_name: Text = "default"
    """Whose position it is."""
    symbol: Text
    """What to trade, as its exchange or the broker names it: `SPY`, `RELIANCE`, `BTC/USD`."""
    symbol_name: Text | None = None
    """What people call it: kept on the order and shown with it. No part of what the signal says."""
    side: _Side | None = None
    """May be absent where the signal says CLOSE or names a target: then it is as that takes."""
    order_type: _OrderType = OrderType.MARKET
    position_effect: _PositionEffect | None = None
    """`CLOSE`: takes off what its strategy holds, never beyond zero, and has resting exits cancelled that are in its way. `OPEN`:
    opens or enlarges it; on the other side of what is held it is a reversal, in one order or two. None: as side and role say.
    """
    quantity: Positive | None = None
    """Units. One size at most can be given; without any, all that is held on the other side, else the setting `position_size`."""
    notional: Positive | None = None
    """Amount of money, in the instrument's currency."""
    percent: PercentOfAll | None = None
    """With CLOSE a part of what its strategy holds, with OPEN of the account's equity; up to 100."""
    risk_percent: PercentOfAll | None = None
    """So many units that the way from the entry to `stop_loss` loses this part of the account's equity."""
    target_quantity: Number | None = None
    """Signed units that its strategy shall hold, what is on order included; the order is the difference. What leads away from it is
    cancelled first.
    """
    target_percent: SignedPercent | None = None
    """The same as a part of the account's equity; negative is short."""
    limit_price: Number | None = None
    """The worst price that will do."""
    stop_price: Number | None = None
    """At which the order becomes active. Refused where the market has passed it already; an exit then goes out at the market."""
    price: Number | None = None
    """At which the instrument stood at `timestamp`, to the sender's knowledge: taken where the broker tells no price. No limit."""
    trail_amount: Positive | None = None
    """How far the stop follows the price, in the unit that prices are quoted in."""
    trail_percent: Percent | None = None
    """The same as a percentage of the price."""
    limit_offset: Positive | None = None
    """Of a TRAILING_STOP_LIMIT: how much worse than its stop the limit is, in the unit of prices."""
    time_in_force: _TimeInForce = TimeInForce.DAY
    """When absent, what the broker takes instead where it knows no orders for the day: GTC of coins at Alpaca, say."""
    hours: _SignalHours | None = None
    """`extended`: it may also trade before the open and after the close. `next_open`: while its market is closed it waits for the
    open, and is sized and judged then. None: as is usual at the account.
    """
    expires_at: Moment | None = None
    """When a GTD *order* ends at the broker. Not the *signal's* end, see `valid_until`, nor the contract's, see `expiry`."""
    exchange: Text | None = None
    """Where the instrument is listed; needed where several exchanges have the symbol."""
    product: _Product | None = None
    """Indian margin products: intraday, carried derivative, delivery, delivery on margin. Other markets leave it unset. None: of
    what closes the one that is held, else the account's usual one.
    """
    asset_class: _AssetClass | None = None
    """Needed where the symbol alone does not tell."""
    expiry: Day | None = None
    """Last day of the contract, of an option or a future."""
    strike: Positive | None = None
    """Of an option."""
    right: _OptionRight | None = None
    trading_class: Text | None = None
    """Tells contracts of one underlying apart, as in SPX and SPXW, where the broker has such classes."""
    multiplier: Positive | None = None
    """Of the contract meant: units of the underlying, or money for a point."""
    con_id: ContractId | None = None
    """The number that Interactive Brokers has for the contract."""
    currency: CurrencyCode | None = None
    """In which the instrument trades, such as `USD`."""
    tags: Annotated[tuple[Text, ...], Field(max_length=50)] = ()
    """Kept on the order and shown with it; nothing is decided by them."""
    stop_loss: Number | None = None
    """Nothing places it yet: a simulation keeps it on the order, PAPER and LIVE refuse it unless `protection` is `external`. What
    `risk_percent` is reckoned by."""
    take_profit: Number | None = None
    """As `stop_loss`."""
    protection: _External | None = None
    """`external`: somebody else places `stop_loss` and `take_profit` and links the orders; here all four are only kept."""
    score: Number | None = None
    """How sure the strategy is, from -100 (sell) to 100 (buy). Of an exit too it is judged, where it is given."""
    timestamp: Moment | None = None
    """When the strategy made the signal: its age counts from here."""
    valid_until: Moment | None = None
    """After this the *signal* is stale and no order is sent for it, however young it is."""
    timeout_seconds: Seconds | None = None
    """How long the order may stay open after it was sent; None: as `[timeouts]` says for MARKET and day LIMIT orders."""
    role: _OrderRole = OrderRole.ENTRY
    """EXIT, STOP_LOSS and TAKE_PROFIT say CLOSE."""
    parent_order_id: UUID | None = None
    """Nothing links orders yet: refused unless `protection` is `external`."""
    oco_group: Text | None = None
    """As `parent_order_id`."""

    if TYPE_CHECKING:
        # Takes whatever JSON may say as well: `side="BUY"`, `quantity=100`.
        def __init__(self, **fields: Any) -> None: ...

    @classmethod
    def parse(cls, raw: str | bytes, *, unnamed: str | None = None) -> Self:
        """A signal from one JSON object of at most 64 KiB. Raises `UnusableSignal`, and nothing else, whatever `raw` holds.

        `unnamed`: the id of one that has neither an id nor a timestamp, where it is only to be judged. None: it is refused.
        """
        fields: dict[str, Any] = {}
        try:
            fields = read_object(raw, MAX_SIGNAL_BYTES)
            if unnamed is not None and fields.get("signal_id") is None and fields.get("timestamp") is None:
                fields["signal_id"] = unnamed
            return cls.model_validate(fields)
        except InvalidInput as error:
            raise UnusableSignal(str(error), _readable_id(fields)) from None

    @classmethod
    def restored(cls, stored: str) -> Self:
        """What `to_json` wrote of a signal that was taken, or of one of our own, whose id nobody else may give."""
        return cls.model_validate(read_object(stored, MAX_SIGNAL_BYTES), context=STORED)

    @property
    def effect(self) -> PositionEffect | None:
        """What it says that it does to the position, by `position_effect` or by its role."""
        return self.position_effect or (None if self.role is OrderRole.ENTRY else PositionEffect.CLOSE)

    @property
    def sizes(self) -> tuple[str, ...]:
        """The names of the sizes that are given."""
        return tuple(name for name in SIZES if getattr(self, name) is not None)

    @property
    def has_target(self) -> bool:
        return self.target_quantity is not None or self.target_percent is not None

    @property
    def is_plain(self) -> bool:
        """Whether it says how much is traded, and nothing of what that does to the position."""
        return self.effect is None and not self.has_target

    @property
    def needs_equity(self) -> bool:
        """Whether it is sized by a part of the account's equity. To be flat takes none."""
        by_part = self.percent is not None and self.effect is not PositionEffect.CLOSE
        return by_part or self.risk_percent is not None or bool(self.target_percent)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of what was said, however it was spelled: no defaults, no `signal_id`, numbers and times normalised."""
        return fingerprint({name: getattr(self, name) for name in self.model_fields_set - _NO_CONTENT})

    def fingerprints_on(self, account_id: str) -> frozenset[str]:
        """Of this content on an account, whether or not it was named: the same signal may come either way."""
        said = {name: getattr(self, name) for name in self.model_fields_set - _NO_CONTENT - {"account_id"}}
        return frozenset({fingerprint(said), fingerprint(said | {"account_id": account_id})})

    def meaning(self, effect: PositionEffect | None) -> Self:
        """The same, said outright where it was understood to close: what it closes may be gone by the time it is sized again."""
        is_to_close = effect is PositionEffect.CLOSE and self.effect is None and not self.sizes
        return self.model_copy(update={"position_effect": effect}) if is_to_close else self

    def whatever_the_side(self) -> Self:
        """Of one that closes: the same, for whatever there is to close by then."""
        return self.model_copy(update={"side": None, "position_effect": PositionEffect.CLOSE})

    def to_json(self) -> str:
        """Parses to an equal signal with the same fingerprint, in this and every later version."""
        return self.model_dump_json(include=self.model_fields_set | {"signal_id"})

    @model_validator(mode="wrap")
    @classmethod
    def _or_explain(cls, fields: Any, build: ModelWrapValidatorHandler[Self]) -> Self:
        given, said = by_field_name(fields) if isinstance(fields, dict) else (fields, dict[str, str]())
        try:
            return build(given)
        except ValidationError as error:
            raise explained(error, said, lambda name: cls._remedy_for_unknown(name, given)) from None

    @classmethod
    def _remedy_for_unknown(cls, name: str, given: dict[str, Any]) -> str:
        if (meant := what_was_meant(name, cls.model_fields)) is not None:
            return f"did you mean {meant}?"
        is_sized = any(size in given for size in SIZES)
        else_of = "" if is_sized else ": without a size an order closes all that is held, or is for the account's position_size"
        return f"`liveorder schema` lists the fields; leave it out only if nothing depends on it{else_of}"

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for field, problem, remedy in self._contradictions():
            raise InvalidInput(field, problem, remedy)
        if not self.signal_id:
            object.__setattr__(self, "signal_id", self.fingerprint)
        return self

    def _contradictions(self) -> Iterator[tuple[str, str, str]]:
        """Field, problem and remedy of each."""
        if self.side is None and not self.has_target and self.effect is not PositionEffect.CLOSE:
            yield "side", "is missing", "add it"
        yield from self._contradictions_of_sizes()
        yield from self._contradictions_of_prices()
        if self.time_in_force is TimeInForce.GTD and self.expires_at is None:
            yield "expires_at", "a GTD order needs one", "add expires_at"
        if self.time_in_force is not TimeInForce.GTD and self.expires_at is not None:
            yield "expires_at", "only a GTD order has one", "set time_in_force to GTD, or use valid_until"
        if self.hours is SignalHours.NEXT_OPEN and self.time_in_force.is_for_an_auction:
            yield "hours", f"an order for an auction ({self.time_in_force}) is sent before it", "leave hours out"
        if not self.signal_id and self.timestamp is None:
            yield "timestamp", "a signal without signal_id is known by its content and needs one", "add signal_id or timestamp"

    def _contradictions_of_sizes(self) -> Iterator[tuple[str, str, str]]:
        one, *others = self.sizes or (None,)
        for another in others:
            yield another, f"given together with {one}", "give one of them"
        if self.position_effect is PositionEffect.OPEN and self.role is not OrderRole.ENTRY:
            yield "position_effect", f"OPEN, and the role {self.role} closes", "leave one of them out"
        if self.has_target and self.effect is not None:
            named = "position_effect" if self.position_effect is not None else "role"
            yield named, f"given together with {one}, which says itself what it opens or closes", "leave it out"
        if self.percent is not None and self.effect is None:
            yield "percent", "of what?", "set position_effect to OPEN (of the equity) or to CLOSE (of what is held)"
        if self.risk_percent is not None and self.effect is PositionEffect.CLOSE:
            yield "risk_percent", "sizes what opens, and this closes", "give quantity, percent or nothing"
        if self.risk_percent is not None and self.stop_loss is None:
            yield "risk_percent", "needs stop_loss, whose distance is the risk of a unit", "add stop_loss"

    def _contradictions_of_prices(self) -> Iterator[tuple[str, str, str]]:
        kind, needed, given = self.order_type, self.order_type.traits.needs, self._given_prices
        if "trail_amount" in needed and (self.trail_amount is None) is (self.trail_percent is None):
            yield "trail_amount", f"a {kind} needs one distance", "give trail_amount or trail_percent"
        for field in ("limit_price", "stop_price", "trail_amount", "limit_offset"):
            if field in needed - given:
                yield field, f"a {kind} order needs one", f"add {field}"
            elif field in given - needed:
                yield field, *_too_much(kind, field, given)

    @property
    def _given_prices(self) -> frozenset[str]:
        """By the names of `OrderTypeTraits.needs`."""
        given = {
            "limit_price": self.limit_price is not None,
            "stop_price": self.stop_price is not None,
            "trail_amount": self.trail_amount is not None or self.trail_percent is not None,
            "limit_offset": self.limit_offset is not None,
        }
        return frozenset(name for name, is_given in given.items() if is_given)


def _too_much(kind: OrderType, field: str, given: frozenset[str]) -> tuple[str, str]:
    """Problem and remedy where an order has a price that its type has not."""
    traits, problem = kind.traits, f"a {kind} order {'does not trail' if field == 'trail_amount' else 'has none'}"
    if field == "stop_price" and traits.trails:
        return f"{problem}: its stop follows the price", "leave it out"
    if field == "limit_price" and traits.needs_limit_offset:
        return f"{problem}: its limit follows its stop, limit_offset worse", "leave it out"
    if field == "limit_price" and traits.takes_limit_from_fill:
        return f"{problem}: its limit is the price of its first fill", "leave it out"
    return problem, _remedy(kind, given)


def _remedy(kind: OrderType, given: frozenset[str]) -> str:
    """The types that take just what is given, of those that wait as `kind` does, if it waits; or to leave out what is too much."""
    waits = kind.traits.is_stop or kind.traits.is_touched
    others = [
        other
        for other in OrderType
        if other.traits.needs == given and (not waits or other.traits.is_touched is kind.traits.is_touched)
    ]
    return f"set order_type to {' or '.join(others)}, or leave it out" if others else "leave it out"


def _readable_id(fields: dict[str, Any]) -> str | None:
    """Only what could be an id: a dead letter must not carry control characters around."""
    try:
        return _ID.validate_python(fields.get("signal_id"))
    except ValidationError:
        return None
