"""What another process may ask the owner of a store to do."""

from enum import StrEnum


class CommandKind(StrEnum):
    SUBMIT = "submit"
    VALIDATE = "validate"
    CANCEL = "cancel"
    REPLACE = "replace"
    CLOSE = "close"
    KILL = "kill"
    RESUME = "resume"
    SETTLE_FOUND = "settle_found"
    SETTLE_ABSENT = "settle_absent"
    ADOPT_ORDER = "adopt_order"
    ADOPT_POSITION = "adopt_position"
    TRANSFER = "transfer"
    RECONCILE = "reconcile"
    RECOVER = "recover"
    DOUBTS = "doubts"
    ACCOUNT = "account"
    AUTO_TRADING = "auto_trading"
    RETRY = "retry"

    @property
    def only_asks(self) -> bool:
        """Whether it sends nothing and decides nothing, so that asking again is safe."""
        return self in _QUESTIONS


_QUESTIONS = frozenset({CommandKind.VALIDATE, CommandKind.RECONCILE, CommandKind.RECOVER, CommandKind.DOUBTS, CommandKind.ACCOUNT})
