"""Rows of a Spark DataFrame, with Spark on this machine: those of the other engines."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from chatkit_reducer import encode
from chatkit_reducer.events import Event
from chatkit_reducer.fleet import Privacy, RowMaker, row_schema, spark
from chatkit_reducer.testing.examples import (
    added,
    done,
    message,
    task,
    task_added,
    text_delta,
    workflow,
)
from tests.support.fleets import CAUSES, POLICIES, in_order, without_places
from tests.support.paths import ROOT

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::FutureWarning:pyspark")

MAKER = RowMaker.of(POLICIES, CAUSES, stops="all", items=True)
ASKED: dict[str, Any] = {"policies": POLICIES, "causes": CAUSES, "order": "seq"}


@pytest.fixture(scope="module")
def session() -> Iterator[SparkSession]:
    """A session that is started once."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.executorEnv.PYTHONPATH", paths)
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()


def streams() -> dict[str, list[Event]]:
    threads: dict[str, list[Event]] = {}
    for n in range(40):
        events: list[Event] = [added(message(f"m{n}", ""))]
        events += [text_delta(f"m{n}", f"word {k} ") for k in range(n % 7)]
        events += [done(message(f"m{n}", "all"))] if n % 3 == 0 else []
        events += [added(workflow(f"w{n}")), task_added(f"w{n}", task("Plan"), 0)]
        threads[f"thread é {n}"] = events
    return threads


def table(session: SparkSession, rows: list[tuple[Any, ...]]) -> DataFrame:
    return session.createDataFrame(rows, "thread string, seq long, event string")


def test_spark_gives_the_rows_of_the_threads(session: SparkSession) -> None:
    """Out of order, delivered twice, in several partitions, with other columns."""
    rows = [
        (thread, seq, encode(event).decode())
        for thread, events in streams().items()
        for seq, event in enumerate(events)
    ]
    rows += rows[::5]
    random.Random(7).shuffle(rows)
    df = table(session, rows).withColumnRenamed("event", "the.event").withColumn("x", _one())
    found = spark.fold(df, **ASKED, event="the.event", stops="all", items=True, partitions=3)

    assert found.schema.names == row_schema().names
    assert in_order([without_places(row.asDict(recursive=True)) for row in found.collect()]) == (
        in_order([without_places(MAKER.row(events, t)) for t, events in streams().items()])
    )


def _one() -> Any:
    from pyspark.sql.functions import lit

    return lit(1)


def test_bad_entries_are_counted_and_no_partition_is_lost(session: SparkSession) -> None:
    good = encode(added(message("m", ""))).decode()
    rows = [("a", 0, good), ("a", 1, "no JSON"), ("a", 2, None), (None, 0, good), (None, 1, None)]
    found = spark.fold(table(session, rows), **ASKED, privacy=Privacy(id_key=b"k")).collect()
    counts = sorted((row.events, row.anomalies, row.thread is None) for row in found)

    assert counts == [(1, 2, False), (2, 2, True)]


def test_a_wrong_table_is_an_error_before_spark_begins(session: SparkSession) -> None:
    df = session.createDataFrame([(1, "x")], "thread long, text string")

    with pytest.raises(ValueError, match="expected a column 'event', got thread, text"):
        spark.fold(df, policies=["keep"], causes=["crashed"])
    with pytest.raises(TypeError, match="expected column 'thread' to hold text, got int64"):
        spark.fold(df, policies=["keep"], causes=["crashed"], event="text")
    with pytest.raises(ValueError, match="name of a preset"):
        spark.fold(df, policies=["nope"], causes=["crashed"], event="text")


def test_the_example_of_the_page_runs(session: SparkSession, tmp_path: Path) -> None:
    """From raw logs in a folder, which stands for the bucket, to the answer."""
    page = (ROOT / "docs" / "fleet.md").read_text(encoding="utf-8")
    (code,) = [part.split("```")[0] for part in page.split("```python spark\n")[1:]]
    assert "s3a://logs/2026-11/" in code
    names: dict[str, Any] = {"session": session}
    raw = tmp_path / "raw"
    raw.mkdir()
    lines = [
        f'{{"seq": {seq}, "thread": "{thread}", "event": {encode(event).decode()}}}'
        for thread, events in streams().items()
        for seq, event in enumerate(events)
    ]
    (raw / "1.jsonl").write_text("\n".join([*lines[::2], "not JSON"]), encoding="utf-8")
    (raw / "2.jsonl").write_text("\n".join(lines[1::2]), encoding="utf-8")
    exec(code.replace("s3a://logs/2026-11/", f"{raw}/").replace("s3a://", f"{tmp_path}/"), names)

    lost = {row.policy: row.lost_characters for row in names["answer"].collect()}
    assert lost["keep"] == 0 < lost["drop"]
    assert names["rows"].filter("thread is null").collect()[0].events == 1
