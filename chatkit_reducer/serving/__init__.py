"""Answers of a server of your own: stored while they are sent, and settled however they end.

    responses = Responses(save, delete, policy=policies.KEEP)

    async with responses.stream(thread_id, answer(...)) as events:
        async for event in events:
            await send(encode_sse(event))

It is a layer over `supervise`, the journal and its recovery. It adds the work that every server
has to do around them: store finished items before they are sent, turn an error into an event, keep
hidden items back, correct the client, stop a thread, and settle everything at a shutdown.

Files, in the order to read them:

* `responses`: the answers of one server;
* `stream`: one of them;
* `store`: the functions of the application that write, on an event loop or in a thread;
* `visibility`: which events a client may see;
* `sync`: the same for code without an event loop.
"""

from chatkit_reducer.serving.responses import Responses
from chatkit_reducer.serving.store import Delete, LoadItem, Save
from chatkit_reducer.serving.stream import ResponseStream
from chatkit_reducer.serving.sync import stream_sync

__all__ = ["Delete", "LoadItem", "ResponseStream", "Responses", "Save", "stream_sync"]
