"""What the source says beneath each attribute of a class: read where it is printed, and not whenever the class is made."""

from __future__ import annotations

import ast
import inspect
import textwrap
from itertools import pairwise


def attribute_docstrings(of: type) -> dict[str, str]:
    """By attribute, of the class and its bases; of what is not ours, nothing."""
    found: dict[str, str] = {}
    for each in reversed(of.__mro__):
        if each.__module__.startswith("liveorder."):
            found |= _beneath(each)
    return found


def _beneath(of: type) -> dict[str, str]:
    definition = ast.parse(textwrap.dedent(inspect.getsource(of))).body[0]
    found = {}
    for declared, said in pairwise(getattr(definition, "body", ())):
        match declared, said:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = inspect.cleandoc(text)
    return found
