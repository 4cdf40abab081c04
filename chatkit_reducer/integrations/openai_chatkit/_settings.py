"""Check a server when it is made, so that a wrong setting does not lose the first answer."""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from chatkit.server import ChatKitServer

from chatkit_reducer.core.policy.table import Policy
from chatkit_reducer.journal.protocol import Journal
from chatkit_reducer.supervise.checks import (
    check_bool,
    check_one_argument,
    check_seconds,
    check_watcher,
)

__all__ = ["CancellationHookWarning", "check_hook", "check_settings", "check_store", "warn_of_hook"]

HOOK = "handle_stream_cancelled"
TIMEOUTS = (
    "stream_timeout",
    "event_timeout",
    "load_timeout",
    "commit_timeout",
    "journal_timeout",
)
METHODS = (
    "marker_content",
    "commit_failed",
    "stop_responses",
    "journal_meta",
    "recovery",
    "resume",
)
STORE_METHODS = (
    "add_thread_item",
    "save_item",
    "load_item",
    "delete_thread_item",
    "load_thread_items",
    "generate_item_id",
)
"""The methods that `ReducerChatKitServer` itself calls at the end of a response."""


class CancellationHookWarning(UserWarning):
    """A server overrides `handle_stream_cancelled`, and has not chosen a policy."""


def check_settings(server: Any, base: Any) -> None:
    """Refuse settings that a response could not be settled with.

    Args:
        server: the server.
        base: `ReducerChatKitServer`, from which it inherits.

    Raises:
        TypeError: `policy`, a timeout, `own_task`, or a method of the server has another type.
        ValueError: a timeout is not a positive number; or the content of the marker is left to the
            application, which does not give it.
    """
    name = type(server).__qualname__
    if not isinstance(server.policy, Policy):
        raise TypeError(
            f"expected {name}.policy to be a Policy, got {server.policy!r}: set it to a policy "
            "such as chatkit_reducer.policies.KEEP. If `policy` is an attribute of your own, "
            "rename yours: ReducerChatKitServer looks there for its policy table"
        )
    marker = server.policy.marker
    gives_content = getattr(server.marker_content, "__func__", None) is not base.marker_content
    if marker is not None and marker.content is None and not gives_content:
        raise ValueError(
            f"{name}.policy leaves the content of its marker to the application: override "
            "`marker_content(self, thread, context)` to return it"
        )
    for setting in TIMEOUTS:
        check_seconds(f"{name}.{setting}", getattr(server, setting), positive=True)
    check_bool(
        f"{name}.own_task", server.own_task, "if it is an attribute of your own, rename yours"
    )
    if not isinstance(server.journal, Journal | None):
        raise TypeError(
            f"expected {name}.journal to be a Journal such as FileJournal('answers'), or None, got "
            f"{server.journal!r}: if `journal` is an attribute of your own, rename yours"
        )
    check_watcher(
        f"{name}.watcher", server.watcher, ": if it is an attribute of your own, rename yours"
    )
    check_on_leave(f"{name}.on_leave", server.on_leave)
    if server.journal is None and isinstance(server.on_leave, int | float):
        raise ValueError(
            f"expected {name}.journal to be a journal, got None: with {name}.on_leave = "
            f"{server.on_leave!r} a response goes on for so many seconds, and its events are kept "
            "in the journal meanwhile; set it, for example, to FileJournal('answers')"
        )
    for method in METHODS:
        if not callable(getattr(server, method)):
            raise TypeError(
                f"expected {name}.{method} to be a method, got {getattr(server, method)!r}: if it "
                "is an attribute of your own, rename yours"
            )
    if inspect.iscoroutinefunction(server.marker_content):
        raise TypeError(
            f"expected {name}.marker_content to return the content, got an `async def`: make it a "
            "plain method, and load the data that it needs before"
        )
    check_one_argument(f"{name}.commit_failed", server.commit_failed)


