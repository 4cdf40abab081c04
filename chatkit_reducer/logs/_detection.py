"""The format of a log, found by looking at it."""

from __future__ import annotations

import re

from chatkit_reducer.logs._framing import Framing
from chatkit_reducer.logs._json_lines import JSON_LINES
from chatkit_reducer.logs._sse import SSE

__all__ = ["LOOK_AT", "detect"]

LOOK_AT = 65536
"""How many bytes at the start of a log may say nothing; then it is JSON lines."""

# The first line that carries data decides. Lines before it are rubbish, or comments.
_TELLING = re.compile(rb"(?:\A(?:\xef\xbb\xbf)?|[\r\n])(?:[ \t]*(?P<json>\{)|data:)")
_FIELD = re.compile(rb"(?:\xef\xbb\xbf)?[\r\n]*(?:event|id|retry)?:")


def detect(head: bytes, *, final: bool) -> Framing | None:
    """Return the format of a log that begins with these bytes; None where more are needed.

    Args:
        head: the log from its start.
        final: `head` is all of it.
    """
    found = _TELLING.search(head, 0, LOOK_AT)
    if found is not None:
        return JSON_LINES if found["json"] else SSE
    if not final and len(head) < LOOK_AT:
        return None
    return SSE if _FIELD.match(head) else JSON_LINES
