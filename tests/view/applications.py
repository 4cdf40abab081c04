"""Applications with a watcher, on a real server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Mount, Route

from chatkit_reducer.view.watching import Watcher
from tests.support.sdk_servers import REQUEST

__all__ = ["mounted"]


@contextmanager
def running(application: Any) -> Iterator[str]:
    """Run an application on uvicorn, in a thread; give its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(application, log_level="error"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield address
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def mounted(watcher: Watcher, server: Any = None) -> Iterator[str]:
    """Mount a watcher beside a server of the SDK; give the address of the first page."""

    async def respond(request: Request) -> StreamingResponse:
        return StreamingResponse(await server.process(REQUEST, None))

    routes = [Route("/chatkit", respond), Mount("/__chatkit", watcher)]
    with running(Starlette(routes=routes)) as address:
        yield f"{address}/__chatkit{watcher.path}"
