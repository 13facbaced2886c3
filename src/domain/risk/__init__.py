"""The risk rules: pure functions over a proposed order, what is known of its account, and the account's limits."""

from liveorder.domain.risk.assessment import GATES, REPLACEMENT_RULES, RULES, SWITCHES, Assessment, assess, assess_all
from liveorder.domain.risk.exposure import Exposure, OpenSide
from liveorder.domain.risk.open_order import OpenExposure, open_exposure
from liveorder.domain.risk.proposal import Case, Proposal, RiskRefusal, RiskView, Rule, is_reducing

__all__ = [
    "GATES",
    "REPLACEMENT_RULES",
    "RULES",
    "SWITCHES",
    "Assessment",
    "Case",
    "Exposure",
    "OpenExposure",
    "OpenSide",
    "Proposal",
    "RiskRefusal",
    "RiskView",
    "Rule",
    "assess",
    "assess_all",
    "is_reducing",
    "open_exposure",
]
