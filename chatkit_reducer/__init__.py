"""Fold any ChatKit stream, decide what survives its end, replay a recorded one.

What every stream needs (events, `decode`, `reduce`, `fold`) is imported at once, each other name
when it is first used: a program does not pay for rooms that it never enters.
"""

from __future__ import annotations

from chatkit_reducer import _startup  # noqa: F401  # first: it decides what Ctrl-C does meanwhile

# isort: split
import importlib
from typing import TYPE_CHECKING, Any

from chatkit_reducer import events
from chatkit_reducer._names import at_first_use
from chatkit_reducer.core.anomalies import Anomaly, AnomalyKind
from chatkit_reducer.core.codec import decode, encode, from_json, to_json
from chatkit_reducer.core.described import draw_with
from chatkit_reducer.core.fold.folder import fold
from chatkit_reducer.core.thread.reduce import reduce
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.events import Event, Unreadable

if TYPE_CHECKING:
    from chatkit_reducer import errors, policies
    from chatkit_reducer.core.items import HIDDEN_TYPES
    from chatkit_reducer.core.policy.settle import settle
    from chatkit_reducer.core.policy.settlement import Settlement
    from chatkit_reducer.core.policy.table import (
        Case,
        Cause,
        Content,
        Decision,
        Marker,
        Origin,
        Policy,
        Row,
    )
    from chatkit_reducer.core.policy.verdict import Verdict, Write
    from chatkit_reducer.core.thread.compact import compact
    from chatkit_reducer.core.thread.diff import diff
    from chatkit_reducer.core.thread.lifecycle import Phase
    from chatkit_reducer.core.thread.snapshot import restore, snapshot
    from chatkit_reducer.logs import read, replay, write

__all__ = [
    "HIDDEN_TYPES",
    "Anomaly",
    "AnomalyKind",
    "Case",
    "Cause",
    "Content",
    "Decision",
    "Event",
    "Marker",
    "Origin",
    "Phase",
    "Policy",
    "Row",
    "Settlement",
    "ThreadState",
    "Unreadable",
    "Verdict",
    "Write",
    "__version__",
    "compact",
    "decode",
    "diff",
    "encode",
    "errors",
    "events",
    "fold",
    "from_json",
    "policies",
    "read",
    "reduce",
    "replay",
    "restore",
    "settle",
    "snapshot",
    "to_json",
    "write",
]

__version__ = "0.1.0"

_TABLE = "chatkit_reducer.core.policy.table"
_HOMES = {
    "HIDDEN_TYPES": "chatkit_reducer.core.items",
    "Case": _TABLE,
    "Cause": _TABLE,
    "Content": _TABLE,
    "Decision": _TABLE,
    "Marker": _TABLE,
    "Origin": _TABLE,
    "Phase": "chatkit_reducer.core.thread.lifecycle",
    "Policy": _TABLE,
    "Row": _TABLE,
    "Settlement": "chatkit_reducer.core.policy.settlement",
    "Verdict": "chatkit_reducer.core.policy.verdict",
    "Write": "chatkit_reducer.core.policy.verdict",
    "compact": "chatkit_reducer.core.thread.compact",
    "diff": "chatkit_reducer.core.thread.diff",
    "read": "chatkit_reducer.logs",
    "replay": "chatkit_reducer.logs",
    "restore": "chatkit_reducer.core.thread.snapshot",
    "settle": "chatkit_reducer.core.policy.settle",
    "snapshot": "chatkit_reducer.core.thread.snapshot",
    "write": "chatkit_reducer.logs",
}
"""Where a name is defined that is imported when it is first used."""


if not TYPE_CHECKING:  # or else a type checker would let any name pass
    __getattr__ = at_first_use(__name__, _HOMES, modules=("errors", "policies"))


def _draw(value: Any) -> str:
    """Draw a value for a notebook."""
    html: str = importlib.import_module("chatkit_reducer.view.notebook").html_of(value)
    return html


draw_with(_draw)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
