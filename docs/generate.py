"""Writes the pages of the documentation that are drawn from the code: `python docs/generate.py`.

`--check` writes nothing, and fails if a page is not as the code has it now.
"""

import ast
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Any

from liveorder.application.intake.signal_schema import signal_json_schema
from liveorder.domain import lifecycle
from liveorder.domain.broker_capabilities import BrokerCapabilities
from liveorder.domain.signal import Signal
from liveorder.domain.signal_names import SYNONYMS
from liveorder.domain.values import OrderType
from liveorder.infrastructure.brokers.alpaca import assembly as alpaca
from liveorder.infrastructure.brokers.ibkr import capabilities as ibkr
from liveorder.infrastructure.brokers.kite import broker as kite
from liveorder.infrastructure.brokers.simulated.broker import SIMULATED_CAPABILITIES
from liveorder.infrastructure.settings.template import commented_toml
from liveorder.testing.cases import CASES

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent))

from docs.fields_page import fields_page  # noqa: E402 - the folder that holds the documentation is not a package

LIFECYCLE = """\
# The life of an order

Drawn from `liveorder.domain.lifecycle` by `docs/generate.py`; not written by hand.

The status of an order follows from what closed it, how much of it is filled, how much was ordered, and whether it was sent. Each of
those conditions is one trigger, and each trigger leads to one status, wherever the order stood before.

```mermaid
{diagram}
```

| Condition | From | To | Meaning |
|---|---|---|---|
{rows}
"""


def lifecycle_page() -> str:
    """The diagram, and the same as a table with the reason beside each trigger."""
    meanings = attribute_docstrings(lifecycle.OrderLifecycle)
    targets = {trigger: target for (_, trigger), target in lifecycle.TRANSITIONS.items()}
    rows = [f"| `{each}` | {sources(each)} | {targets[each]} | {meaning} |" for each, meaning in meanings.items()]
    return LIFECYCLE.format(diagram=lifecycle.diagram().strip(), rows="\n".join(rows))


def sources(trigger: str) -> str:
    return ", ".join(source for source, each in lifecycle.TRANSITIONS if each == trigger)


def attribute_docstrings(of: type) -> dict[str, str]:
    """What the source says beneath each attribute of a class, in its order."""
    body = ast.parse(inspect.getsource(of)).body[0]
    assert isinstance(body, ast.ClassDef)
    return {
        ast.unparse(one.targets[0]): str(ast.literal_eval(other.value))
        for one, other in pairwise(body.body)
        if isinstance(one, ast.Assign) and isinstance(other, ast.Expr)
    }


BROKERS = """\
# Brokers

Drawn from the adapters by `docs/generate.py`; not written by hand. A page for each: [Alpaca](alpaca.md), [Zerodha Kite](kite.md),
[Interactive Brokers](ibkr.md). [Writing a broker](../writing-a-broker.md) tells how to make another.

## What each adapter declares

What may be believed of a broker decides how a doubt ends. Each of these can be set otherwise for an account, where you know better;
`liveorder certify` asks the broker itself.

```toml
[accounts.capabilities]         # below its [[accounts]]; a table or a list takes the place of the whole one
notional = false
order_types = ["MARKET", "LIMIT"]
usual_times_in_force = {{ CRYPTO = {{ MARKET = "IOC", LIMIT = "GTC" }} }}
usual_hours = {{ LIMIT = "extended" }}
fees_in_kind = {{ CRYPTO = "0.0015" }}
```

Kite's requests have no words for other order types, times in force and hours than these, nor for amounts and parts of a unit:
settings that say it takes more are refused.

| setting | | {names} |
|---|---|{lines}|
{capabilities}

## What each broker offers, and what liveorder does with it

By the brokers' own documentation, as of November 2026. In *italics*: not supported here; a signal that asks for it is refused, and
names the field.

| | Alpaca | Zerodha Kite | Interactive Brokers |
|---|---|---|---|
{offered}

## What each adapter fulfils

The contract of the port, case by case (`src/testing/cases`). Every adapter plays every case in the test suite, over its wire, with
the vendor's own client library; what it cannot do is played too, and must fail.

| case | {names} |
|---|{lines}|
{promises}

{footnotes}
"""


