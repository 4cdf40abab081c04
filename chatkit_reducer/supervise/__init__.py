"""`supervise`: an async stream of events, settled exactly once however it ends.

It stands between the producer of events and the code that sends them, folds each event on its way
through, and knows no transport. When the stream ends, by itself or by force, it closes the
producer, settles the items in flight by the policy, and has the application commit the settlement.

    producer ──events──▶ supervise ──the same events──▶ consumer
                             │
                             └──settlement, once──▶ commit

Files, in the order to read them:

* `start`, with `options` and `checks`: the function `supervise`, and the checks of its arguments;
* `life`: the table of the five stages of a stream, which says which task settles it;
* `stream`: the stream itself; `iteration` has the parts that need an event loop, such as the
  `consumer` and the `deadlines`; `tracker` folds the events; `ending` settles;
* `producer/`: ask the producer for events, interrupt it, close it;
* `journaling`, with `write_limit`: write each event to a journal, and not for ever;
* `watching`: tell a tool of each event;
* `commit/`: look up, decide, commit, report;
* `interruptions`, `reentry`, `shield`, `tasks`: tools for cancellations and tasks, on asyncio and
  Trio.

This package needs anyio, and so `import chatkit_reducer` does not load it.
"""

from chatkit_reducer.supervise._start import supervise
from chatkit_reducer.supervise._stream import Supervised
from chatkit_reducer.supervise._tracker import as_event
from chatkit_reducer.supervise._watching import Watched, Watcher
from chatkit_reducer.supervise.commit.attempts import Commit
from chatkit_reducer.supervise.commit.lookups import Load
from chatkit_reducer.supervise.commit.marker import MarkerFields

__all__ = [
    "Commit",
    "Load",
    "MarkerFields",
    "Supervised",
    "Watched",
    "Watcher",
    "as_event",
    "supervise",
]
