"""A watcher of responses, to mount in an application while it is developed.

    from chatkit_reducer.view.watching import Watcher

    watcher = Watcher(debug=True)
    app.mount("/__chatkit", watcher)
    server.watcher = watcher                            # a ReducerChatKitServer, or
    supervise(events, commit, policy=policy, watcher=watcher)

It is an ASGI application. Its first page lists the newest responses; each leads to a page that
grows with the response. Both hold whole chats, and so it refuses to start unless `debug=True` is
said; `loopback` has the rules of who may look, and the log has the path with the secret.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from datetime import datetime
from html import escape
from string import Template
from typing import Any, TypeAlias
from urllib.parse import parse_qs

import anyio

from chatkit_reducer.core.policy.settlement import Settlement
from chatkit_reducer.core.policy.table import Policy
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.core.visible import id_text
from chatkit_reducer.errors import CommitError
from chatkit_reducer.events import Event
from chatkit_reducer.logs import Record
from chatkit_reducer.view.growing import Growing
from chatkit_reducer.view.loopback import EVENT_STREAM, HEADERS, HTML, Door
from chatkit_reducer.view.page import asset, security_policy
from chatkit_reducer.view.recording import Recording
from chatkit_reducer.view.viewing import with_presets

__all__ = ["Response", "Watcher"]

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

_PAUSE = 0.1
"""How long to wait between two looks at a response, in seconds."""
_KEEP_ALIVE = 150
"""After so many looks without news a page gets a comment, so that one that has left is noticed."""
_LOCAL = ("127.", "::1", "::ffff:127.")

logger: logging.Logger = logging.getLogger("chatkit_reducer.view")


class Response:
    """One response that is watched.

    Args:
        number: counts the responses, from 1.
        state: the thread before it.
        policy: the table that decides at its end.
    """

    def __init__(self, number: int, state: ThreadState, policy: Policy) -> None:
        self.number = number
        self.begun: datetime = datetime.now().astimezone()
        self.settlement: Settlement | None = None
        self.failure: CommitError | None = None
        stored = state if state.items or state.thread else None
        policies = with_presets([policy])
        self.growing: Growing = Growing(f"response {number}", lambda: Recording(stored, policies))

    def take(self, event: Event, /) -> None:
        """Take the next event."""
        self.growing.take([Record(event)])

    def finish(self, settlement: Settlement | None, failure: CommitError | None, /) -> None:
        """Take the end."""
        self.settlement, self.failure = settlement, failure
        self.growing.end(None if settlement is None else settlement.cause)

    @property
    def thread(self) -> str:
        """The id of the thread; empty as long as no event has named it."""
        return next((thread for thread in self.growing.threads if thread is not None), "")

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        if not self.growing.has_ended:
            return "goes on"
        return "unknown" if self.settlement is None else str(self.settlement.cause)

    @property
    def outcome(self) -> str:
        """What the policy did at the end, in words."""
        settlement = self.settlement
        if settlement is None:
            return ""
        counts = {
            "kept": len(settlement.persist),
            "stale": len(settlement.stale),
            "lost": len(settlement.discard),
        }
        said = ", ".join(f"{count} {fate}" for fate, count in counts.items() if count)
        failed = "; the commit failed" if self.failure is not None else ""
        return f"{settlement.policy.name}: {said or 'nothing was in flight'}{failed}"


class Watcher:
    """Watches responses, and shows the newest of them.

    Args:
        debug: True; its pages hold whole chats, so that it must not run in production.
        most: how many responses it keeps.

    Raises:
        ValueError: `debug` is not True, or `most` is less than 1.
    """

    def __init__(self, *, debug: bool = False, most: int = 50) -> None:
        if debug is not True:
            raise ValueError(
                f"expected debug=True, got {debug!r}: a watcher shows whole chats; make one only "
                "where you develop"
            )
        if most < 1:
            raise ValueError(f"expected most to be 1 or more, got {most!r}")
        self._door = Door()
        self._count = 0
        self._responses: deque[Response] = deque(maxlen=most)
        logger.warning(
            "A watcher shows whole chats to programs of this machine that know its path: %s below "
            "the place where it is mounted.",
            self.path,
        )

    @property
    def path(self) -> str:
        """The path of its first page, below the place where it is mounted."""
        return f"/{self._door.token}/"

    @property
    def responses(self) -> list[Response]:
        """The responses that it has, the newest first."""
        return [*reversed(self._responses)]

    def watch(self, state: ThreadState, policy: Policy, /) -> Response:
        """Begin to watch a response."""
        self._count += 1
        response = Response(self._count, state, policy)
        self._responses.append(response)
        return response

    # --- the application --------------------------------------------------------------------------

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return
        place = self._place(scope)
        if place is None:
            await _send(send, 403, "text/plain", b"Forbidden")
        elif place == "":
            await _redirect(send, self._door.home)
        elif place == "/":
            await _send(send, 200, HTML, self._index().encode())
        else:
            await self._show(place.removeprefix("/"), scope, receive, send)

    def _place(self, scope: Message) -> str | None:
        """Return the part of the path behind the token; None if the request is refused."""
        client = scope.get("client")
        if client is not None and not str(client[0]).startswith(_LOCAL):
            return None
        path: str = scope["path"].removeprefix(scope.get("root_path", ""))
        return self._door.way_in(_headers(scope, b"host"), path)

    async def _show(self, place: str, scope: Message, receive: Receive, send: Send) -> None:
        number, _, rest = place.partition("/")
        found = next((each for each in self._responses if str(each.number) == number), None)
        if found is None or "/" not in place or rest not in ("", "events"):
            await _send(send, 404, "text/plain", b"Not Found")
        elif rest == "":
            await _send(send, 200, HTML, str(found.growing.page()).encode())
        else:
            await _send_events(found.growing, _last_place(scope), receive, send)

    def _index(self) -> str:
        css = asset("index.css")
        return Template(asset("index.html")).substitute(
            policy=security_policy(css), css=css, responses="\n".join(self._rows())
        )

    def _rows(self) -> Iterator[str]:
        if not self._responses:
            yield "<p>None yet.</p>"
            return
        yield "<table>"
        heads = ("response", "began", "thread", "events", "end", "policy")
        yield f"<tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>"
        for each in self.responses:
            link = f'<a href="{each.number}/">{each.number}</a>'
            began, events = each.begun.strftime("%H:%M:%S"), f"{each.growing.events:,}"
            cells = (began, id_text(each.thread), events, each.ending, each.outcome)
            texts = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
            yield f"<tr><td>{link}</td>{texts}</tr>"
        yield "</table>"


def _headers(scope: Message, name: bytes) -> list[str]:
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    return [value.decode("latin-1") for key, value in headers if key.lower() == name]


def _last_place(scope: Message) -> str:
    """Return the place at which a page stands: it says it again when it is back."""
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    return next(iter([*_headers(scope, b"last-event-id"), *query.get("after", [])]), "")


async def _send(send: Send, status: int, kind: str, body: bytes) -> None:
    await _begin(send, status, {"content-type": kind, "content-length": str(len(body))})
    await send({"type": "http.response.body", "body": body})


async def _redirect(send: Send, address: str) -> None:
    await _begin(send, 308, {"location": address, "content-length": "0"})
    await send({"type": "http.response.body", "body": b""})


async def _begin(send: Send, status: int, more: dict[str, str]) -> None:
    headers = [(name.encode(), value.encode()) for name, value in (HEADERS | more).items()]
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def _send_events(growing: Growing, place: str, receive: Receive, send: Send) -> None:
    """Send events until the response has ended, or the page has gone."""

    async def send_all() -> None:
        await _begin(send, 200, {"content-type": EVENT_STREAM})
        async for data in _frames(growing, place):
            await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(send_all)
        while (await receive())["type"] != "http.disconnect":
            pass
        tasks.cancel_scope.cancel()


async def _frames(growing: Growing, place: str) -> AsyncIterator[bytes]:
    """Yield the frames of a page; now and then a comment."""
    seen, idle = -1, 0
    while True:
        frame = None
        if seen != growing.changes:
            seen = growing.changes
            frame = growing.frame(place)
        idle = 0 if frame is not None else idle + 1
        if frame is not None:
            yield frame.data
            place = frame.place
            if frame.is_last:
                return
            if growing.has_ended:
                seen = -1  # that is still to be said
        elif idle % _KEEP_ALIVE == 0:
            yield b":\n\n"
        await anyio.sleep(_PAUSE)
