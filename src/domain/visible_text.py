"""Text from outside, made safe to show: nothing in it can start a line, move a cursor or turn the reading direction."""

from __future__ import annotations


def visible(text: str) -> str:
    r"""Every character that does not print as itself becomes its escape.

    That is controls (newline, ESC), bidi and zero-width marks, lone surrogates, unusual spaces and separators.

    >>> visible("SPY\nforged")
    'SPY\\nforged'
    """
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else character.encode("unicode_escape").decode() for character in text)
