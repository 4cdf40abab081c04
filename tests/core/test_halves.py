r"""Half of a character: `"hi \ud83d"` in one delta, `"\ude00 there"` in the next one."""

from __future__ import annotations

import functools
import io
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatkit_reducer import (
    ThreadState,
    compact,
    decode,
    diff,
    encode,
    fold,
    policies,
    reduce,
    replay,
    restore,
    settle,
    snapshot,
)
from chatkit_reducer import events as e
from chatkit_reducer.analysis.news import news_of
from chatkit_reducer.core.codec import from_json, to_json
from chatkit_reducer.core.fold.folder import Folder
from chatkit_reducer.core.halves import mended, mended_delta, mended_json, mended_struct
from chatkit_reducer.core.items.text import EMPTY_TEXT, Text
from chatkit_reducer.core.policy.table import Marker
from chatkit_reducer.errors import DecodeError, SnapshotError
from chatkit_reducer.logs import (
    JSON_LINES,
    SSE,
    Record,
    encode_json_line,
    encode_sse,
    read,
    read_records,
    replay_threads,
    write,
)
from chatkit_reducer.supervise._tracker import as_event
from chatkit_reducer.testing import examples as x
from chatkit_reducer.testing.conformance import laws

HIGH, LOW, SMILE = "\ud83d", "\ude00", "\U0001f600"
CARD: e.Json = {"type": "Card", "children": [{"type": "Text", "id": "t", "value": "a"}]}


def utf16(*units: int) -> str:
    """What JavaScript makes of these units: pairs are characters, and the rest stays alone."""
    data = b"".join(unit.to_bytes(2, "little") for unit in units)
    return data.decode("utf-16-le", "replace")


UNITS = st.sampled_from([0x61, 0x20, 0xE9, 0x4E00, 0xD83D, 0xDE00, 0xD83D, 0xDE00, 0xDBFF, 0xFFFD])
PIECES = st.lists(st.lists(UNITS, max_size=4), max_size=6)


def pieces_of(units: list[list[int]]) -> list[str]:
    """Each piece as a `str`: a pair in it is one character."""
    return ["".join(map(chr, piece)) for piece in units]


def shown(pieces: list[list[int]]) -> str:
    return utf16(*[unit for piece in pieces for unit in piece])


def message_events(pieces: list[str]) -> list[e.Event]:
    return [x.added(x.message("m", "")), *[x.text_delta("m", piece) for piece in pieces]]


def widget_events(pieces: list[str]) -> list[e.Event]:
    return [x.added(x.widget("m", CARD)), *[x.value_delta("m", "t", piece) for piece in pieces]]


def text_in(state: ThreadState) -> str:
    item: Any = state.items["m"].to_json()
    if item["type"] == "widget":
        return str(item["widget"]["children"][0]["value"]).removeprefix("a")
    return str(item["content"][0]["text"])


MAKERS = st.sampled_from([message_events, widget_events])


def assert_no_halves(state: ThreadState) -> None:
    """All that a state says and all that comes of it is UTF-8."""
    for policy in (policies.KEEP, policies.SDK):
        settlement = settle(state, policy=policy, cause="cancelled")
        json.dumps([write.item for write in settlement.writes], ensure_ascii=False).encode()
        json.dumps([to_json(one) for one in settlement.events], ensure_ascii=False).encode()
    said = [
        snapshot(state),
        [item.to_json() for item in state.items.values()],
        [item.json_view() for item in state.items.values()],
        [str(one) for one in state.anomalies],
        [one.to_json() for one in state.anomalies],
        list(state.items),
        [state.thread, state.stream_options, repr(state.progress)],
        None if state.error is None else to_json(state.error),
    ]
    json.dumps(said, ensure_ascii=False).encode()
    msgspec.json.encode(said)


def ways(events: list[e.Event]) -> Iterator[ThreadState]:
    """The state after these events, made in every way that there is."""
    yield fold(events)
    one_by_one = ThreadState()
    for event in events:
        one_by_one = reduce(one_by_one, event)
        assert_no_halves(one_by_one)
    yield one_by_one
    kept = ThreadState()
    for event in events:
        text = json.dumps(snapshot(kept), ensure_ascii=False).encode()
        kept = fold([event], restore(json.loads(text)))
    yield kept
    folding = Folder(ThreadState(), decoded=True)
    folding.feed([decode(encode(event)) for event in events])
    yield folding.state()
    for framing in (SSE, JSON_LINES):
        file = io.BytesIO()
        write(file, [Record(event, None, n) for n, event in enumerate(events)], framing=framing)
        data = file.getvalue()
        yield replay(io.BytesIO(data))
        yield fold(read(io.BytesIO(data)))
        yield from replay_threads(io.BytesIO(data)).values()
    lines = b"".join(encode(event) + b"\n" for event in events)
    yield replay(io.BytesIO(lines))


