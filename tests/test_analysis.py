"""The public face of `chatkit_reducer.analysis`."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chatkit_reducer import ThreadState, analysis, encode, policies
from chatkit_reducer.analysis import check, sweep, sweep_threads
from chatkit_reducer.events import Event, Unreadable
from chatkit_reducer.logs.threads import PerThread
from chatkit_reducer.testing.examples import added, done, message, removed, text_delta

EVENTS: list[Event] = [added(message("m", "")), text_delta("m", "Once"), done(message("m", "One"))]
ALL = [policies.SDK, policies.KEEP]


def log_of(*events: Event) -> bytes:
    return b"".join(encode(event) + b"\n" for event in events)


def test_every_name_is_there() -> None:
    assert sorted(analysis.__all__) == list(analysis.__all__)
    assert set(analysis.__all__) <= set(dir(analysis))
    assert all(getattr(analysis, name) is not None for name in analysis.__all__)
    with pytest.raises(AttributeError, match="no attribute 'checks'"):
        _ = getattr(analysis, "checks")  # noqa: B009


def test_it_imports_what_is_used_and_no_command_line() -> None:
    code = (
        "import sys, chatkit_reducer.analysis as analysis\n"
        "before = [name for name in sys.modules if name.startswith('chatkit_reducer.analysis.')]\n"
        "analysis.check, analysis.sweep\n"
        "cli = [name for name in sys.modules if name.startswith('chatkit_reducer.cli')]\n"
        "print(before, cli)"
    )
    root = Path(__file__).parents[1]
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )

    assert shown.stdout == "[] []\n"


def test_check_takes_a_path_a_file_or_events(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(log_of(*EVENTS))

    sources: list[Any] = [path, str(path), io.BytesIO(path.read_bytes()), EVENTS, iter(EVENTS)]
    results = [check(source) for source in sources]

    assert [result.events for result in results] == [3] * 5
    assert all(result == results[0] for result in results)
    (finding,) = results[0].findings
    assert (finding.kind, finding.position, finding.item_id) == ("difference", 3, "m")


def test_check_of_neither_a_log_nor_events() -> None:
    with pytest.raises(TypeError, match="expected events to iterate over"):
        check(3)  # type: ignore[arg-type]  # the mistake


def test_check_after_a_stored_thread() -> None:
    stored = ThreadState.from_items([message("m", "Once")], thread={"id": "t"})

    assert [one.thread for one in check([removed("m"), removed("x")], stored).findings] == ["t"]
    assert [one.kind for one in check([added(message("n", ""))], stopped=True).findings] == []


def test_sweep_takes_a_log() -> None:
    stops = list(sweep(io.BytesIO(log_of(*EVENTS)), ALL, "ended"))

    assert [stop.at for stop in stops] == [0, 1, 2, 3]


def test_sweep_threads_takes_a_log_apart() -> None:
    entries = [
        {"thread": thread, "event": json.loads(encode(event))}
        for event in EVENTS
        for thread in ("a", "b")
    ]
    log = "".join(json.dumps(entry) + "\n" for entry in entries).encode()

    swept = sweep_threads(io.BytesIO(log), ALL, "ended")

    assert {thread: [stop.at for stop in one.stops] for thread, one in swept.items()} == {
        "a": [0, 1, 3, 5],
        "b": [1, 2, 4, 6],
    }
    assert [list(one.state.items) for one in swept.values()] == [["m"], ["m"]]


def test_sweep_threads_without_events() -> None:
    stored = ThreadState.from_items([message("m", "Once")], thread={"id": "t"})

    assert [stop.at for stop in sweep_threads([], ALL, "ended")[None].stops] == [0]
    assert list(sweep_threads([], ALL, "ended", stored)) == ["t"]


def test_a_sweep_keeps_the_anomaly_of_a_piece_that_cannot_be_read() -> None:
    events: list[Event | Unreadable] = [EVENTS[0], Unreadable(0, 2, "no JSON", "{")]

    (anomaly,) = sweep_threads(events, ALL, "ended")["thr_1"].state.anomalies

    assert (anomaly.line, anomaly.at) == (2, 1)


def test_events_before_the_first_named_thread_belong_to_it() -> None:
    events: PerThread[list[int]] = PerThread(list)
    for number, thread in enumerate([None, None, "a", "b", "a"]):
        events[thread].append(number)

    assert events == {"a": [0, 1, 2, 4], "b": [3]}
    assert events.first == "a"


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_the_program_starts_without_its_commands(option: str) -> None:
    code = (
        f"import sys, chatkit_reducer; before = set(sys.modules); sys.argv = ['x', {option!r}]\n"
        "from chatkit_reducer.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "names = ('chatkit_reducer.cli.commands', 'chatkit_reducer.cli.inputs', 'rich.t')\n"
        "loaded = set(sys.modules) - before\n"
        "print([name for name in loaded if name.startswith(names)], file=sys.stderr)"
    )
    root = Path(__file__).parents[1]
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )

    assert shown.stderr == "[]\n"


OPENED = b'{"seq":0,"time":1.0,"thread":"thr_1","event":{"type":"journal.opened"}}\n'


def journal_of(*own: str) -> io.BytesIO:
    """The journal of a response whose item is pending at the end, with records of its own."""
    lines = [encode(event) for event in EVENTS[:2]]
    lines += [json.dumps({"type": f"journal.{name}"}).encode() for name in own]
    return io.BytesIO(OPENED + b"".join(b'{"event":%b}\n' % line for line in lines))


@pytest.mark.parametrize(
    "own", [["settled", "closed"], ["settled"], ["closed"], ["left", "settled"]]
)
def test_the_items_of_a_response_that_was_settled_are_not_left_pending(own: list[str]) -> None:
    assert check(journal_of(*own)).findings == ()


@pytest.mark.parametrize("own", [[], ["left"], ["left", "returned"], ["settled", "opened"]])
def test_those_of_a_response_without_an_end_are(own: list[str]) -> None:
    assert [finding.kind for finding in check(journal_of(*own)).findings] == ["left_pending"]
