"""Fold any ChatKit stream, decide what survives its end, replay a recorded one."""

from chatkit_reducer import policies
from chatkit_reducer.anomalies import Anomaly, FaultKind
from chatkit_reducer.codec import decode, encode
from chatkit_reducer.compact import compact
from chatkit_reducer.diff import diff
from chatkit_reducer.folding import fold
from chatkit_reducer.logs import replay
from chatkit_reducer.policy import Cause, Marker, Policy, Row
from chatkit_reducer.settlement import Settlement, Write, settle
from chatkit_reducer.snapshot import restore, snapshot
from chatkit_reducer.state import ThreadState
from chatkit_reducer.thread import reduce

__all__ = [
    "Anomaly",
    "Cause",
    "FaultKind",
    "Marker",
    "Policy",
    "Row",
    "Settlement",
    "ThreadState",
    "Write",
    "compact",
    "decode",
    "diff",
    "encode",
    "fold",
    "policies",
    "reduce",
    "replay",
    "restore",
    "settle",
    "snapshot",
]
