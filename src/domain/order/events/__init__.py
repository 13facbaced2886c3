"""The events of an order's life. Topics are for ever.

A new kind of event is one class in one of these modules, and has its name here by that: `ev.Filled`.
"""

# ruff: noqa: F403 - whatever events a module declares are here, so that a new one is named nowhere else
from liveorder.domain.order.events.base import *
from liveorder.domain.order.events.cancels import *
from liveorder.domain.order.events.fills import *
from liveorder.domain.order.events.intent import *
from liveorder.domain.order.events.replaces import *
from liveorder.domain.order.events.reviews import *
from liveorder.domain.order.events.submissions import *
from liveorder.domain.order.events.waits import *
from liveorder.domain.order.vocabulary import *
