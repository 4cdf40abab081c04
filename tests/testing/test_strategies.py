"""The published strategies: arguments, forms, promises, and how they present themselves."""

from __future__ import annotations

import doctest
import gzip
import importlib
import inspect
import io
import json
import subprocess
import sys
import tomllib
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, TypeVar, get_args

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from chatkit_reducer import Policy, ThreadState, decode, fold, reduce, restore, snapshot
from chatkit_reducer import events as e
from chatkit_reducer.core.anomalies import AnomalyKind
from chatkit_reducer.core.codec import from_json, to_json
from chatkit_reducer.logs import JSON_LINES, SSE, Framing, LogDecoder, read
from chatkit_reducer.testing import strategies as chatkit
from chatkit_reducer.testing.conformance.reference_model import NaiveThread
from chatkit_reducer.testing.registration import register
from chatkit_reducer.testing.strategies._adversarial import _adversarial_streams
from chatkit_reducer.testing.strategies._events import any_events
from chatkit_reducer.testing.strategies._items import ITEM_TYPES
from chatkit_reducer.testing.strategies._streams import streams_of
from tests.support.paths import ROOT

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # the SDK warns of its own widgets
    from chatkit import types as sdk
    from pydantic import BaseModel

    from chatkit_reducer.integrations.openai_chatkit import (
        event_from_sdk,
        event_to_sdk,
        item_from_sdk,
        item_to_sdk,
    )

pytestmark = pytest.mark.filterwarnings(
    "ignore:Direct usage of named widget classes:DeprecationWarning"
)

T = TypeVar("T")

# Not whether a failing example is found again, nor what it shrinks to.
QUICKLY = settings(database=None, max_examples=5000, phases=[Phase.generate])


def found(strategy: st.SearchStrategy[T], wanted: Callable[[T], bool]) -> T:
    """Such a value, the same one in every run."""
    return find(strategy, wanted, settings=QUICKLY, random=Random(0))


PUBLISHED: dict[str, Callable[..., st.SearchStrategy[Any]]] = {
    name: getattr(chatkit, name)
    for name in chatkit.__all__
    if not inspect.isclass(getattr(chatkit, name))
}
WITH_FORM = [
    name for name, make in PUBLISHED.items() if "form" in inspect.signature(make).parameters
]

# --- arguments ------------------------------------------------------------------------------------

WRONG: dict[str, list[Any]] = {
    "causes": [[], "failed", ["late"], 5],
    "sdk_differences": [None, 1],
    "form": [None, "pydantic", ["json"]],
    "formats": [[], "sse", ["xml"], 5],
    "gzipped": [None, "yes"],
    "ids": ["item_1", ["item_1"], 5],
    "in_doubt": [None, 0],
    "markers": [None, 1],
    "max_depth": [-1, None, 1.5, True],
    "max_events": [-1, None, "3", False],
    "max_items": [-1, None, 2.0, True],
    "max_leaves": [0, None, 2.0, True],
    "max_rows": [-1, None, "5", True],
    "max_updates": [-1, None, 0.5, False],
    "noise": [None, "much"],
    "pending": [None, "item_1"],
    "stored": [5, [5], [{"type": "task"}], [{"id": 5}], [{"id": "x"}, {"id": "x"}]],
    "streams": [[], [[]], 5],
    "torn": [None, 0],
    "types": [[], "widget", ["gadget"], 5, [None]],
    "unknown": [None, 0, "yes"],
}


# Strategies that a type checker would refuse, too.
ANYTHING: Any = st.just(5)
JSON: Any = st.just([{"type": "error"}])


def arguments() -> list[Any]:
    return [
        pytest.param(name, argument, id=f"{name}-{argument}")
        for name, make in PUBLISHED.items()
        for argument in inspect.signature(make).parameters
    ]


