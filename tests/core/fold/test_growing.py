"""The long streams of the benchmark `growth` mean the same to all who fold them."""

from __future__ import annotations

import io
from functools import reduce as folded

import pytest

from benchmarks.growing import KINDS
from benchmarks.growing_logs import BARREN, FORMS
from benchmarks.logs import long_log
from chatkit_reducer import ThreadState, compact, encode, fold, reduce, replay, restore, snapshot
from chatkit_reducer.core.codec import to_json
from chatkit_reducer.core.json_values import json_equal
from chatkit_reducer.testing.conformance.reference_model import NaiveThread


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_folds_to_what_the_naive_fold_makes_of_it(kind: str) -> None:
    stored, events = KINDS[kind](40)
    before, model = ThreadState.from_items(stored), NaiveThread(stored)
    for event in events:
        model.apply(to_json(event))

    state = fold(events, before)

    assert list(state.items) == list(model.items)
    assert all(json_equal(item.json_view(), model.items[key]) for key, item in state.items.items())
    assert [anomaly.position for anomaly in state.anomalies] == [f.position for f in model.faults]
    log = b"".join([encode(event) + b"\n" for event in events])
    assert folded(reduce, events, before) == state
    assert replay(io.BytesIO(log), before) == state
    assert fold(compact(events, before), before) == state
    assert restore(snapshot(state)) == state


@pytest.mark.parametrize("form", FORMS)
def test_a_log_of_any_form_means_what_the_plain_log_means(form: str) -> None:
    assert replay(io.BytesIO(FORMS[form](40))) == replay(io.BytesIO(long_log(40)))


@pytest.mark.parametrize("form", BARREN)
def test_a_log_without_events_gives_no_items(form: str) -> None:
    state = replay(io.BytesIO(BARREN[form](40)))

    assert (state.position, len(state.items)) == (0, 0)
