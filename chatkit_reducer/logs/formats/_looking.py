"""How much of a log is looked at closely when next to nothing in it is an event.

To find an event behind a prefix costs some 50 microseconds for each line, however short the line
is. So the looks that find nothing are counted. Once there were `FREE_LOOKS` of them, only text is
looked at that has the mark of an event: the type of one, or the field of a server-sent event. Such
text is found at the speed of a search. Each event that is found earns a few looks more.
"""

from __future__ import annotations

import re

from chatkit_reducer.events import EVENT_TYPES

__all__ = ["FREE_LOOKS", "LIKELY", "Looks"]

FREE_LOOKS = 10_000
_EARNED = 10

_TYPES = "|".join(re.escape(name) for name in EVENT_TYPES if not name.startswith("thread."))

LIKELY = re.compile(
    rb"""type[\\"']*[ \t]*:[ \t]*[\\"']*(?:thread\.|(?:%b)[\\"'])"""  # the type of an event
    rb"""|\b(?:data|id|event):|\[DONE\]"""  # server-sent events
    rb"""|\\u00[67]"""  # letters that are spelled as escapes
    rb"""|\[[ \t]*123[ \t]*,""" % _TYPES.encode()  # `{` as journald writes it, in an array of bytes
)
"""The mark of an event, in JSON or as a program prints it."""


class Looks:
    """Counts the looks that found nothing."""

    def __init__(self) -> None:
        self._left = FREE_LOOKS

    @property
    def are_spent(self) -> bool:
        """Whether only likely text is looked at."""
        return self._left <= 0

    def count(self, *, found: bool) -> None:
        """Note one more look, and whether it found an event."""
        left = self._left + _EARNED if found else self._left - 1
        self._left = max(0, min(FREE_LOOKS, left))
