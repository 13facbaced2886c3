"""The order beside a naive one: whatever is asked, told and lost, in any order, both say the same."""

from decimal import Decimal
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec import structs

from liveorder.domain import execution_report as r
from liveorder.domain.errors import DecisionRefused
from liveorder.domain.events import Event, RecordedEvent
from liveorder.domain.order import LiveOrder, requests
from liveorder.domain.order import events as ev
from liveorder.domain.order.reception import apply_report
from tests.builders import DEADLINE, SESSION, intent, recorded

amounts = st.integers(1, 60).map(Decimal)
some_prices = st.integers(1, 20).map(Decimal)
pick = st.randoms(use_true_random=False)


class NaiveOrder:
    """What an order is, kept in the plainest way: lists of what was said, and every answer worked out from them anew."""

    def __init__(self, quantity: Decimal) -> None:
        self.quantity = quantity
        self.words: dict[str, tuple[Decimal, Decimal, str]] = {}
        """By execution id: quantity, price, and the fill that it is the newest word of."""
        self.busted: set[str] = set()
        self.ended: str | None = None
        self.was_sent = self.has_reached = False
        """Sent by us, or by others and acknowledged."""
        self.turned_up = False
        """Acknowledged when we had closed it as never received."""
        self.open: dict[str, str] = {}
        """Requests without an outcome: id to kind."""
        self.doubted: set[str] = set()
        self.pending: set[str] = set()
        """Requests that the broker said it is at."""
        self.is_named = False
        """The broker told its id."""
        self.replaces: list[str] = []
        """In the order in which they were asked."""
        self.stands = -1
        """Place of the newest that was done."""

    def newest(self) -> list[tuple[Decimal, Decimal]]:
        last: dict[str, tuple[Decimal, Decimal]] = {}
        for quantity, price, fill in self.words.values():
            last[fill] = (quantity, price)
        return [last[fill] for fill in last if fill not in self.busted]

    def filled(self) -> Decimal:
        return sum((quantity for quantity, _ in self.newest()), Decimal(0))

    def value(self) -> Decimal:
        return sum((quantity * price for quantity, price in self.newest()), Decimal(0))

    def status(self) -> str:
        if self.filled() >= self.quantity:
            return "FILLED"
        if self.ended == "CANCELLED":
            return "CANCELLED"
        if self.filled() > 0:
            return "PARTIAL"
        if self.ended == "REJECTED":
            return "REJECTED"
        return "SUBMITTED" if self.was_sent else "PENDING"

    def is_closed(self) -> bool:
        return self.status() in ("FILLED", "CANCELLED", "REJECTED")

    def of_kind(self, kind: str) -> list[str]:
        return [key for key, each in self.open.items() if each == kind]

    def is_at(self, kind: str) -> bool:
        return not self.pending.isdisjoint(self.of_kind(kind))

    def hear_of(self) -> None:
        """Any word from the broker proves that it has the order."""
        self.has_reached = True
        for key in self.of_kind("submit"):
            self.answer(key)

    def answer(self, key: str) -> None:
        del self.open[key]
        self.doubted.discard(key)
        self.pending.discard(key)

    def accept(self) -> None:
        """Of an order that works nothing is pending, as far as the broker's first word of it goes."""
        if not self.is_named:
            self.pending = set()
        self.was_sent = self.is_named = True
        self.hear_of()

    def end(self, how: str) -> None:
        self.ended = self.ended or how
        self.forget_requests()

    def forget_requests(self) -> None:
        self.open, self.doubted, self.pending = {}, set(), set()


