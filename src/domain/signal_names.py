"""The names of a signal's fields: ours, those that are taken in their place, and those of other systems that are only understood.

What is only understood is refused with the name that was meant. To leave such a field out could change the order: one whose size
was called `qty` would be for the account's `position_size`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping

from liveorder.domain.errors import InvalidInput

SYNONYMS = {
    "signal_type": "side",
    "action": "side",
    "direction": "side",
    "cms_score": "score",
    "strategy_id": "strategy_name",
    "ticker": "symbol",
    "total_quantity": "quantity",
    "contracts": "quantity",
}
"""Other names for a field. A signal that uses one is the same signal as one that uses ours."""

_FOREIGN: Mapping[str, str] = {
    "signal_id": "id uid uuid sid signal signal_uid client_order_id cl_ord_id order_id order_ref order_link_id ref tag_id",
    "account_id": "account acc acct account_name account_number account_no portfolio sub_account user_id",
    "strategy_name": "strategy strat strat_id strategy_code algo algo_id algo_name bot bot_id model",
    "symbol": "sym instrument instrument_id instrument_name security asset pair coin scrip stock trading_symbol local_symbol "
    "contract",
    "side": "buy_sell buy_or_sell bs order_action order_side trade_side transaction_type signal_side order_direction",
    "order_type": "ord_type kind price_type execution_type",
    "position_effect": "effect open_close open_or_close position_action reduce_only close_only close_position",
    "quantity": "qty qnty quant units unit shares share lots lot volume vol base_size base_qty base_amount order_qty "
    "order_quantity trade_qty trade_quantity total_qty "
    "num_shares number_of_shares n_shares no_of_shares num_contracts number_of_contracts contract_size quantity_requested",
    "notional": "cash cash_qty cash_quantity cash_amount dollars dollar_amount usd_amount money value order_value quote_size "
    "quote_qty quote_order_qty quote_amount budget investment capital notional_value",
    "percent": "pct percentage percent_of_equity equity_percent qty_percent",
    "risk_percent": "risk risk_pct risk_percentage",
    "target_quantity": "target_position target_qty target_size target_units desired_position",
    "target_percent": "target_pct target_weight target_percentage target_allocation",
    "limit_price": "limit lmt_price limit_px lmt order_price",
    "stop_price": "stop_px aux_price trigger trigger_price stop_trigger activation_price",
    "price": "last last_price mark_price market_price reference_price ref_price",
    "trail_amount": "trail trailing trailing_amount trail_value trail_price trailing_delta",
    "trail_percent": "trail_pct trailing_percent callback_rate trailing_percentage",
    "time_in_force": "tif validity duration",
    "hours": "extended_hours outside_rth session",
    "expires_at": "good_till_date good_till gtd expire_time expires expire_at cancel_at",
    "exchange": "exch venue mic listing primary_exchange",
    "product": "product_type prd",
    "asset_class": "asset_type sec_type security_type instrument_type class",
    "expiry": "expiration expiration_date expiry_date maturity maturity_date last_trade_date last_trade_date_or_contract_month",
    "symbol_name": "name display_name",
    "strike": "strike_price strike_px",
    "right": "option_type put_call call_put cp put_or_call",
    "multiplier": "mult contract_multiplier point_value",
    "con_id": "contract_id",
    "currency": "ccy cur quote_currency",
    "tags": "tag labels label comment note notes remark",
    "stop_loss": "sl stop_loss_price sl_price",
    "take_profit": "tp profit_target target_price take_profit_price tp_price",
    "score": "confidence conviction probability strength",
    "timestamp": "time ts datetime date_time date created_at created sent_at signal_time generated_at event_time",
    "valid_until": "valid_till expiry_time signal_expiry ttl_until",
    "timeout_seconds": "timeout ttl time_out",
    "oco_group": "oco oca oca_group oca_id",
    "parent_order_id": "parent parent_id parent_order",
}
"""By field, what others call it. Letter case and what stands between the words make no difference."""

_UNITS_OR_MONEY = "'quantity' (units) or 'notional' (money)"
_SEVERAL: Mapping[str, str] = {
    "amount amt size sz position_size pos_size order_size trade_size order_amount trade_amount": _UNITS_OR_MONEY,
    "target": "'take_profit' (a price) or 'target_quantity' (units)",
    "stop": "'stop_price' (when the order becomes active) or 'stop_loss'",
    "entry entry_price px": "'limit_price' (the worst that will do) or 'price' (for information)",
    "allocation weight": "'percent' (of the equity, to open) or 'target_percent' (to hold)",
    "type": "'order_type' or 'side'",
}
"""Names that mean different things to different systems, with what each of them may mean here."""


def _bare(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _by_bare_name(names: Mapping[str, str]) -> dict[str, str]:
    return {_bare(name): meant for several, meant in names.items() for name in several.split()}


HINTS = (
    {_bare(name): repr(field) for field, names in _FOREIGN.items() for name in names.split()}
    | _by_bare_name({name: repr(field) for name, field in SYNONYMS.items()})
    | _by_bare_name(_SEVERAL)
)
"""What each of these names may mean, by its letters and digits alone."""
_CLOSE_ENOUGH = 0.7


def what_was_meant(name: str, fields: Iterable[str]) -> str | None:
    """The field that an unknown name seems to mean, or several, in quotes; None if it resembles none."""
    known = HINTS | {_bare(field): repr(field) for field in fields}
    bare = _bare(name)
    close = [bare] if bare in known else difflib.get_close_matches(bare, known, n=1, cutoff=_CLOSE_ENOUGH)
    return known[close[0]] if close else None


def by_field_name(fields: Mapping[str, object]) -> tuple[dict[str, object], dict[str, str]]:
    """The values that are not None by the names of fields, and by these the synonym that was used.

    Raises `InvalidInput` where two names of one field are given.
    """
    values: dict[str, object] = {}
    said: dict[str, str] = {}
    for given, value in fields.items():
        if value is None:
            continue
        field = SYNONYMS.get(given, given)
        if field in values:
            synonym, other = (given, said.get(field, field)) if given != field else (said[field], field)
            beside = "" if other == field else f", as is {other}"
            raise InvalidInput(synonym, f"another name for {field}{beside}, and both are given", "keep one of them")
        values[field] = value
        if given != field:
            said[field] = given
    return values, said
