"""`python -m benchmarks.fleet`: the time and the memory that a fleet's logs take, by engine.

    python -m benchmarks.fleet                        # 10^6 events, one and two processes
    python -m benchmarks.fleet --events 10000000
    python -m benchmarks.fleet --engines              # DuckDB, Polars, Dask and Spark as well

The logs are made: threads of 47 events (an answer in 40 deltas, a workflow, in one of seven threads
a stop in the middle), in 64 files, 64 threads interleaved at a time. The engines read the same
events from Parquet files, which are made once and not measured. Each measurement is a process of
its own; the peak is that of its largest process, where it has several. All give equal totals.

When not to believe it: the files have just been written, so that reading costs no disk. Compare
rows of one run only.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from chatkit_reducer.fleet import FileFold, RowMaker, Totals, fold_batches

_POLICIES = ("sdk", "keep", "drop")
_CAUSES = ("crashed",)
_QUESTION: dict[str, Any] = {"policies": _POLICIES, "causes": _CAUSES, "order": "seq"}
_FILES = 64
_AT_ONCE = 64
_EACH = 47
_STOPPED = 7  # one thread of so many is stopped


def main() -> None:
    """Print a row for each way to fold the logs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="how many (1,000,000)")
    parser.add_argument("--engines", action="store_true", help="measure the engines, too")
    parser.add_argument("--folder", help="where the logs are made, and stay")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run is not None:
        print(json.dumps(_measured(options.run, Path(options.folder))))
        return
    with contextlib.ExitStack() as stack:
        folder = options.folder or stack.enter_context(tempfile.TemporaryDirectory())
        _print_all(Path(folder), options.events, with_engines=options.engines)


def _print_all(folder: Path, events: int, *, with_engines: bool) -> None:
    made = make_logs(folder, events // _EACH)
    size = sum(path.stat().st_size for path in folder.glob("*.jsonl"))
    print(f"{made:,} events, {made // _EACH:,} threads, {_FILES} files, {size / 1e6:,.0f} MB")
    names = ["processes=1", "processes=2"]
    if with_engines:
        make_tables(folder)
        names += list(_ENGINES)
    print(f"{'':<16}{'us an event':>14}{'of cores':>11}{'ratio':>9}{'peak MB':>10}")
    first: Any = None
    for name in names:
        one = _in_a_process(name, folder)
        first = first or one
        assert one["answer"] == first["answer"], f"{name} gives another answer"
        each, cpu = one["seconds"] / made * 1e6, one["cpu"] / made * 1e6
        ratio = one["seconds"] / first["seconds"]
        figures = f"{each:>14.2f}{cpu:>11.2f}{ratio:>9.2f}{one['peak'] / 1024:>10,.0f}"
        print(f"{name:<16}{figures}", flush=True)


def _in_a_process(name: str, folder: Path) -> Any:
    command = [sys.executable, "-m", "benchmarks.fleet", "--folder", str(folder), "--run", name]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout.splitlines()[-1])


def _measured(name: str, folder: Path) -> dict[str, Any]:
    begun = time.perf_counter()
    totals = Totals.of(_ways()[name](folder))
    seconds = time.perf_counter() - begun
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(each.ru_utime + each.ru_stime for each in used)
    peak = max(each.ru_maxrss for each in used)
    return {"seconds": seconds, "cpu": cpu, "peak": peak, "answer": _answer(totals)}


def _answer(totals: Totals) -> str:
    """A digest of totals: equal for equal ones."""
    tallies = [(asked, totals.tally(asked)) for asked in sorted(totals.asked)]
    counts = totals.threads, totals.events, totals.anomalies, sorted(totals.endings.items())
    losses = [(name, [one.thread for one in totals.worst(name)]) for name in _POLICIES]
    return hashlib.sha256(repr((counts, tallies, losses)).encode()).hexdigest()


# --- the logs -------------------------------------------------------------------------------------


def make_logs(folder: Path, threads: int) -> int:
    """Write the logs of so many threads, if they are not there; return how many events."""
    folder.mkdir(parents=True, exist_ok=True)
    if not list(folder.glob("*.jsonl")):
        for number in range(_FILES):
            with (folder / f"{number:02}.jsonl").open("w") as file:
                file.writelines(_lines(range(number, threads, _FILES)))
    return sum(_length(number) for number in range(threads))


def _length(thread: int) -> int:
    return _EACH - 6 if thread % _STOPPED == 0 else _EACH


def _lines(threads: Iterable[int]) -> Iterator[str]:
    """Yield the entries of threads, so many threads at a time, one entry of each in turn."""
    waiting = iter(threads)
    while some := list(islice(waiting, _AT_ONCE)):
        streams = [list(_entries(thread)) for thread in some]
        for turn in range(_EACH):
            for stream in streams:
                if turn < len(stream):
                    yield stream[turn]


def _entries(thread: int) -> Iterator[str]:
    for seq, event in enumerate(islice(_events(thread), _length(thread))):
        time = 1764430000 + thread // 100 + seq / 50
        yield f'{{"seq": {seq}, "time": {time}, "thread": "thr_{thread}", "event": {event}}}\n'


