"""Ids as people can tell them apart."""

from __future__ import annotations

import re

__all__ = ["escaped", "id_text"]

_PLAIN_ID = re.compile(r"[!-\[\]-~]*").fullmatch  # printable ASCII, but for space and backslash
_ODD_SPACES = re.compile(r"^ +| +$| {2,}")
_BLANK = frozenset("\u115f\u1160\u2800\U0001d159")  # letters and symbols without a shape
_JOINING = re.compile("[\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff]").match  # parts of syllables


def id_text(text: str) -> str:
    r"""Show an id so that two ids look alike only if they are equal, and on one line.

    A character that is invisible, or that changes the one before it, is escaped: `msg_\u200b1`.
    Letters of any script are shown; that some of them look like others is not seen.
    """
    return text if _PLAIN_ID(text) else escaped(text.replace("\\", "\\\\"))


def escaped(text: str) -> str:
    """Return a text with escapes for what is invisible in it, or changes what is before it."""
    shown = "".join([char if _has_shape(char) else _escape(char) for char in text])
    return _ODD_SPACES.sub(lambda found: "\\x20" * len(found[0]), shown)


def _has_shape(char: str) -> bool:
    import unicodedata

    if char.isascii():
        return char.isprintable()
    return (
        unicodedata.category(char)[0] in "LNPS"
        and char not in _BLANK
        and not _JOINING(char)
        and unicodedata.normalize("NFKC", char) == char
    )


def _escape(char: str) -> str:
    return (
        char.encode("ascii", "backslashreplace").decode()
        if not char.isascii()
        else f"\\x{ord(char):02x}"
    )
