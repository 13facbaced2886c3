"""The risk rules: pure functions over a proposed order, what is known of its account, and the account's limits."""

from liveorder.domain.risk.assessment import (
    GATES,
    REPLACEMENT_RULES,
    RULES,
    SWITCHES,
    Assessment,
    Level,
    assess,
    assess_all,
    assess_opening,
    assess_wait,
)
from liveorder.domain.risk.buying_power import is_paid_in_full, is_short
from liveorder.domain.risk.consequences import as_market_exit, end_unwanted, is_refused_though_it_may_be_sent, refused_by
from liveorder.domain.risk.covers import NO_COVER, Cover, Covers
from liveorder.domain.risk.exposure import Exposure, OpenSide, ProductPart, Stake, closable, share_of
from liveorder.domain.risk.open_order import OpenExposure, open_exposure
from liveorder.domain.risk.permissions import IN_DOUBT_SYMBOL
from liveorder.domain.risk.proposal import (
    BuyingPower,
    Proposal,
    RiskCase,
    RiskRefusal,
    RiskView,
    Rule,
    SentOrder,
    is_reducing,
)
from liveorder.domain.risk.repeats import likeness
from liveorder.domain.risk.switches import AUTO_TRADING, KILL_SWITCH

__all__ = [
    "AUTO_TRADING",
    "GATES",
    "IN_DOUBT_SYMBOL",
    "KILL_SWITCH",
    "NO_COVER",
    "REPLACEMENT_RULES",
    "RULES",
    "SWITCHES",
    "Assessment",
    "BuyingPower",
    "Cover",
    "Covers",
    "Exposure",
    "Level",
    "OpenExposure",
    "OpenSide",
    "ProductPart",
    "Proposal",
    "RiskCase",
    "RiskRefusal",
    "RiskView",
    "Rule",
    "SentOrder",
    "Stake",
    "as_market_exit",
    "assess",
    "assess_all",
    "assess_opening",
    "assess_wait",
    "closable",
    "end_unwanted",
    "is_paid_in_full",
    "is_reducing",
    "is_refused_though_it_may_be_sent",
    "is_short",
    "likeness",
    "open_exposure",
    "refused_by",
    "share_of",
]
