"""Every event that the domain declares is known, wherever it is declared."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import liveorder.domain
from liveorder.application.recording import domain_events
from liveorder.domain.events import Event


def test_no_event_of_the_domain_is_declared_in_a_module_that_is_not_named() -> None:
    for module in pkgutil.walk_packages(liveorder.domain.__path__, f"{liveorder.domain.__name__}."):
        importlib.import_module(module.name)
    declared = {each for each in _below(Event) if each.topic and each.__module__.startswith(liveorder.domain.__name__)}
    assert {*domain_events()} == declared


def _below(parent: type[Event]) -> Iterator[type[Event]]:
    for child in parent.__subclasses__():
        yield child
        yield from _below(child)
