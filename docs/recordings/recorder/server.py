"""The real `ChatKitServer` under Starlette and uvicorn, on a free port of the loopback."""

import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from chatkit.actions import Action
from chatkit.agents import AgentContext
from chatkit.server import ChatKitServer, StreamingResult
from chatkit.types import ThreadMetadata, ThreadStreamEvent, UserMessageItem, WidgetItem
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from recorder.store import MemoryStore

Context = AgentContext[None]
Responder = Callable[[Context], AsyncIterator[ThreadStreamEvent]]

START_DEADLINE = 10.0


class RecordedServer(ChatKitServer[None]):
    """Answers every request with the current responder, and leaves all else to the SDK."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store)
        self.responder: Responder | None = None

    def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: None
    ) -> AsyncIterator[ThreadStreamEvent]:
        return self._answer(thread)

    def action(
        self,
        thread: ThreadMetadata,
        action: Action[str, Any],
        sender: WidgetItem | None,
        context: None,
    ) -> AsyncIterator[ThreadStreamEvent]:
        return self._answer(thread)

    def _answer(self, thread: ThreadMetadata) -> AsyncIterator[ThreadStreamEvent]:
        assert self.responder is not None, "the recorder sets a responder before each request"
        return self.responder(AgentContext(thread=thread, store=self.store, request_context=None))

    async def endpoint(self, request: Request) -> Response:
        """The endpoint as the SDK's own quickstart writes it."""
        result = await self.process(await request.body(), None)
        if isinstance(result, StreamingResult):
            return StreamingResponse(result, media_type="text/event-stream")
        return Response(result.json, media_type="application/json")


@contextmanager
def running(server: RecordedServer) -> Iterator[int]:
    """Serve on a free port, which is the value. Afterwards, no request is running any more."""
    app = Starlette(routes=[Route("/chatkit", server.endpoint, methods=["POST"])])
    http = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None))
    thread = threading.Thread(target=http.run, name="uvicorn")
    thread.start()
    try:
        _wait_until_started(http)
        yield http.servers[0].sockets[0].getsockname()[1]
    finally:
        http.should_exit = True
        thread.join()


def _wait_until_started(http: uvicorn.Server) -> None:
    deadline = time.monotonic() + START_DEADLINE
    while not http.started:
        if time.monotonic() > deadline:
            raise TimeoutError("uvicorn did not start")
        time.sleep(0.01)