@pytest.mark.law
@given(PIECES, MAKERS)
@example([[0x61, 0xD83D], [0xDE00, 0x61]], message_events)
@example([[0xD83D], [], [0xDE00]], widget_events)
@example([[0xD83D], [0xD83D], [0xDE00], [0xDE00]], message_events)
def test_a_text_in_pieces_is_what_javascript_makes_of_it(
    units: list[list[int]], make: Callable[[list[str]], list[e.Event]]
) -> None:
    events = make(pieces_of(units))
    first, *others = ways(events)

    assert text_in(first) == shown(units) if any(units) else True
    assert_no_halves(first)
    assert first.anomalies == ()
    for other in others:
        assert other == first
        assert snapshot(other)["items"] == snapshot(first)["items"]


@pytest.mark.law
@given(PIECES, PIECES, MAKERS)
@example([[0xD83D]], [[0xDE00]], message_events)
@example([[0xD83D]], [[0xDE00]], widget_events)
def test_the_laws_hold_for_halves(
    one: list[list[int]], two: list[list[int]], make: Callable[[list[str]], list[e.Event]]
) -> None:
    events = make([mended_delta(piece) for piece in pieces_of(one)])
    more = make([mended_delta(piece) for piece in pieces_of(two)])

    laws.fold_is_reduce_one_by_one(events)
    laws.a_fold_may_be_cut_anywhere(events)
    laws.snapshot_loses_nothing(events)
    laws.deltas_may_be_split(events)
    laws.deltas_may_be_joined(events)
    for event in events:
        assert decode(encode(event)) == event
    compacted = compact(events)
    assert fold(compacted) == fold(events)
    assert [decode(encode(event)) for event in compacted if isinstance(event, e.ThreadItemAdded)]
    before, after = fold(events), fold(more)
    for start, end in ((before, after), (ThreadState(), after), (after, fold(more[1:], after))):
        changes = diff(start, end)
        assert fold(changes, start).items.entries == end.items.entries
        assert [decode(encode(event)) for event in changes] == changes


def test_a_half_that_waits_is_part_of_the_state() -> None:
    waits = fold(message_events(["hi " + HIGH]))
    stays = fold(message_events(["hi \ufffd"]))

    assert text_in(waits) == text_in(stays) == "hi \ufffd"
    assert waits != stays
    assert text_in(fold([x.text_delta("m", LOW)], waits)) == "hi " + SMILE
    assert text_in(fold([x.text_delta("m", LOW)], stays)) == "hi \ufffd\ufffd"


def test_citations_between_the_halves_do_not_part_them() -> None:
    first, *_ = message_events([])
    cited = x.annotation_added("m", {"type": "annotation", "index": 1}, 0)
    events = [first, x.text_delta("m", HIGH), cited, x.text_delta("m", LOW)]

    assert {text_in(state) for state in ways(events)} == {SMILE}


def test_a_citation_leaves_what_waits_as_it_is() -> None:
    waits = fold(message_events(["hi " + HIGH]))
    cited = x.annotation_added("m", x.citation("A"), 0)

    assert fold([cited], waits) == reduce(waits, cited)
    assert fold([cited], waits).items["m"].halves() == waits.items["m"].halves()


@pytest.mark.parametrize("make", [message_events, widget_events])
def test_only_what_waits_is_another_item_without_it(make: Callable[[list[str]], Any]) -> None:
    whole, waits = (fold(make(["hi", *more])).items["m"] for more in ([], [HIGH]))

    assert whole.without_halves() is whole
    assert waits.without_halves() == whole


