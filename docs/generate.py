"""Writes the pages of the documentation that are drawn from the code: `python docs/generate.py`. A test finds them stale."""

import ast
import inspect
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from liveorder.domain import lifecycle

DOCS = Path(__file__).resolve().parent

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


PAGES: dict[str, Callable[[], str]] = {"lifecycle.md": lifecycle_page}


def main() -> None:
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
