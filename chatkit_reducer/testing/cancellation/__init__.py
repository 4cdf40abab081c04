"""Stops a streaming exchange everywhere, and compares what people saw with what is stored.

An exchange is one request and its streamed answer. `cancel_everywhere` counts the points at which
the client's coroutine suspends, makes the exchange anew for each of them, stops it there, waits
until nothing runs any more, and looks into the store:

    def exchange() -> Exchange:
        store = Store()
        return Exchange(
            events=lambda: supervise(answer(), store.commit, policy=policies.KEEP),
            stored=store.items,
            policy=policies.KEEP,
        )

    def test_nothing_is_lost():
        cancel_everywhere(exchange).raise_for_findings()

The store has to be what `settle` says of the events that the client received. It may also be what
`settle` says a little further on: a producer may have made an event, and stored what it says, that
nobody got to see before the stop.

`chatkit_reducer.testing.chatkit_server` makes exchanges of servers of the official SDK.
"""

from chatkit_reducer.testing.cancellation.answer import EARLIER_ITEMS, a_response
from chatkit_reducer.testing.cancellation.event_loops import Backend
from chatkit_reducer.testing.cancellation.everywhere import cancel_everywhere
from chatkit_reducer.testing.cancellation.exchange import Exchange
from chatkit_reducer.testing.cancellation.report import Finding, FindingKind, Report
from chatkit_reducer.testing.cancellation.ways import Way

__all__ = [
    "EARLIER_ITEMS",
    "Backend",
    "Exchange",
    "Finding",
    "FindingKind",
    "Report",
    "Way",
    "a_response",
    "cancel_everywhere",
]