@pytest.mark.parametrize(("name", "argument"), arguments())
def test_a_wrong_argument_is_refused_at_once(name: str, argument: str) -> None:
    for wrong in WRONG[argument]:
        with pytest.raises(InvalidArgument, match=f"^{argument}=.*(must|is not one of)"):
            PUBLISHED[name](**{argument: wrong})


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (chatkit.events(ids=ANYTHING, types=["thread.item.removed"]), "^ids drew 5: .* strings"),
        (chatkit.items(ids=ANYTHING), "^ids drew 5: .* strings"),
        (chatkit.logs(streams=ANYTHING), "^streams drew 5: .* lists of events"),
        (chatkit.stops(streams=ANYTHING), "^streams drew 5: .* lists of events"),
        (chatkit.stops(streams=JSON), r"^streams drew \[{.* lists of events"),
    ],
)
def test_a_strategy_for_something_else_is_refused_when_it_draws(
    strategy: st.SearchStrategy[Any], message: str
) -> None:
    with pytest.raises(InvalidArgument, match=message):
        found(strategy, lambda value: True)


@pytest.mark.parametrize("name", ["items", "widgets"])
def test_what_is_json_anyway_has_no_classes(name: str) -> None:
    with pytest.raises(InvalidArgument, match="form='struct'"):
        PUBLISHED[name](form="struct")


@pytest.mark.parametrize("name", PUBLISHED)
def test_arguments_are_keywords_with_defaults(name: str) -> None:
    for parameter in inspect.signature(PUBLISHED[name]).parameters.values():
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
        assert parameter.default is not parameter.empty
    assert name.endswith("s")


@given(st.data())
def test_types_are_obeyed(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(e.EVENT_TYPES)))
    assert e.wire_type(data.draw(chatkit.events(types=[name]))) == name
    kind = data.draw(st.sampled_from(sorted(e.UPDATE_TYPES)))
    assert e.wire_type(data.draw(chatkit.updates(types={kind}))) == kind


@given(
    chatkit.events(types=["thread.item.removed"], ids=st.just("mine")),
    chatkit.items(types=("task", "widget"), ids=st.just("mine")),
)
def test_ids_are_obeyed(removed: e.Event, item: dict[str, Any]) -> None:
    assert isinstance(removed, e.ThreadItemRemoved)
    assert removed.item_id == "mine"
    assert item["type"] in ("task", "widget")
    assert item["id"] == "mine"


@given(chatkit.streams(max_items=0), chatkit.streams(types=["task"], max_items=1))
def test_the_number_of_items_is_obeyed(none: list[e.Event], one: list[e.Event]) -> None:
    assert not fold(none).items
    assert {item.type for item in fold(one).items.values()} <= {"task"}
    assert len(fold(one).items) <= 1


# --- forms ----------------------------------------------------------------------------------------


