"""Tell Hypothesis which strategies are for which types: its entry point, see pyproject.toml.

Hypothesis calls `register` when it is imported, in any process that imports it. So the strategies
are not imported before one of them is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chatkit_reducer.core.policy.table import Policy
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.events import (
    EVENT_TYPES,
    UPDATE_TYPES,
    UnknownEvent,
    UnknownUpdate,
    wire_tag,
)

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["register"]


def register() -> None:
    """Make `st.from_type` know `Event`, `Update`, their classes, `ThreadState` and `Policy`."""
    from hypothesis.strategies import register_type_strategy

    for cls in EVENT_TYPES.values():
        register_type_strategy(cls, _events)
    for cls in UPDATE_TYPES.values():
        register_type_strategy(cls, _updates)
    register_type_strategy(UnknownEvent, _unknown_events)
    register_type_strategy(UnknownUpdate, _unknown_updates)
    register_type_strategy(ThreadState, _threads)
    register_type_strategy(Policy, _policies)


def _events(cls: type[Any]) -> SearchStrategy[Any]:
    from chatkit_reducer.testing.strategies import events

    return events(types=[wire_tag(cls)])


def _updates(cls: type[Any]) -> SearchStrategy[Any]:
    from chatkit_reducer.testing.strategies import updates

    return updates(types=[wire_tag(cls)])


def _unknown_events(cls: type[UnknownEvent]) -> SearchStrategy[Any]:
    from chatkit_reducer.testing.strategies._events import unknown_events

    return unknown_events()


def _unknown_updates(cls: type[UnknownUpdate]) -> SearchStrategy[Any]:
    from chatkit_reducer.testing.strategies._events import unknown_updates

    return unknown_updates()


def _threads(cls: type[ThreadState]) -> SearchStrategy[Any]:
    from chatkit_reducer.testing.strategies import threads

    return threads(pending=True)


def _policies(cls: type[Policy]) -> SearchStrategy[Any]:
    from chatkit_reducer.testing.strategies import policies

    return policies()
