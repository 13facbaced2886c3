"""What is filled follows from the set of what was told: never from the order it came in, nor how often."""

from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from liveorder.domain import execution_report as r
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.executions import BookedExecution, Executions, value_of
from liveorder.domain.order.reception import apply_report
from liveorder.domain.values import Money
from tests.builders import ACKNOWLEDGED, SENT, intent, order_of, seconds, then

quantities = st.decimals("0.001", "1000", places=3)
prices = st.decimals("-50", "5000", places=4)
fees = st.none() | st.decimals("-1", "10", places=2)


class Told(NamedTuple):
    """All that a broker ever tells of an order's fills. Every execution has a time of its own."""

    executions: dict[str, r.Execution | r.ExecutionCorrected]
    busted: frozenset[str]
    fees: dict[str, Decimal]

    @property
    def reports(self) -> list[r.ExecutionReport]:
        busts = [r.ExecutionBusted(execution_id=name) for name in sorted(self.busted)]
        charged = [r.Commission(execution_id=name, commission=fee) for name, fee in self.fees.items()]
        return [*self.executions.values(), *busts, *charged]


@st.composite
def histories(draw: st.DrawFn) -> Told:
    """Fills, corrections of fills, of corrections and of what was never told, rival corrections, busts of any of these.

    Some corrections name all that they stand for, and some of that was never told either.
    """
    count = draw(st.integers(1, 8))
    times = draw(st.permutations(range(count)))
    executions: dict[str, r.Execution | r.ExecutionCorrected] = {}
    for number in range(count):
        name = f"e{number}"
        corrects = draw(st.none() | st.sampled_from([*executions, "untold"]))
        common: dict[str, Any] = {
            "execution_id": name,
            "price": draw(prices),
            "commission": draw(fees),
            "occurred_at": seconds(times[number]),
        }
        if corrects is None:
            executions[name] = r.Execution(quantity=draw(quantities), **common)
        else:
            quantity = draw(st.just(Decimal(0)) | quantities)
            supersedes = chain_of(executions, corrects) if draw(st.booleans()) else ()
            executions[name] = r.ExecutionCorrected(corrects=corrects, supersedes=supersedes, quantity=quantity, **common)
    for missed in draw(st.sets(st.sampled_from([*executions]), max_size=count - 1)):
        del executions[missed]
    names = st.sampled_from([*executions, "untold", "of another order"])
    charged = draw(st.dictionaries(names, st.decimals("0", "9", places=2), max_size=3))
    return Told(executions, draw(st.frozensets(names, max_size=3)), charged)


def chain_of(executions: dict[str, r.Execution | r.ExecutionCorrected], name: str) -> tuple[str, ...]:
    """What it corrects, and so on."""
    corrects = getattr(executions.get(name), "corrects", None)
    return () if corrects is None else (corrects, *chain_of(executions, corrects))


def after(reports: list[r.ExecutionReport]) -> LiveOrder:
    order = order_of(SENT, ACKNOWLEDGED)
    for report in reports:
        order = then(order, *apply_report(order, report))
    return order


def outcome(order: LiveOrder) -> tuple[object, ...]:
    return order.status, order.filled_quantity, order.average_price, order.commission


@given(st.data(), histories(), st.booleans())
def test_order_and_repetition_change_nothing(data: st.DataObject, told: Told, is_cancelled: bool) -> None:
    reports = [*told.reports, r.OrderClosed(cause=r.CloseCause.EXPIRED)] if is_cancelled else told.reports
    again = data.draw(st.lists(st.sampled_from(reports), max_size=5))
    shuffled = data.draw(st.permutations([*reports, *again]))
    assert outcome(after(shuffled)) == outcome(after(reports))


@given(histories())
def test_what_counts_is_what_a_plain_reading_of_the_rules_says(told: Told) -> None:
    counted = plainly_counted(told)
    order = after(told.reports)
    assert order.filled_quantity == sum((e.quantity for e in counted), Decimal(0))
    assert order.executions.totals.value == sum((value_of(e.quantity, e.price) for e in counted), Decimal(0))
    assert order.commission == sum((e.commission or Decimal(0) for e in counted), Decimal(0))