def _events(thread: int) -> Iterator[str]:
    about = f'"thread_id": "thr_{thread}", "created_at": "2026-11-01T12:00:00"'
    ask = f'"id": "u{thread}", "type": "user_message", "content": [], "attachments": []'
    yield f'{{"type": "thread.item.done", "item": {{{ask}, {about}}}}}'
    flow = f'"id": "w{thread}", "type": "workflow", {about}'
    tasks = '{"type": "custom", "tasks": []}'
    yield f'{{"type": "thread.item.added", "item": {{{flow}, "workflow": {tasks}}}}}'
    task = '{"type": "custom", "title": "Search"}'
    added = f'{{"type": "workflow.task.added", "task_index": 0, "task": {task}}}'
    yield f'{{"type": "thread.item.updated", "item_id": "w{thread}", "update": {added}}}'
    message = f'"id": "m{thread}", "type": "assistant_message", {about}'
    yield f'{{"type": "thread.item.added", "item": {{{message}, "content": []}}}}'
    for number in range(40):
        delta = f'"content_index": 0, "delta": " word {number}"'
        update = f'{{"type": "assistant_message.content_part.text_delta", {delta}}}'
        yield f'{{"type": "thread.item.updated", "item_id": "m{thread}", "update": {update}}}'
    yield f'{{"type": "thread.item.done", "item": {{{message}, "content": []}}}}'
    tasks = f'{{"type": "custom", "tasks": [{task}]}}'
    yield f'{{"type": "thread.item.done", "item": {{{flow}, "workflow": {tasks}}}}}'
    yield '{"type": "notice", "level": "info", "message": "done"}'


def make_tables(folder: Path) -> None:
    """Write the same events as Parquet files, if they are not there."""
    import duckdb

    if not list(folder.glob("*.parquet")):
        columns = "{thread: 'VARCHAR', seq: 'BIGINT', event: 'VARCHAR'}"
        for path in sorted(folder.glob("*.jsonl")):
            lines = f"read_json('{path}', format='newline_delimited', columns={columns})"
            target = f"'{path.with_suffix('.parquet')}' (format parquet, compression zstd)"
            duckdb.sql(f"copy (select thread, seq, event from {lines}) to {target}")


# --- the ways -------------------------------------------------------------------------------------


def _ways() -> dict[str, Callable[[Path], Iterable[Any]]]:
    processes = {f"processes={n}": lambda folder, n=n: _by_processes(folder, n) for n in (1, 2)}
    return {**processes, **_ENGINES}


def _by_processes(folder: Path, processes: int) -> Iterator[Any]:
    maker = RowMaker.of(_POLICIES, _CAUSES)
    fold = FileFold(folder.glob("*.jsonl"), maker, processes=processes, folder=folder)
    for rows in fold.rows():
        yield from rows


def _rows_of(batches: Any) -> Iterator[Any]:
    for batch in fold_batches(batches, **_QUESTION):
        yield from batch.to_pylist()


def _by_duckdb(folder: Path) -> Iterator[Any]:
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"set memory_limit = '1GB'; set temp_directory = '{folder}/spill'")
    connection.execute("set threads = 2")
    query = f"select * from '{folder}/*.parquet' order by thread, seq"
    return _rows_of(connection.sql(query))


def _by_polars(folder: Path) -> Iterator[Any]:
    import polars as pl

    return _rows_of(pl.read_parquet(f"{folder}/*.parquet").sort("thread", "seq"))


def _by_dask(folder: Path) -> Iterator[Any]:
    import dask
    import dask.dataframe as dd

    from chatkit_reducer.fleet import row_schema

    dask.config.set(scheduler="processes", num_workers=2)
    ddf = dd.read_parquet(f"{folder}/*.parquet").shuffle("thread")
    empty = row_schema().empty_table().to_pandas()
    # A row holds lists of mappings, which pandas would turn into arrays: they travel as JSON.
    return _decoded(ddf.map_partitions(_dask_rows, meta=empty[["thread"]]).compute()["thread"])


def _dask_rows(part: Any) -> Any:
    import pandas as pd
    import pyarrow as pa

    table = pa.Table.from_pandas(part.sort_values(["thread", "seq"]), preserve_index=False)
    return pd.DataFrame({"thread": [json.dumps(row) for row in _rows_of(table)]})


def _decoded(texts: Iterable[str]) -> Iterator[Any]:
    return map(json.loads, texts)


def _by_spark(folder: Path) -> Iterator[Any]:
    import pyarrow.dataset as ds
    from pyspark.sql import SparkSession

    from chatkit_reducer.fleet import spark

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    session = builder.config("spark.driver.host", "127.0.0.1").getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    rows = spark.fold(session.read.parquet(f"{folder}/*.parquet"), **_QUESTION, partitions=16)
    rows.write.mode("overwrite").parquet(f"{folder}/rows")
    session.stop()
    for batch in ds.dataset(f"{folder}/rows").to_batches():
        yield from batch.to_pylist()


_ENGINES: dict[str, Callable[[Path], Iterable[Any]]] = {
    "DuckDB": _by_duckdb,
    "Polars": _by_polars,
    "Dask": _by_dask,
    "Spark": _by_spark,
}


if __name__ == "__main__":
    main()
