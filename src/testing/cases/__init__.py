"""Every promise of the `Broker` port, by subject."""

from collections.abc import Iterator
from types import ModuleType

from liveorder.testing.case import ContractCase
from liveorder.testing.cases import asking, changing, execution, failing, living, submission


def _of(module: ModuleType) -> Iterator[ContractCase]:
    return (value for value in vars(module).values() if isinstance(value, ContractCase))


CASES: tuple[ContractCase, ...] = tuple(
    case for module in (submission, execution, changing, asking, failing, living) for case in _of(module)
)
