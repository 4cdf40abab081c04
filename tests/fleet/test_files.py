"""Rows of files: the same in any order of files and entries, with any number of processes."""

from __future__ import annotations

import gzip
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatkit_reducer import encode
from chatkit_reducer import events as e
from chatkit_reducer.core.codec import from_json
from chatkit_reducer.fleet import FileFold, Privacy, RowMaker, processes
from chatkit_reducer.fleet.arrivals import Arrival, in_order, number_of
from chatkit_reducer.fleet.spills import Spill, SpillError, partition_files, read_partition
from chatkit_reducer.logs import Record
from chatkit_reducer.logs.threads import replay_threads
from chatkit_reducer.testing import strategies as chatkit
from chatkit_reducer.testing.examples import added, done, message, text_delta, user_message
from tests.support.fleets import (
    CAUSES,
    POLICIES,
    Threads,
    numbered,
    rows_of,
    threads,
    without_places,
    write_logs,
)
from tests.support.fleets import (
    in_order as rows_in_order,
)

MAKER = RowMaker.of(POLICIES, CAUSES, stops="all", items=True)
STOPPED: list[e.Event] = [added(message("m", "")), text_delta("m", "On"), text_delta("m", "ce")]


def expected(threads: Threads) -> list[Any]:
    return rows_in_order(
        [without_places(MAKER.row(events, thread)) for thread, events in threads.items()]
    )


def folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()


# --- the laws ------------------------------------------------------------------------------------


@pytest.mark.law
@given(st.data(), threads(), st.booleans())
def test_files_in_any_order_give_the_rows_of_the_threads(
    data: st.DataObject, streams: Threads, timed: bool
) -> None:
    """Entries are shuffled and dealt out to files, and some are delivered to another file too."""
    records = data.draw(st.permutations(numbered(streams, timed=timed)))
    homes = data.draw(
        st.lists(st.sampled_from("abc"), min_size=len(records), max_size=len(records))
    )
    again = data.draw(st.sets(st.sampled_from(range(len(records)))))
    logs: dict[str, list[Record]] = {name: [] for name in "abcd"}
    for home, record in zip(homes, records, strict=True):
        logs[home].append(record)
    logs["d"] = [records[at] for at in again]

    with folder() as here:
        paths = write_logs(Path(here), logs)
        assert rows_of(data.draw(st.permutations(paths)), MAKER) == expected(streams)


@given(threads(), threads())
def test_the_threads_of_each_file_may_be_others(one: Threads, other: Threads) -> None:
    with folder() as here:
        paths = write_logs(Path(here), {"a": numbered(one), "b": numbered(other)})
        fold = FileFold(paths, MAKER, apart=True, processes=1)
        rows = [without_places(row) for part in fold.rows() for row in part]

    assert sorted(map(repr, rows)) == sorted(map(repr, [*expected(one), *expected(other)]))


@given(st.data(), threads())
def test_the_order_in_the_file_is_the_order_where_there_are_no_numbers(
    data: st.DataObject, streams: Threads
) -> None:
    waiting = {thread: list(events) for thread, events in streams.items()}
    records = []
    while waiting:
        thread = data.draw(st.sampled_from(sorted(waiting)))
        records.append(Record(waiting[thread].pop(0), thread))
        waiting = {name: events for name, events in waiting.items() if events}

    with folder() as here:
        assert rows_of(write_logs(Path(here), {"log": records}), MAKER) == expected(streams)