def flat(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@pytest.mark.parametrize("name", WITH_FORM)
def test_plain_json(name: str) -> None:
    @settings(max_examples=30)
    @given(PUBLISHED[name](form="json"))
    def look(value: Any) -> None:
        assert json.loads(json.dumps(value)) == value
        assert all(type(one) is dict for one in flat(value))
        if name in ("events", "streams", "adversarial_streams"):
            for one in flat(value):
                from_json(one)

    look()


@given(chatkit.adversarial_streams(form="json"))
def test_plain_json_shares_nothing(events: list[Any]) -> None:
    """Who folds in place would else see events change that come later."""
    seen: set[int] = set()
    todo: list[Any] = list(events)
    while todo:
        value = todo.pop()
        if isinstance(value, dict | list):
            assert id(value) not in seen
            seen.add(id(value))
            todo += value.values() if isinstance(value, dict) else value


def updated(update: Any) -> Any:
    return sdk.ThreadItemUpdatedEvent(item_id="item_1", update=update)


SDK_CLASSES: dict[str, Any] = {
    "events": get_args(get_args(sdk.ThreadStreamEvent)[0]),
    "streams": get_args(get_args(sdk.ThreadStreamEvent)[0]),
    "adversarial_streams": get_args(get_args(sdk.ThreadStreamEvent)[0]),
    "items": get_args(get_args(sdk.ThreadItem)[0]),
    "updates": get_args(sdk.ThreadItemUpdate),
    "widgets": BaseModel,
}


@pytest.mark.parametrize("name", WITH_FORM)
def test_models_of_the_sdk(name: str) -> None:
    @settings(max_examples=50)
    @given(PUBLISHED[name](form="sdk"))
    def look(value: Any) -> None:
        assert all(isinstance(one, SDK_CLASSES[name]) for one in flat(value))

    look()


@given(st.one_of(chatkit.events(form="sdk"), chatkit.updates(form="sdk").map(updated)))
def test_models_of_the_sdk_come_back_from_json(model: Any) -> None:
    plain = to_json(event_from_sdk(model))
    again = event_to_sdk(from_json(json.loads(json.dumps(plain))))
    assert again == model
    assert to_json(event_from_sdk(again)) == plain


@given(chatkit.items(form="sdk"))
def test_items_of_the_sdk_come_back_from_json(item: Any) -> None:
    plain = item_from_sdk(item)
    again = item_to_sdk(json.loads(json.dumps(plain)))
    assert again == item
    assert item_from_sdk(again) == plain


@given(
    st.lists(chatkit.items(unknown=False), max_size=2, unique_by=lambda item: item["id"]), st.data()
)
def test_a_stream_over_stored_items_in_the_form_of_the_sdk(
    stored: list[Any], data: st.DataObject
) -> None:
    events = data.draw(chatkit.streams(stored=stored, max_items=1, form="sdk"))
    assert all(isinstance(one, SDK_CLASSES["streams"]) for one in events)


def test_a_stored_item_that_the_sdk_refuses() -> None:
    with pytest.raises(InvalidArgument, match="is not an item of openai-chatkit"):
        chatkit.streams(stored=[{"id": "x", "type": "new.type"}], form="sdk")


def test_without_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "chatkit_reducer.integrations.openai_chatkit", None)
    monkeypatch.delattr("chatkit_reducer.integrations.openai_chatkit", raising=False)
    chatkit.events(form="json")
    with pytest.raises(ImportError, match=r"pip install 'chatkit-reducer\[openai-chatkit\]'"):
        chatkit.events(form="sdk")


# --- streams --------------------------------------------------------------------------------------


@given(chatkit.streams())
def test_deltas_add_up_to_what_is_done(events: list[e.Event]) -> None:
    state = ThreadState()
    for event in events:
        if isinstance(event, e.ThreadItemDone) and event.item["id"] in state.items:
            assert state.items[event.item["id"]].to_json() == event.item
        state = reduce(state, event)
    assert state.anomalies == ()
    assert state.pending == ()


@given(chatkit.streams(form="sdk"))
def test_streams_of_the_sdk_are_sound_too(events: list[Any]) -> None:
    state = fold([event_from_sdk(event) for event in events])
    assert state.anomalies == ()
    assert state.pending == ()


STORED: list[dict[str, Any]] = [
    {"id": "item_1", "type": "assistant_message", "content": []},
    {"id": "item_2", "type": "widget", "widget": {"type": "Card", "children": []}},
]


@given(chatkit.streams(stored=STORED, max_items=1))
def test_a_stream_over_stored_items_is_sound(events: list[e.Event]) -> None:
    state = fold(events, ThreadState.from_items(STORED))
    assert state.anomalies == ()
    assert state.pending == ()
    assert len(state.items) <= 3


_REFUSED_BY_THE_SDK = (
    AnomalyKind.ITEM_WITHOUT_ID,
    AnomalyKind.ITEM_MALFORMED,
    AnomalyKind.FIELD_MISSING,
)


_OF_LOGS = (AnomalyKind.UNREADABLE, AnomalyKind.REDELIVERED)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in AnomalyKind if kind not in _OF_LOGS])
def test_every_kind_of_fault_is_drawn(kind: AnomalyKind) -> None:
    """Also in the form of the SDK, but for what its models refuse: what is missing or malformed."""
    forms: list[st.SearchStrategy[list[e.Event]]] = [chatkit.adversarial_streams()]
    if kind not in _REFUSED_BY_THE_SDK:
        theirs = chatkit.adversarial_streams(form="sdk")
        forms.append(theirs.map(lambda events: [event_from_sdk(event) for event in events]))
    for streams in forms:
        found(streams, lambda events: kind in kinds_in(fold(events)))


