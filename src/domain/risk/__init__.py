"""The risk rules: pure functions over a proposed order, what is known of its account, and the account's limits."""

from liveorder.domain.risk.assessment import GATES, REPLACEMENT_RULES, RULES, SWITCHES, Assessment, assess, assess_all
from liveorder.domain.risk.buying_power import is_paid_in_full, is_short
from liveorder.domain.risk.exposure import Exposure, OpenSide, share_of
from liveorder.domain.risk.open_order import OpenExposure, open_exposure
from liveorder.domain.risk.proposal import BuyingPower, Proposal, RiskCase, RiskRefusal, RiskView, Rule, is_reducing

__all__ = [
    "GATES",
    "REPLACEMENT_RULES",
    "RULES",
    "SWITCHES",
    "Assessment",
    "BuyingPower",
    "Exposure",
    "OpenExposure",
    "OpenSide",
    "Proposal",
    "RiskCase",
    "RiskRefusal",
    "RiskView",
    "Rule",
    "assess",
    "assess_all",
    "is_paid_in_full",
    "is_reducing",
    "is_short",
    "open_exposure",
    "share_of",
]