def plainly_counted(told: Told) -> list[r.Execution | r.ExecutionCorrected]:
    """Of each family of executions that correct one another and of which none was busted: the last word."""
    links = {name: stands_for(each) for name, each in told.executions.items()}
    corrected = {each for names in links.values() for each in names}
    families: list[set[str]] = []
    for name, names in links.items():
        touched = [family for family in families if family & {name, *names}]
        families = [family for family in families if family not in touched]
        families.append({name, *names}.union(*touched))
    counted = []
    for family in families:
        if not family & told.busted:
            reported = family & set(links)
            newest = max(reported, key=lambda name: (name not in corrected, time_of(told, name)))
            last = told.executions[newest]
            saying = [*sorted(reported, key=lambda name: (depth_of(links, name), time_of(told, name))), newest]
            saying = saying if last.quantity else [newest]
            known = [told.fees.get(name, told.executions[name].commission) for name in saying]
            fee = [fee for fee in known if fee is not None][-1:]
            counted.append(replace(last, commission=fee[0] if fee else None))
    return counted


def stands_for(execution: r.Execution | r.ExecutionCorrected) -> tuple[str, ...]:
    return (execution.corrects, *execution.supersedes) if isinstance(execution, r.ExecutionCorrected) else ()


def depth_of(links: dict[str, tuple[str, ...]], name: str) -> int:
    """How many corrections that were told stand between it and the fill."""
    names = links.get(name, ())
    return 1 + depth_of(links, next((each for each in names if each in links), "")) if names else 0


def time_of(told: Told, name: str) -> float:
    at = told.executions[name].occurred_at
    assert at is not None
    return at.timestamp()


@given(histories(), st.data())
def test_a_bust_takes_away_what_counted_for_that_fill_and_no_more(told: Told, data: st.DataObject) -> None:
    order = after(told.reports)
    victim = data.draw(st.sampled_from(list(told.executions)))
    counted = {each.execution_id: each for each in order.executions.effective()}
    busted = then(order, *apply_report(order, r.ExecutionBusted(execution_id=victim)))
    left = {each.execution_id: each for each in busted.executions.effective()}
    assert left.items() <= counted.items()
    assert len(counted) - len(left) <= 1
    assert order.filled_quantity - busted.filled_quantity == sum(
        (each.quantity for name, each in counted.items() if name not in left), Decimal(0)
    )


@given(histories(), st.data(), quantities, prices)
def test_a_correction_of_what_counts_replaces_it_and_nothing_else(
    told: Told, data: st.DataObject, quantity: Decimal, price: Decimal
) -> None:
    order = after(told.reports)
    counted = {each.execution_id: each for each in order.executions.effective()}
    if not counted:
        return
    old = counted[data.draw(st.sampled_from(sorted(counted)))]
    report = r.ExecutionCorrected(execution_id="new", corrects=old.execution_id, quantity=quantity, price=price)
    corrected = then(order, *apply_report(order, report))
    assert corrected.filled_quantity - order.filled_quantity == quantity - old.quantity
    assert corrected.executions.totals.value - order.executions.totals.value == value_of(quantity, price) - old.value


# --- terms --------------------------------------------------------------------------------------------------------------------

whole = st.integers(1, 60).map(Decimal)
steps = st.lists(st.tuples(st.sampled_from(["fill", "restate", "replace", "poll"]), whole), max_size=12)


@given(whole, steps)
def test_what_is_ordered_is_what_was_agreed_last_and_never_what_was_filled_too_much(
    ordered: Decimal, sequence: list[tuple[str, Decimal]]
) -> None:
    order, filled = order_of(intent(quantity=ordered), SENT, ACKNOWLEDGED), Decimal(0)
    for number, (kind, amount) in enumerate(sequence):
        report: r.ExecutionReport
        if kind == "fill":
            report = r.Execution(execution_id=f"e{number}", quantity=amount, price=Decimal(10))
            filled += amount
        elif kind == "poll":
            told = [None, ordered, *([filled] if filled > ordered else [])]
            quantity = told[int(amount) % len(told)]
            report = r.OrderSnapshot(
                status=r.BrokerStatus.WORKING, broker_order_id="B-1", filled_quantity=filled, quantity=quantity
            )
            assert apply_report(order, report) == []
        else:
            report = (r.OrderRestated if kind == "restate" else r.OrderReplaced)(quantity=amount)
            ordered = max(amount, min(filled, ordered))
        order = then(order, *apply_report(order, report))
        assert (order.quantity, order.filled_quantity) == (ordered, filled)