def test_what_is_unreadable_is_drawn() -> None:
    """A stream holds events; that something is none only happens to bytes."""

    def ends_in_a_ruin(log: chatkit.RecordedLog) -> bool:
        return AnomalyKind.UNREADABLE in kinds_in(fold(read(io.BytesIO(log.data))))

    assert found(chatkit.logs(), ends_in_a_ruin).torn


def kinds_in(state: ThreadState) -> set[AnomalyKind]:
    return {anomaly.kind for anomaly in state.anomalies}


# --- threads --------------------------------------------------------------------------------------


@given(chatkit.threads())
def test_a_thread_is_as_a_store_has_it(state: ThreadState) -> None:
    assert state.pending == ()
    assert state.anomalies == ()
    assert len(state.items) <= 4
    stored = [item.to_json() for item in state.items.values()]
    assert ThreadState.from_items(stored, thread=state.thread) == state


@given(chatkit.threads(pending=True, max_items=3))
def test_a_thread_in_the_middle_of_a_response(state: ThreadState) -> None:
    assert state.anomalies == ()
    assert len(state.items) <= 3
    assert restore(snapshot(state)) == state


@given(chatkit.threads(types=["task"], unknown=False))
def test_the_types_of_a_thread(state: ThreadState) -> None:
    assert {item.type for item in state.items.values()} <= {"task"}


@pytest.mark.parametrize(
    "wanted",
    [
        lambda state: state.thread is None and len(state.items) == 4,
        lambda state: state.thread is not None,
        lambda state: len(state.bases) == 1 and len(state.pending) == 2,
        lambda state: 0 < len(state.pending) < len(state.items),
    ],
)
def test_threads_of_all_kinds_are_drawn(wanted: Callable[[ThreadState], bool]) -> None:
    found(chatkit.threads(pending=True), wanted)


# --- logs -----------------------------------------------------------------------------------------


def decoded(log: chatkit.RecordedLog) -> list[e.Event | e.Unreadable]:
    decoder = LogDecoder()
    records = [record for chunk in log.chunks for record in decoder.feed(chunk)]
    return [record.event for record in (*records, *decoder.close())]


def without_ruins(events: list[e.Event | e.Unreadable]) -> list[e.Event]:
    return [event for event in events if not isinstance(event, e.Unreadable)]


@given(chatkit.logs())
def test_a_log_decodes_to_its_events(log: chatkit.RecordedLog) -> None:
    events = decoded(log)
    assert tuple(without_ruins(events)) == log.events
    assert len(events) <= len(log.events) + log.torn
    assert all(log.chunks)


@given(chatkit.logs(gzipped=True))
def test_a_log_that_may_be_compressed(log: chatkit.RecordedLog) -> None:
    assert tuple(without_ruins(list(read(io.BytesIO(log.data))))) == log.events


@given(chatkit.logs(formats=["json_lines"], noise=False, torn=False))
def test_a_tidy_log_is_one_event_a_line(log: chatkit.RecordedLog) -> None:
    assert tuple(map(decode, log.data.splitlines(keepends=False))) == log.events
    assert not log.torn


@pytest.mark.parametrize(("name", "framing"), [("sse", SSE), ("envelopes", JSON_LINES)])
def test_the_format_of_a_log(name: str, framing: Framing) -> None:
    @given(chatkit.logs(formats=[name], torn=False))
    def look(log: chatkit.RecordedLog) -> None:
        decoder = LogDecoder(framing)
        records = [*decoder.feed(log.data), *decoder.close()]
        assert tuple(record.event for record in records) == log.events
        if name == "envelopes":
            assert all(record.thread in (None, "thread_1") for record in records)

    look()


@given(st.data())
def test_the_streams_of_a_log(data: st.DataObject) -> None:
    events = data.draw(chatkit.streams(max_items=2))
    log = data.draw(chatkit.logs(streams=st.just(events), torn=False))
    assert list(log.events) == events
    torn = data.draw(chatkit.logs(streams=st.just(events)))
    assert list(torn.events) == events[: len(torn.events)]
    assert torn.torn or list(torn.events) == events


