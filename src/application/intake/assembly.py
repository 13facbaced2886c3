"""Puts the intake room together."""

from __future__ import annotations

from dataclasses import dataclass

from liveorder.application.intake.dead_letters import DeadLetters
from liveorder.application.intake.intake import Intake
from liveorder.application.runtime.dispatcher import Dispatcher
from liveorder.application.runtime.foundation import Foundation
from liveorder.application.trading.assembly import Trading


@dataclass(frozen=True, slots=True)
class IntakeRoom:
    read: Intake
    dead_letters: DeadLetters


def assemble(on: Foundation, dispatcher: Dispatcher, trading: Trading) -> IntakeRoom:
    dead_letters = DeadLetters(on.store, on.recorder, trading.execute, on.log)
    return IntakeRoom(Intake(dispatcher, trading.execute, dead_letters, on.clock, on.sparing_log), dead_letters)