def brokers_page() -> str:
    """What is declared, and which promises are kept, side by side."""
    names, reasons = list(ADAPTERS), Reasons()
    declared = [
        row(f"`{name}`", [DECLARED[name], *(words(getattr(each, name)) for each, _ in ADAPTERS.values())])
        for name in (each.name for each in fields(BrokerCapabilities))
    ]
    kept = [
        row(case.name.replace("_", " "), [reasons.mark(cannot.get(case.name)) for _, cannot in ADAPTERS.values()]) for case in CASES
    ]
    return BROKERS.format(
        names=" | ".join(names),
        lines="|".join("---" for _ in names),
        capabilities="\n".join(declared),
        offered="\n".join(row(label, list(cells)) for label, cells in OFFERED.items()),
        promises="\n".join(kept),
        footnotes="\n".join(f"{number}. {reason}." for number, reason in enumerate(reasons.given, 1)),
    )


SIGNALS = """\
# Signals

Drawn from `liveorder.domain.signal` by `docs/generate.py`; not written by hand. `liveorder schema` prints the same as JSON Schema.

A signal is one JSON object, on one line of a file or of standard input; in Python `Signal(...)` takes the same names. Needed
are `symbol`, one of `signal_id` and `timestamp`, and `side`, but for a signal that closes or names a target
([positions](positions.md)). An unknown field is refused, with the name that was meant; so are two names of one field.
Words such as `BUY` may be in any letter case; symbols and currencies are taken as they are. Numbers are exact: JSON numbers or
their text. Times are ISO-8601 with a zone. `null` is the same as absent.

| field | takes | |
|---|---|---|
{fields}

## Other names

A signal that uses one of these is the same signal as one that uses ours, also when it comes again by the other name.
`LONG` and `SHORT` are no sides, whatever the field is called: what is meant by them depends on what is held.

| field | other names |
|---|---|
{synonyms}

## Which order needs which price

`stop_price` is the price at which an order becomes active, whichever way it has to go. Which types a broker takes stands in
[brokers](brokers/README.md).

| `order_type` | needs | |
|---|---|---|
{types}
"""


def signals_page() -> str:
    """Every field of a signal, and what each type of order needs."""
    schema = signal_json_schema()
    fields = [
        row(f"`{name}`", [taken(schema, name), schema["properties"][name].get("description") or described(schema, name)])
        for name in Signal.model_fields
    ]
    meanings = attribute_docstrings(OrderType)
    types = [row(f"`{kind}`", [", ".join(needs(kind)) or "nothing", meanings.get(kind.value, "")]) for kind in OrderType]
    synonyms = [
        row(f"`{field}`", [", ".join(f"`{synonym}`" for synonym, name in SYNONYMS.items() if name == field)])
        for field in dict.fromkeys(SYNONYMS.values())
    ]
    return SIGNALS.format(fields="\n".join(fields), synonyms="\n".join(synonyms), types="\n".join(types))


def taken(schema: dict[str, Any], name: str) -> str:
    """The words, or the kind of value."""
    told = one_kind(schema, name)
    if words := told.get("anyOf", [{}])[0].get("enum"):
        return ", ".join(f"`{word}`" for word in words)
    kind = told["type"] if isinstance(told["type"], str) else "number"
    kinds = {"string": "text", "array": "texts", "date-time": "time", "date": "day", "uuid": "UUID"}
    return kinds.get(told.get("format", kind), kind)


def described(schema: dict[str, Any], name: str) -> str:
    return str(one_kind(schema, name).get("description", ""))


