"""Fold any ChatKit stream, decide what survives its end, replay a recorded one."""

from chatkit_reducer.anomalies import Anomaly, FaultKind
from chatkit_reducer.codec import decode, encode
from chatkit_reducer.folding import fold
from chatkit_reducer.logs import replay
from chatkit_reducer.state import ThreadState
from chatkit_reducer.thread import reduce

__all__ = ["Anomaly", "FaultKind", "ThreadState", "decode", "encode", "fold", "reduce", "replay"]