def check_on_leave(setting: str, value: Any) -> None:
    """Refuse an `on_leave` that has no meaning.

    Raises:
        TypeError: it is neither one of the words nor a number.
        ValueError: it is another word; or a time of grace that is not positive, or has no end.
    """
    if value is None or value in ("stop", "go_on"):
        return
    expected = f'expected {setting} to be "stop", "go_on", a number of seconds or None'
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value == math.inf:
            raise ValueError(f'{expected}, got {value!r}: choose "go_on"')
        if not value > 0:
            raise ValueError(f'{expected}, got {value!r}: choose "stop" for no time of grace')
        return
    kind = ValueError if isinstance(value, str) else TypeError
    raise kind(f"{expected}, got {value!r}")


def check_store(store: Any) -> None:
    """Refuse a store that lacks a method.

    Raises:
        TypeError: the store lacks one, or has one that cannot be called as the SDK calls it.
    """
    lacking = [method for method in STORE_METHODS if not callable(getattr(store, method, None))]
    if lacking:
        raise TypeError(
            f"expected a chatkit.store.Store, got {type(store).__qualname__}, which lacks "
            f"{', '.join(lacking)}: inherit from chatkit.store.Store, and implement its methods"
        )
    if inspect.iscoroutinefunction(store.generate_item_id):
        raise TypeError(
            f"expected {type(store).__qualname__}.generate_item_id to return an id, got an "
            "`async def`: make it a plain function, because the SDK does not await it"
        )


def check_hook(cls: type) -> None:
    """Refuse a `handle_stream_cancelled` that cannot be called as the SDK calls it.

    Raises:
        TypeError: it is not a method, or takes other arguments.
    """
    hook: Callable[..., Any] | None = cls.__dict__.get(HOOK)
    if not inspect.isfunction(hook):
        if hook is not None and not callable(getattr(cls, HOOK)):
            raise TypeError(f"expected {cls.__qualname__}.{HOOK} to be a method, got {hook!r}")
        return
    try:
        inspect.signature(hook).bind(None, None, None, None)
    except TypeError:
        raise TypeError(
            f"expected {cls.__qualname__}.{HOOK} to take (self, thread, pending_items, context), "
            f"as the SDK calls it, got {inspect.signature(hook)}"
        ) from None


def warn_of_hook(cls: type, base: Any) -> None:
    """Warn of a `handle_stream_cancelled` that was written to decide which items are stored.

    The SDK leaves that decision to the hook; here the policy has it, and the hook comes after.

    Args:
        cls: the class that is made.
        base: `ReducerChatKitServer`, from which it inherits.
    """
    own = [kind for kind in cls.__mro__ if kind is not base and kind not in ChatKitServer.__mro__]
    hooked = next((kind for kind in own if HOOK in vars(kind)), None)
    if hooked is None or any("policy" in vars(kind) for kind in own):
        return
    if any(issubclass(kind, base) and hooked in kind.__mro__ for kind in cls.__bases__):
        return  # its base class was warned of
    warnings.warn_explicit(
        f"{hooked.__qualname__}.{HOOK} does not decide any more what is stored: the policy of "
        f"{cls.__qualname__} does, and the hook is called when everything is written. Choose a "
        "policy, and this warning is gone. `policy = policies.SDK` stores what the SDK stores by "
        "default, `policies.KEEP` all that was shown, `policies.DROP` nothing. Take out of the "
        "hook what stores or deletes items; what stops the model may stay.",
        CancellationHookWarning,
        *_find_class_statement(),
    )


def _find_class_statement() -> tuple[str, int]:
    """Return the file and the line of the `class` statement."""
    frame = next(frame for frame in _frames() if frame.f_globals.get("__name__") not in _MACHINERY)
    return frame.f_code.co_filename, frame.f_lineno


_MACHINERY = {"abc", "typing", __name__, f"{__package__}._server"}


def _frames() -> Iterator[FrameType]:
    frame: FrameType | None = inspect.currentframe()
    while frame is not None:
        yield frame
        frame = frame.f_back
