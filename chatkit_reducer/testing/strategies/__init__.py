"""Hypothesis strategies for all values that a ChatKit stream can hold.

    from hypothesis import given
    from chatkit_reducer import fold
    from chatkit_reducer.testing import strategies as chatkit

    @given(chatkit.streams())
    def test_a_sound_stream_leaves_nothing_pending(events):
        assert fold(events).pending == ()

`streams` are sound: each item lives its whole life, and is done with the content that its updates
add up to. `adversarial_streams` have anything wrong in them, and a fold must survive them. Both are
made of `events`, `updates`, `items`, `widgets` and `json_values`. `stops` are streams that end too
early, and `policies` decide about their items. `threads` are the states of a store, and `logs` are
streams as bytes.

All arguments are keywords, and a wrong one is an `InvalidArgument` at once. Three mean the same
everywhere:

* With `unknown=False` openai-chatkit 1.6.5 knows all content of a value, and its models accept
  every item and event that is sound; by default there are also types, fields and nulls that it has
  never heard of.
* `types` are names as they stand on the wire, such as `"widget"` or `"thread.item.added"`.
* `form` selects the representation: `"struct"`, the classes of `chatkit_reducer.events`; `"json"`,
  plain mappings; `"sdk"`, the models of openai-chatkit, which has to be installed then. Unknown
  content has no models.

Text never holds a lone surrogate and numbers are finite, so that every value can be written as
JSON.

Where this package is installed, `st.from_type` and `st.builds` find these strategies by themselves,
for `Event` and `Update`, each of their classes, `ThreadState` and `Policy`.
"""

from __future__ import annotations

from chatkit_reducer.testing.strategies._adversarial import adversarial_streams
from chatkit_reducer.testing.strategies._events import events, updates
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
    "adversarial_streams",
    "events",
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