@pytest.mark.parametrize(
    "wanted",
    [
        lambda log: log.data.startswith(b"\xef\xbb\xbf"),
        lambda log: b"\r\n\r\n" in log.data,
        lambda log: b"\r\rdata" in log.data,
        lambda log: b"id: 0" in log.data,
        lambda log: b": a comment" in log.data,
        lambda log: b"\ndata:\n" in log.data or b"\ndata: }" in log.data,
        lambda log: b'{"seq": 0, "time": ' in log.data,
        lambda log: b'{"event": {' in log.data,
        lambda log: log.torn and len(log.events) > 1,
        lambda log: not log.torn and len(log.chunks) == 1 and log.events,
        lambda log: len(log.data) > 100 and all(len(chunk) == 1 for chunk in log.chunks),
        lambda log: len(log.chunks) > 2 and len({len(chunk) for chunk in log.chunks}) > 2,
        lambda log: any(ends_in_a_character(chunk) for chunk in log.chunks),
    ],
)
def test_logs_of_all_kinds_are_drawn(wanted: Callable[[chatkit.RecordedLog], bool]) -> None:
    found(chatkit.logs(), wanted)


def ends_in_a_character(chunk: bytes) -> bool:
    try:
        chunk.decode()
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data"
    return False


def test_torn_and_whole_compressed_logs_are_drawn() -> None:
    def zipped(log: chatkit.RecordedLog) -> bool:
        return log.data.startswith(b"\x1f\x8b") and len(log.events) > 0

    logs = chatkit.logs(gzipped=True)
    whole = found(logs, lambda log: zipped(log) and not log.torn)
    assert gzip.decompress(whole.data)
    torn = found(logs, lambda log: zipped(log) and log.torn)
    with pytest.raises((EOFError, zlib.error)):
        gzip.decompress(torn.data)


# --- types ----------------------------------------------------------------------------------------


@pytest.fixture
def registered() -> None:
    """As in a process with the package installed."""
    register()


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize(
    "cls", [*e.EVENT_TYPES.values(), *e.UPDATE_TYPES.values(), e.UnknownEvent, e.UnknownUpdate]
)
def test_each_class_has_its_strategy(cls: type[Any]) -> None:
    @settings(max_examples=10)
    @given(st.from_type(cls))
    def look(value: Any) -> None:
        assert type(value) is cls

    look()


@pytest.mark.usefixtures("registered")
def test_unions_states_and_policies() -> None:
    drawn: set[type] = set()

    @given(...)
    def look(event: e.Event, update: e.Update, state: ThreadState, policy: Policy) -> None:
        drawn.update((type(event), type(update)))
        assert isinstance(state, ThreadState)
        assert isinstance(policy, Policy)

    look()
    assert drawn <= {*get_args(e.Event), *get_args(e.Update)}
    assert len(drawn) > 12


def test_the_entry_point_is_the_function_that_registers() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["entry-points"]["hypothesis"] == {
        "chatkit_reducer": f"{register.__module__}:{register.__name__}"
    }


# As pip leaves it behind, whether the package is installed here or not.
INSTALLED = """
[hypothesis]
chatkit_reducer = chatkit_reducer.testing.registration:register
"""


def run(code: str, *paths: Path) -> str:
    path = json.dumps([str(one) for one in (*paths, ROOT)])
    return subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {path}\n{code}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_the_entry_point(tmp_path: Path) -> None:
    info = tmp_path / "chatkit_reducer-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: chatkit-reducer\nVersion: 0\n")
    (info / "entry_points.txt").write_text(INSTALLED)
    out = run(
        "import hypothesis\n"
        "heavy = ['chatkit_reducer.testing.strategies', 'chatkit', 'pydantic', 'click', 'rich']\n"
        "print([name for name in heavy if name in sys.modules])\n"
        "from chatkit_reducer.events import ThreadItemAdded\n"
        "print(hypothesis.strategies.from_type(ThreadItemAdded))\n",
        tmp_path,
    )
    assert out.splitlines() == ["[]", "events(types=['thread.item.added'])"]