@given(threads(), st.integers(1, 3))
def test_runs_of_numbers_that_begin_anew_stay_apart_by_their_times(
    streams: Threads, cut: int
) -> None:
    """Each response has a file of its own, as in a journal, and its numbers begin at 0."""
    logs: dict[str, list[Record]] = {}
    whole: Threads = {}
    for name, (thread, events) in zip("abcd", streams.items(), strict=False):
        for part, at in enumerate(range(0, len(events), cut)):
            opened = from_json({"type": "journal.opened", "response": f"{thread}-{part}"})
            mine = [opened, *events[at : at + cut]]
            whole[thread] = [*whole.get(thread, ()), *mine]
            logs[f"{9999 - part}{name}"] = [
                Record(event, thread, number, 1000.0 * part + number)
                for number, event in enumerate(mine)
            ]

    with folder() as here:
        assert rows_of(write_logs(Path(here), logs), MAKER) == expected(whole)


@given(chatkit.logs())
@settings(max_examples=50)
def test_any_log_gives_the_threads_that_a_replay_gives(log: Any) -> None:
    with folder() as here:
        path = Path(here) / "log"
        path.write_bytes(log.data)
        fold = FileFold([path], MAKER, processes=1)
        rows = [row for part in fold.rows() for row in part]
        states = replay_threads(path)

    if not fold.broken and log.data.strip():
        assert {row["thread"]: row["items"] for row in rows} == {
            thread: len(state.items) for thread, state in states.items()
        }


@given(chatkit.adversarial_streams())
def test_what_is_put_aside_comes_back_unchanged(events: list[e.Event]) -> None:
    broken = e.Unreadable(1, 2, "reason", "excerpt", unlisted=3)
    arrivals = [Arrival(None, 0, n, n, n, 1.5, event) for n, event in enumerate([*events, broken])]
    with folder() as here:
        assert Spill(Path(here), 1, "x").take(arrivals) == len(arrivals)
        assert list(read_partition(partition_files(Path(here), 0))) == arrivals


# --- order ---------------------------------------------------------------------------------------


def order_of(*entries: tuple[int, int | None, Any, str]) -> list[str]:
    """The texts of entries in order; each is a file, a number, a time and a text."""
    arrivals = [
        Arrival("t", source, place, place, number, time, text_delta("m", text))
        for place, (source, number, time, text) in enumerate(entries)
    ]
    return [one.event.update.delta for one in in_order(arrivals)]  # type: ignore[union-attr]


def test_a_clock_that_was_set_back_does_not_count_within_a_file() -> None:
    assert order_of((0, None, 9.0, "a"), (0, None, 5.0, "b"), (1, None, 7.0, "c")) == [
        "c",
        "a",
        "b",
    ]


def test_numbers_count_more_than_times() -> None:
    assert order_of((0, 2, 1.0, "b"), (1, 1, 2.0, "a")) == ["a", "b"]


def test_times_of_all_kinds_merge_files() -> None:
    assert order_of(
        (0, None, "2026-01-01T01:00:00+01:00", "b"),
        (1, None, "2025-12-31T23:59:00", "a"),
        (2, None, "2026-01-01T00:00:01Z", "c"),
        (3, None, "later", "d"),
    ) == ["a", "b", "c", "d"]


def test_files_without_numbers_and_times_follow_their_names() -> None:
    assert order_of((1, None, None, "b"), (0, None, None, "a")) == ["a", "b"]


def test_an_entry_without_a_number_stays_behind_the_one_before_it() -> None:
    found = order_of(
        (0, 2, None, "c"), (0, None, None, "d"), (0, 1, None, "a"), (0, None, None, "b")
    )

    assert found == ["a", "b", "c", "d"]


def test_a_new_run_may_begin_with_the_events_of_the_one_before() -> None:
    assert order_of((0, 0, 1.0, "a"), (0, 1, 2.0, "b"), (1, 0, 3.0, "a"), (1, 1, 4.0, "c")) == [
        *("a", "b"),
        *("a", "c"),
    ]


def test_a_file_that_was_delivered_again_is_dropped() -> None:
    twice = [(source, n, float(n), text) for source in (0, 1) for n, text in enumerate("abc")]

    assert order_of(*twice) == ["a", "b", "c"]


def test_a_number_that_counts_nothing_changes_nothing() -> None:
    assert order_of(*[(0, 7, None, text) for text in "abba"]) == ["a", "b", "b", "a"]


