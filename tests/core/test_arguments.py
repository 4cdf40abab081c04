"""What callers pass by mistake is refused at once, with what to pass instead."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest

from chatkit_reducer import (
    Cause,
    ThreadState,
    compact,
    decode,
    diff,
    encode,
    fold,
    policies,
    reduce,
    replay,
    settle,
)
from chatkit_reducer import snapshot as snapshot_of
from chatkit_reducer.analysis import sweep
from chatkit_reducer.events import ThreadItemRemoved
from chatkit_reducer.testing.examples import added, message, removed, text_delta

NOTHING: Any = None
NUMBER: Any = 5
STATE = ThreadState()
DECODE_FIRST = (
    "decode JSON text with `decode`, and plain mappings with `from_json`, before folding them"
)

MISUSES: dict[str, tuple[Callable[[], object], str]] = {
    "reduce, a text": (
        lambda: reduce(NOTHING, text_delta("m", "x")),
        "expected a ThreadState as `state`, got NoneType: begin with ThreadState()",
    ),
    "reduce, an item": (
        lambda: reduce(NUMBER, added(message("m"))),
        "expected a ThreadState as `state`, got int: begin with ThreadState()",
    ),
    "reduce, no event": (
        lambda: reduce(STATE, NOTHING),
        f"NoneType is not an event: {DECODE_FIRST}",
    ),
    "fold, nothing": (
        lambda: fold(NOTHING),
        "expected events to iterate over, got NoneType: pass a list, a generator",
    ),
    "fold, one event": (
        lambda: fold(text_delta("m", "x")),  # type: ignore[arg-type]  # the mistake
        "expected several events, got one ThreadItemUpdated: pass it in a list, or to reduce",
    ),
    "fold, no state": (lambda: fold([], NUMBER), "expected a ThreadState as `state`, got int"),
    "compact, nothing": (lambda: compact(NOTHING), "expected events to iterate over, got NoneType"),
    "compact, no state": (
        lambda: compact([], NUMBER),
        "expected a ThreadState as `state`, got int",
    ),
    "diff, before": (lambda: diff(NOTHING, STATE), "expected a ThreadState as `before`, got NoneT"),
    "diff, after": (
        lambda: diff(STATE, NOTHING),
        "expected a ThreadState as `after`, got NoneType",
    ),
    "snapshot": (lambda: snapshot_of(NOTHING), "expected a ThreadState as `state`, got NoneType"),
    "replay": (
        lambda: replay(io.BytesIO(), NUMBER),
        "expected a ThreadState as `state`, got int: begin with ThreadState()",
    ),
    "sweep, nothing": (
        lambda: sweep(NOTHING, [], "ended"),
        "expected events to iterate over, got NoneType: pass a list, a generator",
    ),
    "sweep, no state": (
        lambda: sweep([], [], "ended", NUMBER),
        "expected a ThreadState as `state`, got int: begin with ThreadState()",
    ),
    "sweep, one policy": (
        lambda: sweep([], policies.SDK, "ended"),  # type: ignore[arg-type]  # the mistake
        "expected policies in a list, got Policy: pass some of chatkit_reducer.policies",
    ),
    "sweep, no policies": (
        lambda: sweep([], NOTHING, "ended"),
        "expected policies in a list, got NoneType: pass some of chatkit_reducer.policies",
    ),
    "sweep, no policy": (
        lambda: sweep([], [NUMBER], "ended"),
        "expected policies in a list, got int: pass some of chatkit_reducer.policies",
    ),
    "from_items, nothing": (
        lambda: ThreadState.from_items(NOTHING),
        "expected the items as mappings in a list, got NoneType: ThreadState() is the thread",
    ),
    "from_items, one item": (
        lambda: ThreadState.from_items(message("m")),  # type: ignore[arg-type]  # the mistake
        "expected the items as mappings in a list, got dict: ThreadState() is the thread",
    ),
    "from_items, no item": (
        lambda: ThreadState.from_items([NOTHING]),
        "expected each item as a mapping of its JSON, got NoneType",
    ),
    "from_items, no thread": (
        lambda: ThreadState.from_items([], thread=NUMBER),
        "expected `thread` as a mapping of its metadata, got int: leave it out if there is none",
    ),
    "decode, nothing": (
        lambda: decode(NOTHING),
        "expected JSON text as str or bytes, got NoneType: plain mappings become events with",
    ),
}


@pytest.mark.parametrize("misuse", MISUSES)
def test_a_wrong_argument_is_a_type_error_that_says_what_to_do(misuse: str) -> None:
    call, said = MISUSES[misuse]
    with pytest.raises(TypeError) as caught:
        call()
    assert str(caught.value).startswith(said)


def test_what_is_no_state_is_said_to_be_none() -> None:
    odd: Any = [message("m")]

    calls: list[Callable[[], object]] = [lambda: reduce(odd, removed("m")), lambda: fold([], odd)]
    for call in calls:
        with pytest.raises(TypeError) as caught:
            call()
        assert str(caught.value) == (
            "expected a ThreadState as `state`, got list: begin with ThreadState(), "
            "or make one of stored items with ThreadState.from_items"
        )


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("state", "ThreadState"),
        ("policy", "Policy"),
        ("delivered", "ThreadState"),
        ("marker_id", "str"),
        ("marker_time", "str"),
    ],
)
def test_settle_names_the_argument_that_is_of_another_type(name: str, kind: str) -> None:
    arguments: dict[str, Any] = {"state": ThreadState(), "policy": policies.KEEP}

    with pytest.raises(TypeError, match=f"^{name} must be a {kind}, not int$"):
        settle(**{**arguments, "cause": Cause.ENDED, name: 1})


MISUSE: dict[str, Callable[[], Any]] = {
    "a policy by its name": lambda: settle(ThreadState(), policy="sdk", cause="ended"),  # type: ignore[arg-type]
    "a time that is no text": lambda: settle(
        ThreadState(),
        policy=policies.SDK,
        cause="ended",
        marker_time=5,  # type: ignore[arg-type]
    ),
    "items for a state": lambda: fold([], [message("m")]),  # type: ignore[arg-type]
    "the wrong way round": lambda: reduce(ThreadItemRemoved("m"), ThreadState()),  # type: ignore[arg-type]
    "one item for many": lambda: ThreadState.from_items("abc"),  # type: ignore[arg-type]
    "bytes for a log": lambda: replay(b"{}"),  # type: ignore[arg-type]
    "text for a log": lambda: replay(io.StringIO("{}")),  # type: ignore[arg-type]
    "no event": lambda: encode({"type": "notice"}),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("misuse", MISUSE.values(), ids=MISUSE)
def test_misuse_is_a_type_error_that_names_the_type(misuse: Callable[[], Any]) -> None:
    with pytest.raises(TypeError, match=r"ThreadState|Policy|str|mapping|bytes|dict"):
        misuse()
