"""The presets: three tables, each with its purpose. `docs/policy.md` helps to choose.

A completed item in doubt is persisted by all of them: the stream said that it is done, people saw
that, and to write it a second time changes nothing.
"""

from __future__ import annotations

from types import MappingProxyType

from chatkit_reducer.core.policy.table import Cause, Content, Decision, Marker, Origin, Policy, Row

__all__ = ["DROP", "KEEP", "PRESETS", "SDK", "SDK_MARKER"]

# The text of openai-chatkit 1.6.5, `chatkit/server.py`, `ChatKitServer.handle_stream_cancelled`. It
# says that the user cancelled, so it is written for a cancellation alone.
SDK_MARKER = Marker(
    content="The user cancelled the stream. Stop responding to the prior request.",
    causes=[Cause.CANCELLED],
)
"""The marker of openai-chatkit 1.6.5."""

_COMPLETE = Row(
    content=Content.COMPLETE,
    decision=Decision.PERSIST,
    reason="It was done; only whether the store got it is in doubt.",
)

SDK = Policy(
    name="sdk",
    about="What openai-chatkit 1.6.5 writes at a cancellation, whatever the end was.",
    rows=(
        _COMPLETE,
        Row(
            item="assistant_message",
            origin=Origin.NEW,
            content=Content.PARTIAL,
            decision=Decision.PERSIST,
            reason="The SDK stores a pending message of the assistant that is not blank.",
        ),
        Row(
            origin=Origin.NEW,
            decision=Decision.DISCARD,
            reason="The SDK stores no other pending item.",
        ),
        Row(
            origin=Origin.BASE,
            decision=Decision.STALE,
            reason="The SDK leaves the stored copy as it was, though people saw another.",
        ),
    ),
    marker=SDK_MARKER,
)
"""Exactly what openai-chatkit 1.6.5 writes at a cancellation; the same however the stream ended.

That the SDK writes nothing after a failure or an early return is an omission and no choice, and a
retry removes the partial answer anyway."""

KEEP = Policy(
    name="keep",
    about="All that people saw survives, sealed: nothing in it still claims to run.",
    rows=(
        _COMPLETE,
        Row(
            content=Content.PARTIAL,
            decision=Decision.PERSIST,
            reason="People saw it, and should find it again after a reload.",
        ),
        Row(
            content=Content.EMPTY,
            decision=Decision.DISCARD,
            reason="There was nothing to see yet; a stored copy is better than an empty one.",
        ),
    ),
    marker=SDK_MARKER,
)
"""All that people saw survives."""

DROP = Policy(
    name="drop",
    about="Nothing unfinished survives: the thread is as if the items in flight had never begun.",
    rows=(
        _COMPLETE,
        Row(
            origin=Origin.NEW,
            decision=Decision.DISCARD,
            reason="An answer that was not finished is no answer.",
        ),
        Row(
            origin=Origin.BASE,
            decision=Decision.DISCARD,
            reason="The stored copy is the last one that was finished.",
        ),
    ),
    marker=SDK_MARKER,
)
"""Nothing unfinished survives."""

PRESETS: MappingProxyType[str, Policy] = MappingProxyType(
    {policy.name: policy for policy in (SDK, KEEP, DROP)}
)
"""All presets by name."""
