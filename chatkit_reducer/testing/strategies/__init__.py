"""Hypothesis strategies for everything that a ChatKit stream can hold.

    from hypothesis import given
    from chatkit_reducer import fold
    from chatkit_reducer.testing import strategies as chatkit

    @given(chatkit.streams())
    def test_a_sound_stream_leaves_nothing_pending(events):
        assert fold(events).pending == ()

`streams` are sound: each item lives its whole life, and is done with what its updates add up to.
`hostile_streams` are what a fold must survive. `events`, `updates`, `items`, `widgets` and
`json_values` are what both are made of. `stops` are streams that end too early, and `policies` the
tables that say what becomes of their items. `threads` are what a store holds, and `logs` are
streams as bytes.

All arguments are keywords, and a wrong one is an `InvalidArgument` at once. Three mean the same
everywhere:

* With `unknown=False` there is nothing in a value that openai-chatkit 1.6.5 does not know, and its
  models accept every item and event that is sound; by default there are also types, fields and
  nulls that it has never heard of.
* `types` are names as they stand on the wire, such as `"widget"` or `"thread.item.added"`.
* `form` says as what you get it: `"struct"`, the classes of `chatkit_reducer.events`; `"json"`,
  plain mappings; `"sdk"`, the models of openai-chatkit, which has to be installed then. Of what is
  unknown there are no models.

Text never holds half of a surrogate pair and numbers are finite, so that every value can be written
as JSON.

Where this package is installed, `st.from_type` and `st.builds` find these strategies by themselves,
for `Event` and `Update`, each of their classes, `ThreadState` and `Policy`.
"""

from __future__ import annotations

from chatkit_reducer.testing.strategies._events import events, updates
from chatkit_reducer.testing.strategies._hostile import hostile_streams
from chatkit_reducer.testing.strategies._items import items
from chatkit_reducer.testing.strategies._json import json_values
from chatkit_reducer.testing.strategies._logs import RecordedLog, logs
from chatkit_reducer.testing.strategies._stops import StoppedStream, policies, stops
from chatkit_reducer.testing.strategies._streams import streams
from chatkit_reducer.testing.strategies._threads import threads
from chatkit_reducer.testing.strategies._widgets import widgets

__all__ = [
    "RecordedLog",
    "StoppedStream",
    "events",
    "hostile_streams",
    "items",
    "json_values",
    "logs",
    "policies",
    "stops",
    "streams",
    "threads",
    "updates",
    "widgets",
]
