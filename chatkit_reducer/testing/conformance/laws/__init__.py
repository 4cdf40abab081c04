"""The eight laws, each a function that returns quietly while the law holds, and raises if not.

    from hypothesis import given
    from chatkit_reducer.testing import strategies as chatkit
    from chatkit_reducer.testing.conformance import laws

    @given(chatkit.streams() | chatkit.adversarial_streams())
    def test_my_fold(events):
        laws.fold_is_reduce_one_by_one(events, fold=my_fold, reduce=my_reduce)

They test the engine of this package, and a port, a fork or a wrapper of it. All laws are called
alike: the stream first, the thread before it second if there was one, and all else by name.
Functions under test that are left out are those of this package.

A function under test takes the same events as that of this package, by position, and makes states
with all that `State` names. It is called without options, so a simpler one will do. A state of
another class has to be passed in: left out, the thread before is an empty `ThreadState`.

`LawBroken` shows the stream and the two results that should be one, and has them as attributes. Any
stream will do, a recorded one as well; the strategies find streams that break a law, and Hypothesis
shrinks them to the events that matter.

`LAWS` lists the laws. They do not support JSON that is nested too deeply for `json.dumps`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import attrs

from chatkit_reducer.testing.conformance.laws._canonical import Events, State, canonical_json
from chatkit_reducer.testing.conformance.laws._codec import (
    Decode,
    Encode,
    codec_loses_nothing,
    what_is_unknown_comes_back,
)
from chatkit_reducer.testing.conformance.laws._deltas import (
    deltas_may_be_joined,
    deltas_may_be_split,
    with_deltas_joined,
    with_deltas_split,
)
from chatkit_reducer.testing.conformance.laws._folding import (
    Fold,
    Restore,
    Snapshot,
    a_fold_may_be_cut_anywhere,
    fold_is_reduce_one_by_one,
    snapshot_loses_nothing,
)
from chatkit_reducer.testing.conformance.laws._inverse import (
    Compact,
    Diff,
    compact_keeps_the_fold,
    diff_inverts_fold,
)
from chatkit_reducer.testing.conformance.laws._reducing import (
    Reduce,
    reduce_is_pure,
    unchanged_parts_keep_their_identity,
)
from chatkit_reducer.testing.conformance.laws._report import STATEMENTS, LawBroken
from chatkit_reducer.testing.conformance.laws._settling import (
    Settle,
    client_and_store_converge,
    settle_is_total,
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
    "canonical_json",
    "client_and_store_converge",
    "codec_loses_nothing",
    "compact_keeps_the_fold",
    "deltas_may_be_joined",
    "deltas_may_be_split",
    "diff_inverts_fold",
    "fold_is_reduce_one_by_one",
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
    """The law in one sentence."""
    check: Callable[..., None]
    """The function that raises `LawBroken` if it does not hold."""


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