def test_a_whole_text_ends_what_waits() -> None:
    part: e.Json = {"type": "output_text", "text": "\ufffd", "annotations": []}
    done = x.updated("m", e.AssistantMessageContentPartDone(0, part))
    component: e.Json = {"type": "Text", "id": "t", "value": "a\ufffd"}
    same = x.updated("m", e.WidgetComponentUpdated("t", component))
    for make, whole in ((message_events, done), (widget_events, same)):
        middle = make([HIGH])
        end = x.text_delta("m", LOW) if make is message_events else x.value_delta("m", "t", LOW)
        for state in (*ways([*middle, whole, end]), fold([end], fold([whole], fold(middle)))):
            assert text_in(state) == "\ufffd\ufffd"


def test_a_text_waits_only_while_deltas_find_it() -> None:
    text: e.Json = {"type": "Text", "id": "t", "value": "a"}
    root = {"type": "Card", "children": [{"type": "Box", "id": "b"}, text]}
    first = x.component_updated("m", "b", {"type": "Box", "id": "b", "children": text})
    gone = x.component_updated("m", "b", {"type": "Box", "id": "b"})

    for state in ways([x.added(x.widget("m", root)), x.value_delta("m", "t", HIGH), first]):
        assert state.items["m"].halves() == []
        assert restore(snapshot(state)) == state
        assert fold(diff(ThreadState(), state)).items == state.items
        again = fold([gone, x.value_delta("m", "t", LOW)], state).items["m"].to_json()
        assert again["widget"]["children"][1]["value"] == "a\ufffd\ufffd"


def test_the_first_of_several_texts_with_one_id_is_the_one_that_waits() -> None:
    box: e.Json = {"type": "Box", "id": "b"}
    twin: e.Json = {"type": "Text", "id": "t", "value": "a", "streaming": True}
    inside = x.component_updated("m", "b", {**box, "children": twin})
    half = x.value_delta("m", "t", HIGH, done=True)

    behind = fold([x.added(x.widget("m", {"children": [twin, twin, box]})), half, inside])
    waiting: Any = behind.items["m"].halves()
    assert [one.delta for one in waiting] == [HIGH]

    before = fold([x.added(x.widget("m", {"children": [box, twin, twin]})), half, inside])
    first = before.items["m"].to_json()["widget"]["children"][1]
    assert before.items["m"].halves() == []
    assert first == {**twin, "value": "a\ufffd", "streaming": False}
    assert restore(snapshot(before)) == before


IDS = st.sampled_from("ab")  # few: most stand for several components
TREES = st.recursive(
    st.builds(lambda name: {"type": "Text", "id": name, "value": ""}, IDS),
    lambda inner: st.builds(
        lambda name, children: {"type": "Box", "id": name, "value": "", "children": children},
        IDS,
        st.lists(inner, max_size=3),
    ),
    max_leaves=4,
)
TREE_UPDATES = st.one_of(
    st.builds(
        lambda name, piece: x.value_delta("m", name, piece), IDS, st.sampled_from(HIGH + LOW)
    ),
    st.builds(lambda name, tree: x.component_updated("m", name, tree), IDS, TREES),
)


TWO: e.Json = {
    "type": "Box",
    "children": [{"type": "Box", "id": "b"}, {"type": "Text", "id": "a", "value": ""}],
}


@given(TREES, st.lists(TREE_UPDATES, max_size=6))
@example(
    TWO,
    [
        x.value_delta("m", "a", HIGH),
        x.component_updated("m", "b", {"id": "b", "children": {"id": "a"}}),
        x.component_updated("m", "b", {"id": "b"}),
        x.value_delta("m", "a", LOW),
    ],
)
def test_texts_that_share_an_id_are_the_same_however_they_are_folded(
    root: e.Json, updates: list[e.Event]
) -> None:
    first, *others = ways([x.added(x.widget("m", root)), *updates])

    for other in others:
        assert other == first
    assert fold(diff(ThreadState(), first)).items == first.items


def test_halves_of_whole_values_do_not_wait() -> None:
    first = x.added(x.message("m", "hi " + HIGH))

    for state in ways([first, x.text_delta("m", LOW)]):
        assert text_in(state) == "hi \ufffd\ufffd"


# --- everything else that a state takes in --------------------------------------------------------

