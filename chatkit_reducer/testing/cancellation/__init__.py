"""Stop a streaming exchange at each of its points, and compare the store with the client's view.

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

The store has to hold the items that `settle` gives for the events that the client received. It may
also hold those for a few events more: a producer may have made an event, and stored its item, that
the client did not get to see before the stop.

`chatkit_reducer.testing.chatkit_server` makes exchanges of servers of the official SDK.
"""

from chatkit_reducer.testing.cancellation.event_loops import Backend
from chatkit_reducer.testing.cancellation.exchange import Exchange
from chatkit_reducer.testing.cancellation.harness import cancel_everywhere
from chatkit_reducer.testing.cancellation.methods import Way
from chatkit_reducer.testing.cancellation.report import Finding, FindingKind, Report
from chatkit_reducer.testing.cancellation.sample_response import EARLIER_ITEMS, a_response
from chatkit_reducer.testing.cancellation.shapes import Shape

__all__ = [
    "EARLIER_ITEMS",
    "Backend",
    "Exchange",
    "Finding",
    "FindingKind",
    "Report",
    "Shape",
    "Way",
    "a_response",
    "cancel_everywhere",
]
