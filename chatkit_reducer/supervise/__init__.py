"""`supervise`: an async stream of events, settled exactly once however it ends.

It stands between whoever makes events and whoever sends them, folds each event on its way through,
and knows no transport. When the stream ends, by itself or by force, it closes the producer, settles
what is in flight by the policy, and has the application commit that.

    producer ──events──▶ supervise ──the same events──▶ consumer
                             │
                             └──settlement, once──▶ commit

Beside the core this is the only room that needs anyio, and so `import chatkit_reducer` does not
load it.
"""

from chatkit_reducer.supervise.committing import Commit, MarkerFields
from chatkit_reducer.supervise.stream import Supervised, supervise
from chatkit_reducer.supervise.tracking import Load, as_event

__all__ = ["Commit", "Load", "MarkerFields", "Supervised", "as_event", "supervise"]