ODD = f"a{HIGH}b"
JSON: e.Json = {"id": ODD, "type": "x", ODD: [ODD, {"y": LOW, "z": f"{HIGH}{LOW}"}], "n": 1}
DEEP: e.Json = {"id": "deep", "x": json.loads("[" * 500 + '"\\ud83d"' + "]" * 500)}
MESSAGE = x.added(x.message("m", ""))
WORKFLOW = x.added(x.workflow("w"))
WIDGET = x.added(x.widget("g", CARD))
IMAGE = x.added(x.image("i"))
EVENTS: list[list[e.Event]] = [
    [e.ThreadItemAdded(JSON)],
    [e.ThreadItemDone(JSON)],
    [e.ThreadItemReplaced(JSON)],
    [e.ThreadItemDone(DEEP)],
    [e.ThreadItemRemoved(ODD)],
    [e.ThreadItemUpdated(ODD, e.AssistantMessageContentPartTextDelta(0, "x"))],
    [MESSAGE, x.updated("m", e.AssistantMessageContentPartAdded(0, {"text": ODD, **JSON}))],
    [MESSAGE, x.text_delta("m", "a"), x.updated("m", e.AssistantMessageContentPartAdded(0, JSON))],
    [MESSAGE, x.updated("m", e.AssistantMessageContentPartDone(0, {**JSON, "text": ODD}))],
    [MESSAGE, x.text_delta("m", "a"), x.annotation_added("m", JSON, 0)],
    [MESSAGE, *[x.annotation_added("m", JSON, 0), x.annotation_added("m", JSON, 0)]],
    [WORKFLOW, x.task_added("w", JSON, 0), x.task_added("w", JSON, 1)],
    [
        WORKFLOW,
        x.task_added("w", {}, 0),
        x.task_updated("w", JSON, 0),
        x.task_updated("w", JSON, 0),
    ],
    [WIDGET, x.updated("g", e.WidgetRootUpdated(JSON))],
    [WIDGET, x.updated("g", e.WidgetComponentUpdated("t", {**JSON, "id": "t"}))],
    [WIDGET, *[x.updated("g", e.WidgetComponentUpdated("t", {**JSON, "id": "t"}))] * 2],
    [WIDGET, x.value_delta("g", ODD, "x"), x.value_delta("g", "t", "x")],
    [WIDGET, x.value_delta("g", "t", "x"), x.value_delta("g", ODD, "x")],
    [IMAGE, x.updated("i", e.GeneratedImageUpdated(JSON, 0.5))],
    [e.ThreadCreated({"id": "t", "title": ODD, "items": {"data": [JSON]}})],
    [e.ThreadUpdated({"id": "t", ODD: ODD})],
    [e.StreamOptions({ODD: ODD})],
    [e.ProgressUpdate(ODD, ODD)],
    [e.ClientEffect(ODD, {ODD: ODD}), e.Notice(ODD, ODD, ODD)],
    [e.ErrorEvent(code=ODD, message=ODD, extra=e.Extra({ODD: ODD}))],
    [e.ThreadItemUpdated("gone", e.UnknownUpdate({"type": ODD}))],
    [e.UnknownEvent({"type": ODD, ODD: ODD})],
]


@pytest.mark.parametrize("events", EVENTS, ids=range(len(EVENTS)))
def test_no_state_takes_in_a_half(events: list[e.Event]) -> None:
    first, *others = ways(events)

    assert_no_halves(first)
    for other in others:
        assert other == first
        assert_no_halves(other)


def test_what_could_not_be_read_is_shown_without_halves() -> None:
    assert_no_halves(fold([e.Unreadable(0, 1, ODD, ODD)]))


def test_stored_items_are_mended() -> None:
    state = ThreadState.from_items([JSON, x.message("m", ODD)], thread={"id": "t", ODD: ODD})

    assert_no_halves(state)
    assert list(state.items) == ["a\ufffdb", "m"]
    assert state.items["a\ufffdb"].to_json()["a\ufffdb"] == [
        "a\ufffdb",
        {"y": "\ufffd", "z": SMILE},
    ]
    assert state.thread == {"id": "t", "a\ufffdb": "a\ufffdb"}


def test_what_is_unknown_comes_back_unchanged() -> None:
    for text in (
        rb'{"type":"new","\ud83d":"\ude00","x":["\ud83d\ude00"]}',
        rb'{"type":"thread.item.updated","item_id":"m","update":{"type":"new","delta":"\ud83d"}}',
        rb'{"type":"thread.item.removed","item_id":"m","new":"\ud83d"}',
    ):
        event = decode(text)
        assert decode(encode(event)) == event
        assert json.loads(encode(event)) == json.loads(text)