@pytest.mark.parametrize(
    ("sequence", "number"),
    [(3, 3), ("17", 17), ("x", None), (None, None), (True, None), (10**20, None), ("9" * 30, None)],
)
def test_only_integers_are_numbers(sequence: Any, number: int | None) -> None:
    assert number_of(sequence) == number


# --- the files -----------------------------------------------------------------------------------


def test_several_processes_give_the_rows_of_one(tmp_path: Path) -> None:
    logs = {
        f"{name}.jsonl": [
            Record(event, f"{name}-{n % 7}", n) for n, event in enumerate(STOPPED * 20)
        ]
        for name in "abcdef"
    }
    paths = write_logs(tmp_path, logs)
    shares: list[float] = []
    one = list(FileFold(paths, MAKER, processes=1).rows())
    several = list(FileFold(paths[::-1], MAKER, processes=2, on_progress=shares.append).rows())

    assert several == one
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


@pytest.mark.parametrize("name", ["log.jsonl", "log.jsonl.gz"])
def test_one_long_file_shows_its_progress(tmp_path: Path, name: str) -> None:
    (path,) = write_logs(tmp_path, {"log": numbered({"a": STOPPED * 3000})})
    data = path.read_bytes()
    (tmp_path / name).write_bytes(gzip.compress(data, 0) if name.endswith("gz") else data)
    shares: list[float] = []
    list(FileFold([tmp_path / name], MAKER, processes=1, on_progress=shares.append).rows())

    assert len({share for share in shares if share < 0.5}) > 5
    assert 0.5 in shares
    assert shares == sorted(shares)


def test_the_rows_can_be_made_again(tmp_path: Path) -> None:
    paths = write_logs(tmp_path, {"log": numbered({"a": STOPPED})})
    fold = FileFold([*paths, tmp_path / "missing"], MAKER, processes=1)

    assert list(fold.rows()) == list(fold.rows())
    assert len(fold.broken) == 1


def test_partitions_are_independent_of_the_number_of_threads_in_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = write_logs(tmp_path, {"log": numbered({f"t{n}": STOPPED for n in range(50)})})
    whole = rows_of(paths, MAKER)
    monkeypatch.setattr(processes, "_PARTITION", 500)

    assert rows_of(paths, MAKER) == whole
    assert len(whole) == 50


def test_a_row_says_where_its_log_shows_it(tmp_path: Path) -> None:
    first = [Record(done(user_message("u", "hi")), "a", 0, 1.0), *numbered({"b": STOPPED})]
    second = [Record(event, "a", n, 9.0) for n, event in enumerate(STOPPED, 1)]
    paths = write_logs(tmp_path, {"1": first, "2": second})
    maker = RowMaker.of(["drop"], ["cancelled"], stops="all")
    rows = {row["thread"]: row for part in FileFold(paths, maker).rows() for row in part}

    assert (rows["a"]["source"], rows["a"]["position"]) == (str(paths[1]), 3)
    assert (rows["b"]["source"], rows["b"]["position"]) == (str(paths[0]), 4)
    assert (rows["b"]["stops"][0]["source"], rows["b"]["stops"][0]["position"]) == (
        str(paths[0]),
        4,
    )
    assert rows["b"]["stops"][0]["at"] == 3


def test_hashed_ids_come_without_the_names_of_files(tmp_path: Path) -> None:
    paths = write_logs(tmp_path, {"log of a user": numbered({"a": STOPPED})})
    maker = RowMaker.of(["drop"], ["cancelled"], stops="all", privacy=Privacy(id_key=b"k"))

    assert "log of a user" not in str(list(FileFold(paths, maker, processes=1).rows()))