class OrderMachine(RuleBasedStateMachine):
    """Rules are what may happen; each does it to both."""

    @initialize(quantity=st.integers(1, 100).map(Decimal))
    def begin(self, quantity: Decimal) -> None:
        self.history: list[RecordedEvent] = recorded([intent(quantity=quantity)])
        self.order = LiveOrder.replay(self.history)
        self.naive = NaiveOrder(quantity)
        self.told: list[r.ExecutionReport] = []
        self.count = 0

    def add(self, events: list[Event], caused_by: str | None = None) -> None:
        cause = {"causation_id": caused_by}
        new = [structs.replace(item, envelope=item.envelope.but(**cause)) for item in recorded(events, after=self.order.version)]
        self.history += new
        self.order = self.order.apply(new)

    def tell(self, report: r.ExecutionReport) -> None:
        self.told.append(report)
        self.add(apply_report(self.order, report), getattr(report, "request_id", None))

    def next_id(self) -> str:
        self.count += 1
        return f"e{self.count:03}"

    # --- ours ----------------------------------------------------------------------------------------------------------------

    @rule()
    def submit(self) -> None:
        may = not self.naive.is_closed() and not self.naive.of_kind("submit") and not self.naive.has_reached
        events = self.asked(may, requests.start_submission, {}, "{}", DEADLINE, SESSION)
        if may:
            self.naive.was_sent = True
            self.naive.open[request_id(events)] = "submit"

    @rule()
    def cancel(self) -> None:
        may = not self.naive.is_closed() or self.naive.turned_up
        events = self.asked(may, requests.request_cancel, ev.CancelReason.REQUESTED, {}, "{}", DEADLINE)
        if may and (self.naive.has_reached or self.naive.of_kind("submit")):
            self.naive.open[request_id(events)] = "cancel"
        elif may:
            self.naive.end("CANCELLED")

    @rule(quantity=amounts)
    def ask_for_a_replace(self, quantity: Decimal) -> None:
        naive = self.naive
        is_in_doubt = any(key in naive.doubted for key in naive.of_kind("replace"))
        may = not naive.is_closed() and naive.has_reached and not is_in_doubt and quantity > naive.filled()
        try:
            requests.check_replace(self.order, quantity)
        except DecisionRefused:
            assert not may
            return
        assert may
        events = requests.request_replace(self.order, quantity, None, None, {}, "{}", DEADLINE)
        self.add(events)
        naive.open[request_id(events)] = "replace"
        naive.replaces.append(request_id(events))

    def asked(self, may: bool, decision: Any, *args: Any) -> list[Event]:
        try:
            events: list[Event] = decision(self.order, *args)
        except DecisionRefused:
            assert not may
            return []
        assert may
        self.add(events)
        return events

    @precondition(lambda self: self.naive.open)
    @rule(luck=pick)
    def lose_the_answer(self, luck: Any) -> None:
        key = luck.choice(list(self.naive.open))
        self.add(requests.doubt(self.order, key, "BrokerTimeoutError", "no answer"))
        self.naive.doubted.add(key)

    @precondition(lambda self: self.naive.doubted)
    @rule(luck=pick)
    def find_that_it_never_arrived(self, luck: Any) -> None:
        key = luck.choice(sorted(self.naive.doubted))
        was_submission = self.naive.open[key] == "submit"
        self.add(requests.settle_absent(self.order, key, "asked"))
        self.naive.answer(key)
        if was_submission and self.naive.of_kind("cancel"):
            self.naive.end("CANCELLED")

    # --- the broker's ----------------------------------------------------------------------------------------------------------

    @rule()
    def acknowledge(self) -> None:
        self.tell(r.Accepted(broker_order_id="B-1"))
        self.naive.turned_up |= self.naive.is_closed() and not self.naive.has_reached
        self.naive.accept()

    @rule(quantity=amounts, price=some_prices)
    def fill(self, quantity: Decimal, price: Decimal) -> None:
        name = self.next_id()
        self.tell(r.Execution(execution_id=name, quantity=quantity, price=price))
        self.naive.words[name] = (quantity, price, name)
        self.naive.hear_of()

    @precondition(lambda self: self.naive.words)
    @rule(luck=pick, quantity=st.just(Decimal(0)) | amounts, price=some_prices)
    def correct(self, luck: Any, quantity: Decimal, price: Decimal) -> None:
        """FIX: a correction names the latest word of its fill."""
        fill = luck.choice([word[2] for word in self.naive.words.values()])
        latest = [name for name, word in self.naive.words.items() if word[2] == fill][-1]
        name = self.next_id()
        self.tell(r.ExecutionCorrected(execution_id=name, corrects=latest, quantity=quantity, price=price))
        self.naive.words[name] = (quantity, price, fill)
        self.naive.hear_of()

    @precondition(lambda self: self.naive.words)
    @rule(luck=pick)
    def bust(self, luck: Any) -> None:
        name = luck.choice(list(self.naive.words))
        self.tell(r.ExecutionBusted(execution_id=name))
        self.naive.busted.add(self.naive.words[name][2])
        self.naive.hear_of()

    @rule()
    def reject(self) -> None:
        self.tell(r.OrderRejected(reason="no"))
        if self.naive.is_closed():
            self.naive.forget_requests()
        else:
            self.naive.hear_of()
            self.naive.ended = None if self.naive.filled() else self.naive.ended
            self.naive.end("CANCELLED" if self.naive.filled() else "REJECTED")

    @rule()
    def end(self) -> None:
        self.tell(r.OrderClosed(cause=r.CloseCause.EXPIRED))
        if self.naive.of_kind("cancel") or (self.naive.ended != "CANCELLED" and self.naive.status() != "REJECTED"):
            self.naive.has_reached = self.naive.has_reached or bool(self.naive.of_kind("submit"))
            self.naive.ended = self.naive.ended if self.naive.status() == "REJECTED" else None
            self.naive.end("CANCELLED")

    @precondition(lambda self: self.naive.of_kind("cancel") or self.naive.of_kind("replace"))
    @rule(luck=pick)
    def refuse_a_request(self, luck: Any) -> None:
        key = luck.choice([*self.naive.of_kind("cancel"), *self.naive.of_kind("replace")])
        is_cancel = self.naive.open[key] == "cancel"
        self.tell(r.CancelRejected(request_id=key) if is_cancel else r.ReplaceRejected(request_id=key))
        self.naive.answer(key)

    @precondition(lambda self: not self.naive.ended and (self.naive.of_kind("cancel") or self.naive.of_kind("replace")))
    @rule(luck=pick)
    def be_at_a_request(self, luck: Any) -> None:
        """Any of those that are open, in whichever order they were asked; said once or twice."""
        key = luck.choice([*self.naive.of_kind("cancel"), *self.naive.of_kind("replace")])
        report = (r.CancelIsPending if self.naive.open[key] == "cancel" else r.ReplaceIsPending)(request_id=key)
        self.tell(report)
        assert apply_report(self.order, report) == []
        self.naive.pending.add(key)
        self.naive.hear_of()

    @precondition(lambda self: self.naive.of_kind("replace"))
    @rule(luck=pick)
    def do_a_replace(self, luck: Any) -> None:
        key = luck.choice(self.naive.of_kind("replace"))
        terms = self.order.requests[key].terms
        assert terms is not None
        assert terms.quantity is not None
        self.tell(r.OrderReplaced(request_id=key))
        place = self.naive.replaces.index(key)
        quantity = terms.quantity if place > self.naive.stands else max(terms.quantity, self.naive.quantity)  # it may be late
        self.naive.stands = max(place, self.naive.stands)
        self.naive.quantity = max(quantity, min(self.naive.filled(), self.naive.quantity))
        self.naive.answer(key)
        self.naive.hear_of()

    @precondition(lambda self: self.told)
    @rule(luck=pick)
    def tell_again(self, luck: Any) -> None:
        """What the broker tells of fills and of answered requests may come any number of times; an old answer is no answer."""
        told_once = (r.Accepted, r.OrderRejected, r.OrderClosed, r.OrderSnapshot, r.CancelIsPending, r.ReplaceIsPending)
        repeatable = [each for each in self.told if not isinstance(each, told_once)]
        if repeatable:
            report = luck.choice(repeatable)
            self.add(apply_report(self.order, report))

    @rule(is_all_done=st.booleans())
    def answer_a_question(self, is_all_done: bool) -> None:
        """An answer that agrees with what we know reports that the order is there, and perhaps that nothing is pending any more."""
        naive = self.naive
        if naive.is_closed() or naive.ended:
            return
        filled = naive.filled()
        average = naive.value() / filled if filled else None
        under_way = [kind for kind in ("cancel", "replace") if naive.is_at(kind) and not is_all_done]
        self.tell(
            r.OrderSnapshot(
                status=r.BrokerStatus.WORKING,
                broker_order_id="B-1",
                filled_quantity=filled,
                average_price=average,
                quantity=naive.quantity,
                cancel_pending="cancel" in under_way,
                replace_pending="replace" in under_way,
            )
        )
        if is_all_done or not naive.is_named:
            naive.pending = {naive.of_kind(kind)[0] for kind in under_way}
        naive.is_named = True
        naive.accept()

    # --- both say the same -----------------------------------------------------------------------------------------------------

    @invariant()
    def they_agree(self) -> None:
        order, naive = self.order, self.naive
        assert order.status.value == naive.status()
        assert order.quantity == naive.quantity
        assert order.filled_quantity == naive.filled()
        assert order.executions.totals.value == naive.value()
        assert order.remaining_quantity == (0 if naive.is_closed() else naive.quantity - naive.filled())
        assert set(order.requests) == set(naive.open)
        assert {key for key, each in order.requests.items() if each.is_in_doubt} == naive.doubted
        assert {key for key, each in order.requests.items() if each.is_pending} == naive.pending
        assert (order.cancel_pending, order.replace_pending) == (naive.is_at("cancel"), naive.is_at("replace"))

    @invariant()
    def times_and_flags_fit_the_status(self) -> None:
        assert (self.order.closed_at is not None) == self.naive.is_closed()
        assert self.order.is_finished == (self.naive.is_closed() and not self.naive.open)
        assert self.order.is_at_broker or not self.naive.has_reached

    @invariant()
    def its_history_replays_to_it(self) -> None:
        assert LiveOrder.replay(self.history) == self.order


def request_id(events: list[Event]) -> str:
    (event,) = events
    assert isinstance(event, ev.SubmissionStarted | ev.CancelRequested | ev.ReplaceRequested)
    return event.request_id


TestOrderMachine = OrderMachine.TestCase
TestOrderMachine.settings = settings(max_examples=150, stateful_step_count=30)