# --- the codec ------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [b"", b"x", b" "])
def test_decode_takes_halves_however_they_are_written(end: bytes) -> None:
    text = rb'{"type":"thread.item.removed","item_id":"\uD83D\\ud83d%b"}' % end
    expected = e.ThreadItemRemoved("\ufffd\\ud83d" + end.decode())

    for data in (text, text.decode(), bytearray(text), memoryview(text)):
        assert decode(data) == expected
    raw = f'{{"type":"thread.item.removed","item_id":"{HIGH}\\\\ud83d{end.decode()}"}}'
    assert decode(raw) == expected
    assert from_json(json.loads(text)) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (rb'{"type":"x","y":"\ud83d"', "the JSON ends too early"),
        (rb'{"type":"x","y":"\ud83d","z":NaN}', "JSON is malformed"),
        (rb'{"type":"x","y":"\ud83d","z":1e999}', "Number out of range"),
        (rb'{"type":"x","y":"\ud83d","z":' + b"[" * 100_000, "nested too deeply"),
        (rb'{"type":"x","y":"\ud83d","z":' + b"9" * 10_000 + b"}", "out of range"),
        (b'{"type":"x","y":"\\ud83d","z":"\xff"}', "not UTF-8"),
        (b'{"type":"x","y":"\xed\xa0\xbd"}', "not UTF-8"),
        (rb'{"type":"x","y":\ud83d}', "JSON is malformed"),
        (rb'{"type":"x","y":"\ud83d\q"}', "JSON is malformed"),
        (rb'{"type":"notice","level":"\ud83d"}', "`message`"),
    ],
)
def test_a_half_excuses_nothing_else(text: bytes, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        decode(text)


def test_decode_mends_a_delta_but_for_its_ends() -> None:
    event: Any = decode(encode(x.text_delta("m", ODD + LOW + ODD + HIGH)))

    assert event.update.delta == "a\ufffdb\ufffda\ufffdb" + HIGH


def test_encode_writes_a_half_as_an_escape() -> None:
    event = x.text_delta("m", "é " + HIGH)

    assert encode(event).endswith('"delta":"é \\ud83d"}}'.encode())
    assert decode(encode(event)) == event


def test_only_the_ends_of_a_delta_are_left_open() -> None:
    assert mended_delta(LOW + ODD + HIGH) == LOW + "a\ufffdb" + HIGH
    assert mended_delta(HIGH + LOW) == SMILE
    assert mended_delta("plain é") == "plain é"
    assert [mended_delta(half) for half in (HIGH, LOW)] == [HIGH, LOW]


def test_mending_keeps_what_is_whole() -> None:
    whole: e.Json = {"a": ["é", {"b": SMILE}], "n": None}
    assert mended_json(whole) is whole
    assert mended_json("é") == "é"
    assert mended(HIGH) == "\ufffd"
    event = x.added(whole)
    assert mended_struct(event) is event
    odd = e.Notice("info", ODD, extra=e.Extra({"x": HIGH}))
    assert mended_struct(odd) == e.Notice("info", "a\ufffdb", extra=e.Extra({"x": HIGH}))
    for value in ({"x": object()}, {"x": 2**70, "y": b""}, {1: HIGH}):
        assert mended_json(value) == ({1: "\ufffd"} if 1 in value else value)
    inside: e.Json = {"x": HIGH}
    inside["me"] = inside
    again = mended_json(inside)
    assert (again["x"], again["me"] is again) == ("\ufffd", True)


# --- snapshots ------------------------------------------------------------------------------------


def with_halves(*halves: Any, phase: str = "pending") -> e.Json:
    paper = snapshot(fold(message_events(["hi"])))
    paper["items"][0] |= {"halves": [*halves], "phase": phase}
    return paper


def half(delta: Any = "d83d", index: Any = 0, kind: str = "text_delta") -> e.Json:
    kind = f"assistant_message.content_part.{kind}"
    return {"type": kind, "content_index": index, "delta": delta}


def test_a_snapshot_has_halves_only_where_a_text_waits() -> None:
    assert "halves" not in snapshot(fold(message_events(["hi"])))["items"][0]
    (item,) = snapshot(fold(message_events(["hi" + HIGH])))["items"]
    assert item["halves"] == [half()]
    assert text_in(restore(with_halves(half()))) == "hi\ufffd"


NO_HALF = "this is not the first half of a character @ $.items[0].halves[0]"


@pytest.mark.parametrize(
    ("paper", "words"),
    [
        (with_halves(half("de00")), f"{NO_HALF}.delta"),
        (with_halves(half("D83D")), f"{NO_HALF}.delta"),
        (with_halves(half(HIGH)), f"{NO_HALF}.delta"),
        (with_halves(half(3)), f"{NO_HALF}.delta"),
        (with_halves({}), f"{NO_HALF}.delta"),
        (with_halves(half(index="x")), "content_index"),
        (with_halves(half(index=5000)), "the item has no such text @ $.items[0].halves[0]"),
        (with_halves(half(), half()), "the item has no such text @ $.items[0].halves[1]"),
        (with_halves(half(kind="sung")), "the item has no such text @ $.items[0].halves[0]"),
        (
            with_halves(half(), phase="stored"),
            "a stored item ends with whole characters @ $.items[0].halves",
        ),
        (with_halves(3), "halves"),
    ],
)
def test_halves_that_do_not_fit_are_damage(paper: e.Json, words: str) -> None:
    with pytest.raises(SnapshotError, match=re.escape(words)):
        restore(paper)


def test_a_tampered_snapshot_is_mended() -> None:
    paper = snapshot(fold([*message_events(["hi"]), x.removed("gone"), e.ProgressUpdate("busy")]))

    def tampered(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: tampered(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [tampered(inner) for inner in value]
        return value + HIGH if value in ("hi", "m", "thr_1", "busy", "gone") else value

    state = restore(tampered(paper))

    assert_no_halves(state)
    assert list(state.items) == ["m\ufffd"]


# --- records and seams ----------------------------------------------------------------------------


def test_what_a_log_says_of_an_event_is_mended() -> None:
    line = rb'{"seq":"\ud83d","thread":"t\ud83d","time":"\ude00","event":%b}' % encode(
        x.removed("a")
    )
    for data in (line, line[:-1] + b',"more":1}'):
        (record,) = read_records(io.BytesIO(data))
        assert record == Record(x.removed("a"), "t\ufffd", "\ufffd", "\ufffd")
    written = encode_json_line(x.removed("a"), thread=ODD, sequence=ODD, time=ODD)
    assert written.decode().count("a\ufffdb") == 3
    assert encode_sse(x.removed("a"), event_id=ODD).startswith("id: a\ufffdb\n".encode())


def test_events_of_other_makes() -> None:
    mapping = to_json(x.text_delta("m", HIGH))
    assert as_event(mapping) == x.text_delta("m", HIGH)
    assert as_event(to_json(x.added(JSON))) == mended_struct(x.added(JSON))


def test_the_marker_of_an_application_is_mended() -> None:
    marker = Marker(item="hidden_context_item", content=None)
    policy = attrs.evolve(policies.KEEP, marker=marker)
    settlement = settle(
        fold(message_events(["hi"])),
        policy=policy,
        cause="cancelled",
        marker_id="x",
        marker_time="now",
        marker_content={"why": ODD},
    )

    assert settlement.writes[-1].item["content"] == {"why": "a\ufffdb"}


def test_halves_on_the_way_to_the_sdk() -> None:
    from chatkit_reducer.integrations import openai_chatkit as chatkit

    event: Any = chatkit.event_to_sdk(x.text_delta("m", "hi " + HIGH))
    assert event.update.delta == "hi \ufffd"
    item: Any = chatkit.item_to_sdk(x.message("m", ODD))
    assert item.content[0].text == "a\ufffdb"
    waits = fold(message_events([HIGH]))
    (sent,) = chatkit.items_to_sdk(waits)
    assert chatkit.item_from_sdk(sent)["content"][0]["text"] == "\ufffd"


# --- updates without a field, long texts ----------------------------------------------------------


def _reduced(state: ThreadState, events: list[e.Event]) -> ThreadState:
    return functools.reduce(reduce, events, state)


@pytest.mark.parametrize(
    "form", [fold, lambda events: functools.reduce(reduce, events, ThreadState())]
)
def test_an_update_that_lacks_a_field_is_mended_once_it_has_it(form: Any) -> None:
    added = "assistant_message.content_part.added"
    update = e.UnknownUpdate({"type": added, "content": {"type": "output_text", "text": ODD}})
    state = form([*message_events(["hi"]), e.ThreadItemUpdated("m", update)])

    assert_no_halves(state)
    assert state.items["m"].to_json()["content"][1]["text"] == "a\ufffdb"


def test_characters_are_counted_whole() -> None:
    assert Text.of("").characters == 0
    text = Text.of("x").append(HIGH)
    assert (text.characters, text.half) == (2, HIGH)
    text = text.append(LOW + HIGH + LOW).append("y" + HIGH)
    assert (text.characters, str(text)) == (5, f"x{SMILE}{SMILE}y\ufffd")
    assert text.append(LOW).characters == 5
    assert text.append("!").characters == 6
    assert EMPTY_TEXT.append(LOW + "a" + HIGH).characters == 3


def test_a_delta_completes_a_character_that_was_shown_as_a_half() -> None:
    before, after = (fold(message_events(["hi", HIGH, *more])) for more in ([], [LOW, "!"]))
    assert list(diff(before, after)) == [x.text_delta("m", LOW + "!")]
    assert fold(diff(before, after), before) == after


def test_a_whole_text_completes_a_character_that_was_shown_as_a_half() -> None:
    before = fold(message_events(["hi", HIGH]))
    after = fold([x.added(x.message("m", "hi" + SMILE))])

    assert diff(before, after) == [x.text_delta("m", LOW)]


@pytest.mark.parametrize(
    ("pieces", "delta"),
    [([HIGH, LOW, "!"], SMILE + "!"), ([HIGH, "!"], "\ufffd!"), ([" ", HIGH], " " + HIGH)],
)
def test_a_difference_is_said_in_whole_characters(pieces: list[str], delta: str) -> None:
    before, after = (fold(message_events(["hi", *more])) for more in ([], pieces))

    assert diff(before, after) == [x.text_delta("m", delta)]


@pytest.mark.parametrize("done", [False, True])
def test_a_late_joiner_sees_whether_a_text_that_ends_with_a_half_still_streams(done: bool) -> None:
    text = {"type": "Text", "id": "t", "value": "a", "streaming": True}
    state = fold([x.added(x.widget("w", text)), x.value_delta("w", "t", HIGH, done=done)])

    assert fold(diff(ThreadState(), state)).items == state.items
    assert state.items["w"].to_json()["widget"]["streaming"] is not done


@pytest.mark.parametrize(
    ("make", "delta"),
    [(message_events, x.text_delta("m", HIGH)), (widget_events, x.value_delta("m", "t", HIGH))],
)
def test_a_half_that_has_come_is_one_more_delta(
    make: Callable[[list[str]], list[e.Event]], delta: e.Event
) -> None:
    before, after = (fold(make(["hi", *more])) for more in ([], [HIGH]))

    assert diff(before, after) == [delta]


def test_a_half_comes_along_where_only_the_whole_item_can_say_a_change() -> None:
    before = fold([x.added(x.message("m", "a"))])
    later = x.added({**x.message("m", "a"), "created_at": "2026-01-01T00:00:00"})
    after = fold([later, x.text_delta("m", HIGH)])

    assert fold(diff(before, after), before).items == after.items


def test_a_half_comes_along_where_only_the_root_can_say_a_change() -> None:
    def twins(value: str) -> e.Event:
        texts = [{"type": "Text", "id": "t", "value": one} for one in ("a", value)]
        return x.added(x.widget("w", {"type": "Card", "children": texts}))

    before, after = fold([twins("b")]), fold([twins("c"), x.value_delta("w", "t", HIGH)])

    root: Any = diff(before, after)[0]
    assert type(root.update) is e.WidgetRootUpdated
    assert fold(diff(before, after), before).items == after.items


def test_a_whole_root_leaves_no_half_behind() -> None:
    root: e.Json = {"type": "Text", "id": "t", "value": "hi", "streaming": True}
    first = x.added({"type": "widget", "id": "w", "widget": root})
    delta = e.WidgetStreamingTextValueDelta("t", HIGH, done=False)
    shown = {**root, "value": "hi\ufffd"}
    for whole in (e.WidgetRootUpdated(shown), e.WidgetComponentUpdated("t", shown)):
        state = fold([first, *[e.ThreadItemUpdated("w", one) for one in (delta, whole)]])
        low = e.ThreadItemUpdated("w", e.WidgetStreamingTextValueDelta("t", LOW, done=False))
        assert state.items["w"].to_json()["widget"] == shown
        after = reduce(state, low).items["w"].to_json()["widget"]
        assert after["value"] == "hi\ufffd\ufffd"


def grown(*pieces: str) -> ThreadState:
    """A message and a widget with a text of these pieces."""
    started = [x.added(x.message("m", "")), x.added(x.widget("w", CARD))]
    texts = [x.text_delta("m", piece) for piece in pieces]
    values = [
        e.ThreadItemUpdated("w", e.WidgetStreamingTextValueDelta("t", piece, done=False))
        for piece in ["", *pieces]
    ]
    return fold([*started, *texts, *values])


@pytest.mark.parametrize("item_id", ["m", "w"])
@pytest.mark.parametrize(
    ("newer", "older", "extends"),
    [
        (["hi", SMILE], ["hi", HIGH], True),
        (["hi", HIGH, LOW, "!"], ["hi", HIGH], True),
        (["hi", HIGH], ["hi", HIGH], True),
        (["hi", "\ufffd there"], ["hi", HIGH], True),
        (["hi", HIGH, " there"], ["hi", HIGH], True),
        (["hi", HIGH], ["hi"], True),
        (["hi"], ["hi", HIGH], False),
        (["hi there"], ["hi", HIGH], False),
        (["hi", "\U0001f900"], ["hi", HIGH], False),
        (["hi", "\ud83e"], ["hi", HIGH], False),
        (["ha", SMILE], ["hi", HIGH], False),
        (["hi", SMILE], ["hi", HIGH, " there"], False),
    ],
)
def test_a_half_that_waits_is_extended_by_its_character(
    item_id: str, newer: list[str], older: list[str], extends: bool
) -> None:
    items = grown(*newer).items[item_id], grown(*older).items[item_id]
    assert items[0].extends(items[1]) is extends


def test_a_text_that_has_ended_with_a_half_extends_one_that_has_ended() -> None:
    text = {"type": "Text", "id": "t", "value": "a", "streaming": True}
    older, newer = (
        fold([x.added(x.widget("w", text)), x.value_delta("w", "t", more, done=True)])
        for more in ("", HIGH)
    )

    assert newer.items["w"].extends(older.items["w"])


@given(PIECES.map(pieces_of), PIECES.map(pieces_of))
def test_a_longer_text_extends_each_of_its_beginnings(start: list[str], more: list[str]) -> None:
    older, newer = grown(*start), grown(*start, *more)
    assert newer.items["m"].extends(older.items["m"])


@pytest.mark.parametrize("item_id", ["m", "w"])
@given(units=PIECES)
@example(units=[[0x61], [0xD83D], [0xDE00]])
@example(units=[[0x61], [0xD83D], [0x20]])
@example(units=[[0x61], [0xD83D], [0xFFFD]])
def test_the_news_of_a_text_that_streams_again(item_id: str, units: list[list[int]]) -> None:
    """What the sweep finds delta by delta is what the whole texts say."""
    for other in (SMILE, "\ufffd", "\ufffd there", f"{SMILE} there"):
        stored = grown("a", other).items[item_id]
        state = grown("")
        news = news_of(state.items[item_id], stored)
        for piece in pieces_of(units):
            event = (
                x.text_delta("m", piece)
                if item_id == "m"
                else e.ThreadItemUpdated(
                    "w", e.WidgetStreamingTextValueDelta("t", piece, done=False)
                )
            )
            assert isinstance(event, e.ThreadItemUpdated)
            state = reduce(state, event)
            news.update(state.items[item_id], event.update)
            assert news.is_none == state.items[item_id].sealed().adds_nothing_to(stored)


@pytest.mark.parametrize("end", [LOW, " ", "\ufffd"])
@pytest.mark.parametrize("stored", [f"{SMILE} there", "\ufffd there", " there"])
def test_the_news_of_a_text_that_begins_with_a_half(stored: str, end: str) -> None:
    base = fold([x.added(x.message("m", stored))]).items["m"]
    state = fold([x.added(x.message("m"))])
    news = news_of(state.items["m"], base)
    for event in [x.text_delta("m", HIGH), x.text_delta("m", end)]:
        state = reduce(state, event)
        news.update(state.items["m"], event.update)
        assert news.is_none == state.items["m"].sealed().adds_nothing_to(base)