# --- sums ---------------------------------------------------------------------------------------------------------------------

names = st.sampled_from("abcdef")
ratios = st.sampled_from(["2", "0.5", "0.3333333333", "1.5", "0.1"]).map(Decimal)


def booked(name: str, quantity: Decimal, price: Decimal, fee: Decimal | None, corrects: str | None = None) -> BookedExecution:
    commission = None if fee is None else Money(fee, "USD")
    return BookedExecution(name, quantity, price, value_of(quantity, price), commission, corrects=corrects)


changes = st.lists(
    st.one_of(
        st.tuples(st.just("fill"), st.builds(booked, names, quantities, prices, fees)),
        st.tuples(st.just("fill"), st.builds(booked, names, quantities, prices, fees)),
        st.tuples(st.just("fill"), st.builds(booked, names, quantities, prices, fees, names)),
        st.tuples(st.just("bust"), names),
        st.tuples(st.just("charge"), st.tuples(names, st.decimals("0", "9", places=2))),
        st.tuples(st.just("infer"), st.builds(booked, names, quantities, prices, st.none())),
        st.tuples(st.just("split"), ratios),
    ),
    max_size=12,
)


def changed(executions: Executions, kind: str, by: object) -> Executions:
    match kind, by:
        case "fill", BookedExecution():
            return executions.filled(by)
        case "infer", BookedExecution():
            return executions.infer(by)
        case "bust", str():
            return executions.bust(by)
        case "charge", (str() as name, Decimal() as fee):
            return executions.charge(name, Money(fee, "USD"))
        case "split", Decimal():
            return executions.restated(by)
    raise AssertionError(kind)


@given(changes)
def test_sums_that_grow_step_by_step_are_those_of_a_recount(sequence: list[tuple[str, object]]) -> None:
    executions = Executions.none()
    for kind, by in sequence:
        executions = changed(executions, kind, by)
        assert executions.totals == executions._recounted().totals


@given(st.lists(st.builds(booked, st.uuids().map(str), quantities, prices, fees), min_size=1, max_size=20))
def test_the_average_is_that_of_the_exact_sums(fills: list[BookedExecution]) -> None:
    executions = Executions.none()
    for fill in fills:
        executions = executions.filled(fill)
    quantity = sum((Fraction(fill.quantity) for fill in fills), Fraction(0))
    value = sum((Fraction(fill.quantity) * Fraction(fill.price) for fill in fills), Fraction(0))
    assert executions.totals.average_price is not None
    assert abs(Fraction(executions.totals.average_price) - value / quantity) <= abs(value / quantity) / 10**27


@given(changes, quantities, prices)
def test_an_inferred_fill_brings_the_total_up_by_just_that_much(
    sequence: list[tuple[str, object]], quantity: Decimal, price: Decimal
) -> None:
    executions = Executions.none()
    for kind, by in sequence:
        if kind != "split":
            executions = changed(executions, kind, by)
    inferred = executions.infer(booked("new", quantity, price, None))
    grown = inferred.totals.quantity - executions.totals.quantity
    assert grown == quantity
    assert inferred.totals.value - executions.totals.value == value_of(quantity, price)


@given(quantities, prices, st.lists(quantities, min_size=1, max_size=6))
def test_real_fills_replace_an_inferred_one_without_a_jump(total: Decimal, price: Decimal, parts: list[Decimal]) -> None:
    executions = Executions.none().infer(booked("inferred-1", total, price, None))
    told = Decimal(0)
    for number, part in enumerate(parts):
        executions = executions.filled(booked(f"e{number}", part, price, None))
        told += part
        assert executions.totals.quantity == max(total, told)
        assert executions.totals.value == value_of(max(total, told), price)
