"""The eight laws, each a function that says nothing while the law holds, and raises when not.

    from hypothesis import given
    from chatkit_reducer.testing import laws, strategies as chatkit

    @given(chatkit.streams() | chatkit.hostile_streams())
    def test_my_fold(events):
        laws.fold_is_reduce_one_by_one(events, fold=my_fold, reduce=my_reduce)

So a port or a fork of the engine, or code that goes around it, is held to what the engine itself is
held to. All laws are called alike: the stream first, the thread before it second if there was one,
and all else by name. The functions under test are those of this package where they are left out.

What is tested has the shape of this package's own: it takes the same events, by position, and makes
states with all that `State` names. It is called without options, so a simpler one will do. A state
of another class has to be passed in: left out, the thread before is an empty `ThreadState`.

`LawBroken` shows the stream and the two results that should be one, and has them as attributes. Any
stream will do, a recorded one as well; the strategies find what breaks a law, and Hypothesis
shrinks it to the events that matter.

`LAWS` lists the laws. What must be said here: JSON that is nested more deeply than Python's own
`json` can write is not for them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import attrs

from chatkit_reducer.testing.laws._broken import STATEMENTS, LawBroken
from chatkit_reducer.testing.laws._codec import (
    Decode,
    Encode,
    codec_loses_nothing,
    what_is_unknown_comes_back,
)
from chatkit_reducer.testing.laws._deltas import (
    deltas_may_be_joined,
    deltas_may_be_split,
    with_deltas_joined,
    with_deltas_split,
)
from chatkit_reducer.testing.laws._folding import (
    Fold,
    Restore,
    Snapshot,
    a_fold_may_be_cut_anywhere,
    fold_is_reduce_one_by_one,
    snapshot_loses_nothing,
)
from chatkit_reducer.testing.laws._paper import Events, State, on_paper
from chatkit_reducer.testing.laws._reducing import (
    Reduce,
    reduce_is_pure,
    unchanged_parts_keep_their_identity,
)
from chatkit_reducer.testing.laws._settling import (
    Settle,
    client_and_store_converge,
    settle_is_total,
)
from chatkit_reducer.testing.laws._way_back import (
    Compact,
    Diff,
    compact_keeps_the_fold,
    diff_inverts_fold,
)

__all__ = [
    "LAWS",
    "Compact",
    "Decode",
    "Diff",
    "Encode",
    "Events",
    "Fold",
    "Law",
    "LawBroken",
    "Reduce",
    "Restore",
    "Settle",
    "Snapshot",
    "State",
    "a_fold_may_be_cut_anywhere",
    "client_and_store_converge",
    "codec_loses_nothing",
    "compact_keeps_the_fold",
    "deltas_may_be_joined",
    "deltas_may_be_split",
    "diff_inverts_fold",
    "fold_is_reduce_one_by_one",
    "on_paper",
    "reduce_is_pure",
    "settle_is_total",
    "snapshot_loses_nothing",
    "unchanged_parts_keep_their_identity",
    "what_is_unknown_comes_back",
    "with_deltas_joined",
    "with_deltas_split",
]


@attrs.frozen
class Law:
    """A law, or one side of it."""

    number: int
    """Which of the eight."""
    statement: str
    """What it says, in one sentence."""
    check: Callable[..., None]
    """The function that raises `LawBroken` where it does not hold."""


LAWS: Mapping[str, Law] = MappingProxyType(
    {
        check.__name__: Law(*STATEMENTS[check.__name__], check)
        for check in (
            reduce_is_pure,
            unchanged_parts_keep_their_identity,
            fold_is_reduce_one_by_one,
            a_fold_may_be_cut_anywhere,
            snapshot_loses_nothing,
            deltas_may_be_split,
            deltas_may_be_joined,
            diff_inverts_fold,
            compact_keeps_the_fold,
            settle_is_total,
            client_and_store_converge,
            codec_loses_nothing,
            what_is_unknown_comes_back,
        )
    }
)
"""The functions by name, each with the law that it stands for."""
