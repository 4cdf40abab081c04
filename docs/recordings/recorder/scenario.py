"""What a scenario is: requests to one thread, and how the server answers each of them."""

from dataclasses import dataclass

from recorder.client import Stop
from recorder.server import Responder
from recorder.store import JsonObject

THREAD_ID = "thr_1"
"""The id that the store gives to the first thread."""

SLOW_STORE = 0.005
INSTANT_STORE = 0.0


@dataclass(frozen=True)
class Turn:
    """One request, and how it is answered."""

    request: JsonObject
    responder: Responder


@dataclass(frozen=True)
class Scenario:
    """The turns of one thread.

    The last one is recorded, the others only make what is there before it.
    """

    name: str
    turns: tuple[Turn, ...]
    stop: Stop | None = None
    write_delay: float = SLOW_STORE


def first(responder: Responder, *, says: str = "Hello") -> Turn:
    """The turn that creates the thread."""
    return Turn({"type": "threads.create", "params": {"input": _message(says)}}, responder)


def then(responder: Responder, *, says: str = "Go on") -> Turn:
    """A later message of the user."""
    params = {"input": _message(says), "thread_id": THREAD_ID}
    return Turn({"type": "threads.add_user_message", "params": params}, responder)


def request(kind: str, responder: Responder, **params: object) -> Turn:
    """A later request of any other kind."""
    return Turn({"type": kind, "params": {"thread_id": THREAD_ID, **params}}, responder)


def _message(text: str) -> JsonObject:
    content = [{"type": "input_text", "text": text}]
    return {"content": content, "attachments": [], "inference_options": {}}