def test_the_package_does_without_hypothesis() -> None:
    code = "import chatkit_reducer.testing.registration\nprint('hypothesis' in sys.modules)"
    assert run(code) == "False\n"


# --- how they present themselves ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "shown"),
    [
        (chatkit.items(), "items()"),
        (chatkit.items(types=["widget"]), "items(types=['widget'])"),
        (chatkit.items(unknown=True), "items()"),
        (chatkit.events(ids=st.just("x"), form="json"), "events(ids=just('x'), form='json')"),
        (
            chatkit.stops(streams=chatkit.streams(max_items=1)),
            "stops(streams=streams(max_items=1))",
        ),
        (chatkit.items() | chatkit.widgets(), "one_of(items(), widgets())"),
        (st.lists(chatkit.items(), max_size=2), "lists(items(), max_size=2)"),
        (chatkit.threads().map(id), "threads().map(id)"),
    ],
)
def test_a_strategy_says_how_it_was_asked_for(strategy: st.SearchStrategy[Any], shown: str) -> None:
    assert repr(strategy) == shown


def test_a_long_argument_is_shortened() -> None:
    stored = [{"id": f"item_{n}", "type": "task", "title": "x" * 1000} for n in range(1000)]
    assert len(repr(chatkit.streams(stored=stored))) < 2000


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_list_of_different_values_gives_no_warning(name: str) -> None:
    """Of a long repr, that is; all warnings are errors here."""

    @settings(max_examples=5)
    @given(st.lists(PUBLISHED[name](), unique_by=repr, max_size=2))
    def look(values: list[Any]) -> None:
        pass

    look()


@pytest.mark.parametrize(
    "strategy",
    [
        any_events(unknown=True),
        streams_of(max_items=2, unknown=True),
        _adversarial_streams(12, unknown=True),
    ],
)
def test_what_they_are_made_of_has_no_endless_repr(strategy: st.SearchStrategy[Any]) -> None:
    """Hypothesis writes it, again and again, while it shrinks."""
    assert len(repr(strategy)) < 100_000


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_examples_in_the_docstrings_run(name: str) -> None:
    make = PUBLISHED[name]
    assert make.__doc__ is not None
    finder = doctest.DocTestFinder(recurse=False)
    [example] = finder.find(make, name, module=False, globs={})
    assert len(example.examples) > 2
    result = doctest.DocTestRunner(verbose=False).run(example)
    assert result.failed == 0


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_docstring_names_every_argument(name: str) -> None:
    doc = inspect.getdoc(PUBLISHED[name]) or ""
    _, _, described = doc.partition("\nArgs:\n")
    for argument in inspect.signature(PUBLISHED[name]).parameters:
        assert f"\n    {argument}: " in f"\n{described}"
    assert "InvalidArgument" in described


def test_all_that_is_public_is_named() -> None:
    module = importlib.import_module("chatkit_reducer.testing.strategies")
    public = {name for name in vars(module) if not name.startswith("_")} - {"annotations"}
    assert public == set(chatkit.__all__)


# --- health ---------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_with_the_settings_that_everybody_has(name: str) -> None:
    """No health check fails: it is neither slow nor large, and little is thrown away."""

    @settings(settings.get_profile("default"), deadline=None, database=None)
    @given(PUBLISHED[name]())
    def look(value: Any) -> None:
        pass

    look()


def test_the_naive_fold_agrees_on_what_a_sound_stream_is() -> None:
    @settings(max_examples=50)
    @given(chatkit.streams(form="json"))
    def look(events: list[Any]) -> None:
        thread = NaiveThread()
        for event in events:
            thread.apply(event)
        assert not thread.faults
        assert not thread.pending

    look()


def test_every_type_of_item_is_drawn() -> None:
    drawn: set[str] = set()

    @settings(max_examples=300)
    @given(chatkit.items())
    def look(item: dict[str, Any]) -> None:
        drawn.add(item["type"])

    look()
    assert drawn >= set(ITEM_TYPES)
    assert drawn - set(ITEM_TYPES)
