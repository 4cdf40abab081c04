"""HAR, the export of a browser's network tab: requests, each with the body of its response."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from chatkit_reducer.events import Json
from chatkit_reducer.logs.formats._finder import Finder, holds_event
from chatkit_reducer.logs.formats._json_values import JsonValues, Value
from chatkit_reducer.logs.formats._mixed_lines import longest_line
from chatkit_reducer.logs.formats.texts import MISSING, Place, Text, Texts, is_typed, parse

__all__ = ["Har", "is_har", "texts_of"]

_EVENT_STREAM = "text/event-stream"
# An entry without these is not a request; letters of them may be spelled as escapes.
_REQUEST = re.compile(rb'"(?:request|response)"|\\u')


class _Response(Struct):
    """The texts of one response, and when its request was sent."""

    started: datetime
    url: str
    texts: list[Text]


def is_har(value: Any) -> bool:
    """Return whether a JSON value is a whole HAR."""
    log = value.get("log") if isinstance(value, dict) and not is_typed(value) else None
    return isinstance(log, dict) and isinstance(log.get("entries"), list)


def texts_of(entries: list[Any], place: Place, limit: int) -> tuple[list[Text], int]:
    """Return the texts in the entries of a HAR that is there whole, and how many were left out."""
    collector = _Collector(limit)
    for entry in entries:
        collector.feed(entry, place)
    return collector.texts(), collector.skipped


class Har:
    """Find the event streams among the responses, and read them in the order of their requests.

    Requests stand in the order in which they ended, so that no event comes before the end of the
    file. Until then the event streams are kept, and of the other requests nothing. One request may
    have twice the size that an event may have.
    """

    name = "HAR"

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._values = JsonValues(longest_line(limit), inside=b"{{[")
        self._values.wanted = _REQUEST
        self._collector = _Collector(limit)

    @property
    def skipped(self) -> int:
        """How many requests have no event in their response."""
        return self._collector.skipped

    def push(self, data: bytes) -> list[Texts]:
        """Take these bytes; nothing is complete before the end."""
        for value in self._values.push(data):
            self._feed(value)
        return [Texts([], len(data))]

    def rest(self) -> list[Texts]:
        """Return the texts of all responses."""
        for value in self._values.rest():
            self._feed(value)
        return [Texts(self._collector.texts(), 0)]

    def _feed(self, value: Value) -> None:
        if value.too_long:
            self._collector.refuse(
                value, f"the request is larger than {longest_line(self._limit)} bytes"
            )
            return
        if self._values.passes_over(value):
            return
        entry = parse(value.text)
        if entry is not MISSING:
            self._collector.feed(entry, value.place)
        elif value.is_broken:
            self._collector.refuse(value, "the HAR ends too early: this request is not complete")
        else:
            self._collector.refuse(value, "the request is not valid JSON")


class _Collector:
    """The responses that were found so far."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._responses: list[_Response] = []
        self._faults: list[Text] = []
        self._urls: set[str] = set()  # from which an event came that only ChatKit has
        self.skipped: int = 0

    def refuse(self, value: Value, reason: str) -> None:
        """Note a request that cannot be read."""
        self._faults.append(Text(value.text[:1024], value.place, None, reason))

    def feed(self, entry: Any, place: Place) -> None:
        """Take one element of an array in `log`: a request, or a page, which is passed over."""
        if not isinstance(entry, dict) or not ({"request", "response"} & entry.keys()):
            return
        texts = self._texts_in(self._bodies(entry, place), place)
        if not texts:
            self.skipped += 1
            return
        url = _url_of(entry)
        if any(holds_event(text.payload) for text in texts):
            self._urls.add(url)
        self._responses.append(_Response(self._started(entry), url, texts))

    def _texts_in(self, bodies: list[bytes], place: Place) -> list[Text]:
        if not bodies:
            return []
        finder, texts = Finder(self._limit), []
        for body in bodies:
            finder.text(body, place)
            texts += finder.end()
        return texts

    def _bodies(self, entry: Json, place: Place) -> list[bytes]:
        """Return the texts that are event streams, or parts of one."""
        response = _field(entry, "response", dict, {})
        content = _field(response, "content", dict, {})
        is_stream = _EVENT_STREAM in _field(content, "mimeType", str, "").lower()
        body = _body_of(content)
        if body is not None and (is_stream or holds_event(body)):
            return [body]
        messages = _messages(entry)
        if messages:
            return messages
        if is_stream and (content.get("text") is None or content.get("size") not in (None, 0)):
            reason = "the response of this event stream is not in the HAR: the browser left it out"
            url = _url_of(entry).encode("utf-8", "replace")
            self._faults.append(Text(url, place, None, reason))
        return []

    def _started(self, entry: Json) -> datetime:
        try:
            started = datetime.fromisoformat(entry["startedDateTime"])
        except (KeyError, TypeError, ValueError):
            return self._responses[-1].started if self._responses else _LONG_AGO
        return started if started.tzinfo else started.replace(tzinfo=UTC)

    def texts(self) -> list[Text]:
        """Return the texts of all responses in the order of their requests."""
        responses = sorted(self._responses, key=lambda response: response.started)
        if self._urls:  # else there are only events that any service may have
            count = len(responses)
            responses = [response for response in responses if response.url in self._urls]
            self.skipped += count - len(responses)
        texts = [text for response in responses for text in response.texts]
        if not texts and not self._faults:
            reason = f"none of the {self.skipped:,} responses in the HAR holds an event"
            return [Text(b"", Place(0, 0), None, reason)]
        return [*texts, *self._faults]


_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def _field(value: Json, name: str, kind: type[Any], default: Any) -> Any:
    inner = value.get(name)
    return inner if isinstance(inner, kind) else default


def _url_of(entry: Json) -> str:
    url: str = _field(_field(entry, "request", dict, {}), "url", str, "")
    return url


def _body_of(content: Json) -> bytes | None:
    text = content.get("text")
    if not isinstance(text, str) or not text:
        return None
    if content.get("encoding") != "base64":
        return text.encode("utf-8", "replace")
    try:
        return base64.b64decode(text)
    except (binascii.Error, ValueError):
        return None


def _messages(entry: Json) -> list[bytes]:
    """Return the messages that Chrome keeps beside the response."""
    found: list[bytes] = []
    for name in ("_eventSourceMessages", "_webSocketMessages"):
        for message in _field(entry, name, list, []):
            data = message.get("data") if isinstance(message, dict) else None
            if isinstance(data, str) and message.get("type") != "send":
                found.append(data.encode("utf-8", "replace"))
    return found if any(holds_event(message) for message in found) else []