def one_kind(schema: dict[str, Any], name: str) -> dict[str, Any]:
    """Without null, and as it is defined."""
    field: dict[str, Any] = schema["properties"][name]
    told: dict[str, Any] = field.get("anyOf", [field])[0]
    return schema["$defs"][told["$ref"].rpartition("/")[2]] | told if "$ref" in told else told


def needs(kind: OrderType) -> list[str]:
    needed = {
        "`stop_price`": kind.traits.needs_stop_price,
        "`limit_price`": kind.traits.needs_limit_price,
        "`trail_amount` or `trail_percent`": kind.traits.trails,
        "`limit_offset`": kind.traits.needs_limit_offset,
    }
    return [name for name, is_needed in needed.items() if is_needed]


class Reasons:
    """Why promises are not kept, numbered in the order in which they are met."""

    def __init__(self) -> None:
        self.given: list[str] = []

    def mark(self, reason: str | None) -> str:
        if reason is None:
            return "yes"
        if reason not in self.given:
            self.given.append(reason)
        return f"no ({self.given.index(reason) + 1})"


def row(label: str, cells: list[str]) -> str:
    return f"| {label} | {' | '.join(cells)} |".replace("\n", " ")


def words(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case frozenset():
            return ", ".join(sorted(value)) or "none"
        case float() | int():
            return f"{value:,.0f}"
        case Mapping() if set(value) == set(OrderType) and len(set(value.values())) == 1:
            return words(next(iter(value.values())))
        case Mapping():
            return ", ".join(f"{name} {words(each)}" for name, each in value.items()) or "none"
    return str(value)


OFFERED: dict[str, tuple[str, str, str]] = {
    "order types": (
        ("market, limit, stop, stop-limit, trailing stop; coins without stops and trailing stops, options without trailing stops"),
        "MARKET, LIMIT, SL, SL-M; *iceberg, cover order, auction*",
        (
            "MKT, LMT, STP, STP LMT, TRAIL, TRAIL LIMIT, MIT, LIT, MTL, MOC, LOC; *pegged, relative, volatility "
            "and algorithmic orders*"
        ),
    ),
    "times in force": (
        "day, gtc, ioc, fok, opg, cls; coins gtc and ioc, options day and gtc",
        "DAY, IOC, TTL (as GTD); *GTT*",
        "DAY, GTC, IOC, FOK, GTD, OPG; *AUC, DTC, good after time*",
    ),
    "sessions": (
        "regular; extended (04:00–20:00) with LIMIT and DAY; *overnight*",
        'regular; `kite.variety = "amo"` for the next session; *pre-open*',
        "regular; extended (`outsideRth`); *overnight*",
    ),
    "changes of an order": (
        "by another order that replaces it, while nothing is filled; *of a trail*",
        "quantity and prices, in place",
        "quantity and prices, in place; *of a trail*",
    ),
    "brackets, OCO": (
        "*bracket, OCO, OTO*",
        "*GTT OCO, cover order*",
        "*parent and child, OCA groups*",
    ),
    "several legs": (
        "*mleg (options)*",
        "none (a basket is single orders)",
        "*combos (BAG)*; an order or a fill of one is told, a position is its legs",
    ),
    "parts of a unit": (
        "nine decimals of shares, for the DAY; coins",
        "none",
        "coins and currencies; *stocks*",
    ),
    "amounts of money": (
        "market orders of shares and coins",
        "none: the quantity is worked out here",
        "market buys of coins",
    ),
    "short sales": (
        "shares that can be borrowed; not coins",
        "within the day (MIS), and derivatives",
        "shares, derivatives, currencies; not coins",
    ),
    "options": (
        "bought and sold, by expiry, strike and right; *exercise*",
        "by trading symbol or expiry, strike and right",
        "by trading class, expiry, strike and right; *exercise*",
    ),
    "marks what closes": (
        "`position_intent`",
        "none",
        "none for stocks and futures; *open/close of options*",
    ),
}
"""By broker: Alpaca, Zerodha Kite, Interactive Brokers."""
DECLARED = {
    "key_support": "our key on an order",
    "key_memory_seconds": "remembered for (s)",
    "lookup_lag_seconds": "missing from a search for up to (s)",
    "position_lag_seconds": "a fill is missing from the positions for up to (s)",
    "max_position_age_seconds": "an exit believes what was said of positions for (s); 0: they are asked for at the exit",
    "account_lag_seconds": "the account's money is told up to so late (s)",
    "delivery_bound_seconds": "a request arrives within (s)",
    "clock_skew_seconds": "its clock is off by up to (s)",
    "trusts_absence": "*not found* is believed, after all that",
    "atomic_replace": "a replace never leaves two orders",
    "order_types": "order types",
    "times_in_force": "times in force",
    "usual_times_in_force": "time in force of a signal that names none, where it is not DAY",
    "hours": "hours",
    "usual_hours": "hours of a signal that names none, where they are not the regular ones",
    "contract_ids": "knows contracts by `trading_class` and `con_id`",
    "crosses_zero": "one order may close a position and open the other side",
    "replaces": "an order can be given new terms",
    "notional": "orders for an amount",
    "notional_for": "of which there are such orders, if there are any",
    "fractional": "parts of a unit",
    "reduce_only_for": "is told which orders only reduce",
    "fees_in_kind": "the largest part of a buy that is kept as the fee, without saying so",
    "requests_per_second": "requests a second",
    "requests_per_minute": "requests a minute",
    "quiet_poll_seconds": "open orders are asked for at most every (s), while the stream tells what happens",
    "open_orders_are_complete": "its list of open orders has those placed elsewhere",
}
"""Every field of the capabilities."""
ADAPTERS: dict[str, tuple[BrokerCapabilities, Mapping[str, str]]] = {
    "simulated": (SIMULATED_CAPABILITIES, {}),
    "alpaca": (alpaca.ALPACA_CAPABILITIES, alpaca.CANNOT),
    "kite": (kite.CAPABILITIES, kite.CANNOT),
    "ibkr": (ibkr.CAPABILITIES, ibkr.CANNOT),
}

SETTINGS = """\
# Settings

Drawn from the settings by `docs/generate.py`; not written by hand. `liveorder init` writes this file.

Arguments of the command line and of `Runner.open` win over the environment, the environment over `.env`, `.env` over the file. The
file is `liveorder.toml` in the working folder, or the one that `-c` or `LIVEORDER_CONFIG` names.

```toml
{template}
```
"""


def settings_page() -> str:
    return SETTINGS.format(template=commented_toml().strip())


DECISIONS = """\
# Decisions

Drawn from the records by `docs/generate.py`; not written by hand. [Contributing](../../CONTRIBUTING.md#decisions) tells when a
decision gets one.

## Records

{records}
"""


def decisions_page() -> str:
    """The records by number, each with the title that it has itself."""
    paths = sorted((DOCS / "adr").glob("[0-9]*.md"))
    return DECISIONS.format(records="\n".join(f"- [{title(path)}]({path.name})" for path in paths))


def title(page: Path) -> str:
    return page.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")


PAGES: dict[str, Callable[[], str]] = {
    "adr/README.md": decisions_page,
    "lifecycle.md": lifecycle_page,
    "brokers/README.md": brokers_page,
    "reference/settings.md": settings_page,
    "signals.md": signals_page,
    "reference/fields.md": fields_page,
}


def main() -> None:
    """Writes what differs; with `--check` only names it, and fails if there is any."""
    stale = [name for name, page in PAGES.items() if current(DOCS / name) != page()]
    if "--check" in sys.argv[1:] and stale:
        sys.exit(f"run `python docs/generate.py`: not as the code has it now: {', '.join(stale)}")
    for name in stale:
        (DOCS / name).write_text(PAGES[name](), encoding="utf-8")


def current(page: Path) -> str:
    """Nothing, of one that is still to be written."""
    return page.read_text(encoding="utf-8") if page.exists() else ""


if __name__ == "__main__":
    main()