def test_files_that_name_no_thread_are_threads_of_their_own(tmp_path: Path) -> None:
    nameless = [Record(from_json({**_json(event), "x": 1})) for event in STOPPED]
    paths = write_logs(tmp_path, {"1": nameless, "2": nameless})
    rows = rows_of(paths, MAKER)

    assert [(row["thread"], row["events"]) for row in rows] == [(None, 3), (None, 3)]


def _json(event: e.Event) -> dict[str, Any]:
    found: dict[str, Any] = __import__("json").loads(encode(event))
    if "item" in found:
        found["item"] = {k: v for k, v in found["item"].items() if k != "thread_id"}
    return found


def test_events_before_the_first_named_thread_belong_to_it(tmp_path: Path) -> None:
    records = [Record(e.Notice("info", "x")), *numbered({"a": STOPPED})]
    (found,) = rows_of(write_logs(tmp_path, {"log": records}), MAKER)

    assert (found["thread"], found["events"]) == ("a", 4)


def broken(paths: Iterable[Path], **options: Any) -> tuple[list[Any], list[tuple[str, str]]]:
    fold = FileFold(paths, MAKER, processes=1, **options)
    rows = [row for part in fold.rows() for row in part]
    return rows, [(Path(each.path).name, each.reason) for each in fold.broken]


def test_broken_files_are_told_and_left_out(tmp_path: Path) -> None:
    paths = write_logs(tmp_path, {"good": numbered({"a": STOPPED})})
    (tmp_path / "not a log").write_text("nothing\nto see\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "rows").write_bytes(b"PAR1" + paths[0].read_bytes())
    paths += [tmp_path / name for name in ("not a log", "missing", "folder", "rows")]
    rows, found = broken(paths)

    assert [row["thread"] for row in rows] == ["a"]
    assert [name for name, _ in found] == ["folder", "missing", "not a log", "rows"]
    assert [reason for _, reason in found][:2] == ["it is a folder", "No such file or directory"]
    assert found[2][1].startswith("nothing in it is a ChatKit event (line 1:")
    assert found[3][1].startswith("it is a Parquet file:")


def test_a_damaged_end_is_an_anomaly_and_the_rest_counts(tmp_path: Path) -> None:
    (path,) = write_logs(tmp_path, {"log.gz": numbered({"a": STOPPED * 50})})
    whole = gzip.compress(path.read_bytes() + os.urandom(20_000).hex().encode())
    path.write_bytes(whole[: len(whole) * 3 // 4])
    rows, found = broken([path])

    assert (found, len(rows)) == ([], 1)
    assert rows[0]["events"] == 150


def test_text_that_is_not_an_event_is_an_anomaly(tmp_path: Path) -> None:
    (path,) = write_logs(tmp_path, {"log": numbered({"a": STOPPED})})
    path.write_bytes(path.read_bytes() + b'{"type": \nhello\n')
    ((row,), found) = broken([path])

    assert (found, row["events"], row["anomalies"]) == ([], 3, 2)


def test_a_disk_that_is_full_is_one_clear_error(tmp_path: Path) -> None:
    paths = write_logs(tmp_path, {"log": numbered({"a": STOPPED})})
    spill = Spill(tmp_path / "missing", 1, "x")

    with pytest.raises(SpillError, match="expected room for the events"):
        spill.take([Arrival("a", 0, 0, 0, 0, None, STOPPED[0])])
    assert paths


def test_no_files_are_no_rows() -> None:
    assert list(FileFold([], MAKER, processes=1).rows()) == []


def test_the_number_of_processes_must_be_positive() -> None:
    with pytest.raises(ValueError, match="expected at least 1 process, got 0"):
        FileFold([], MAKER, processes=0)


def test_partitions_are_gone_afterwards(tmp_path: Path) -> None:
    paths = write_logs(tmp_path, {"log": numbered({"a": STOPPED})})
    (tmp_path / "partitions").mkdir()
    list(FileFold(paths, MAKER, processes=1, folder=tmp_path / "partitions").rows())

    assert list((tmp_path / "partitions").iterdir()) == []
