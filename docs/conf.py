"""How Sphinx makes the site of the Markdown files where they stand: `make docs`.

The source directory is the root of the project, so that a relative link means the same here and where the repository is hosted.
"""

import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any, get_type_hints

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from docs.api_reference import SHOWN, directives  # noqa: E402 - as above

import liveorder  # noqa: E402 - the folder that holds the documentation is not a package

project = "liveorder"
version = release = liveorder.__version__
html_title = f"liveorder {version}"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
source_suffix = {".md": "markdown"}
root_doc = "docs/README"
include_patterns = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs/**"]
exclude_patterns = [".*", "var", "build", "dist", "htmlcov", "src", "tests", "dev", "logs"]

html_theme = "furo"
html_extra_path = ["site"]
html_copy_source = False
html_show_copyright = False

myst_heading_anchors = 4
myst_fence_as_directive = ["mermaid"]

# In docstrings a word between single backticks is code, as it is in Markdown.
default_role = "code"
autodoc_default_options = {
    "members": True,
    "undoc-members": True,
    "member-order": "bysource",
    "show-inheritance": True,
    "exclude-members": "model_config",
}
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
# A heading for each class is enough: with every attribute in it, the navigation takes longer to make than all the rest.
toc_object_entries = False
maximum_signature_line_length = 140

CONTENTS = ("docs/README", "docs/adr/README", "docs/reference/README")
"""Pages whose lists of links are the navigation of the site as well."""
LISTED = re.compile(r"^(?:- |\| )\[[^]]+\]\(([^)#:]+\.md)\)")
ARROW = re.compile(r"^\s*(\w+) --> (\w+) : (.+)$")
NAMED = re.compile(r'^\s*state "(.+)" as (\w+)$')


def complete(_: Sphinx, page: str, source: list[str]) -> None:
    """Append the navigation and the docstrings to the pages that have them."""
    if page in CONTENTS:
        source[0] += "".join(toctree(caption, names) for caption, names in sections(source[0]))
    source[0] += "\n" + directives(page)


def sections(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each heading of the second level with the pages that the lists under it lead to."""
    for part in re.split(r"^## ", text, flags=re.MULTILINE):
        if listed := [found[1].removesuffix(".md") for line in part.splitlines() if (found := LISTED.match(line))]:
            yield part.splitlines()[0], listed


def toctree(caption: str, names: list[str]) -> str:
    return "\n".join(["", "", "```{toctree}", ":hidden:", f":caption: {caption}", "", *names, "```"])


def mark_code(_: Sphinx, __: str, ___: str, ____: object, _____: object, lines: list[str]) -> None:
    """An indented paragraph of a docstring is code."""
    marked: list[str] = []
    for line in lines:
        if line.startswith("    ") and marked and not marked[-1]:
            before = next((each for each in reversed(marked) if each), "")
            if not before.startswith((" ", ">>>")):
                marked += ["::", ""]
        marked.append(line)
    lines[:] = marked


def without_arguments(_: Sphinx, kind: str, __: str, documented: Any, *___: object) -> tuple[str, str] | None:
    """Protocols and enumerations are not made by calling them; the fields of a model say what it is made of."""
    is_made_of_fields = hasattr(documented, "_member_map_") or hasattr(documented, "model_fields")
    is_hidden = kind == "class" and (is_made_of_fields or getattr(documented, "_is_protocol", False))
    return ("", "") if is_hidden else None


def show_plain_types(documented: type) -> None:
    """`Decimal`, where the code has `Annotated[Decimal, ...]` with what validates it and prints it.

    Annotations that only a type checker can evaluate stay as they are written.
    """
    plain = {}
    with suppress(TypeError, NameError):
        plain = get_type_hints(documented)
    for annotations in (documented.__annotations__, getattr(documented.__init__, "__annotations__", {})):
        annotations |= {name: plain[name] for name in annotations if name in plain}


class Mermaid(SphinxDirective):
    """A diagram of states as a table: from the status at the left to the status at the top."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        names = {found[2]: found[1] for line in self.content if (found := NAMED.match(line))}
        arrows: dict[tuple[str, str], list[str]] = defaultdict(list)
        for line in self.content:
            if found := ARROW.match(line):
                arrows[found[1], found[2]].append(found[3])
        rows = [[names[old], *(", ".join(arrows[old, new]) for new in names)] for old in names]
        return [table(["from", *names.values()], rows)]


def table(head: list[str], rows: list[list[str]]) -> nodes.table:
    columns = nodes.tgroup("", *(nodes.colspec(colwidth=1) for _ in head), cols=len(head))
    columns += nodes.thead("", row(head))
    columns += nodes.tbody("", *(row(each) for each in rows))
    return nodes.table("", columns)


def row(cells: list[str]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", nodes.paragraph(text=cell)) for cell in cells))


def setup(app: Sphinx) -> dict[str, bool]:
    for documented in chain.from_iterable(SHOWN.values()):
        show_plain_types(documented)
    app.add_directive("mermaid", Mermaid)
    app.connect("source-read", complete)
    app.connect("autodoc-process-docstring", mark_code)
    app.connect("autodoc-process-signature", without_arguments)
    return {"parallel_read_safe": True}
