"""Reading at the end of a response: no hint is lost, and no answer older than its question."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_reducer.journal.tailing import Hints, Page, Shared, tail


def test_a_hint_that_comes_while_a_reader_looks_is_kept() -> None:
    async def body() -> list[tuple[int, bytes]]:
        hints = Hints()
        pages = [Page(0, [], 0, closed=False), Page(1, [b"{}"], 1, closed=True)]

        async def fetch(question: tuple[str, int]) -> Page:
            page = pages.pop(0)
            hints.wake("r")  # the record comes behind what this look has seen
            await asyncio.sleep(0)
            return page

        async with asyncio.timeout(30):
            records = tail(fetch, "r", 0, hints=hints, pause=lambda: 1000.0)
            return [pair async for pair in records]

    assert asyncio.run(body()) == [(1, b"{}")]


def test_those_who_ask_the_same_at_a_time_get_one_answer() -> None:
    async def body() -> None:
        asked: list[int] = []

        async def ask(question: int) -> int:
            asked.append(question)
            await asyncio.sleep(0.01)
            if question < 0:
                raise ValueError("no")
            return question * 2

        shared = Shared(ask)
        together = [asyncio.create_task(shared(1)) for _ in range(10)]
        await asyncio.sleep(0)
        together[0].cancel()  # whom the others do not depend on
        assert await asyncio.gather(*together[1:], shared(2)) == [2] * 9 + [4]
        assert asked == [1, 2]
        results = await asyncio.gather(shared(-1), shared(-1), return_exceptions=True)
        assert [type(result) for result in results] == [ValueError] * 2
        assert await shared(1) == 2
        assert asked == [1, 2, -1, 1]

    asyncio.run(body())


@given(st.lists(st.integers(0, 4), max_size=12), st.integers(0, 4), st.integers(0, 4))
def test_no_answer_is_older_than_its_question(pauses: list[int], before: int, behind: int) -> None:
    """Whoever asks behind a write gets an answer that knows of it, however many ask."""

    async def steps(count: int) -> None:
        for _ in range(count):
            await asyncio.sleep(0)

    async def body() -> None:
        written = 0

        async def ask(_: str) -> int:
            await steps(before)
            found = written
            await steps(behind)
            return found

        shared = Shared(ask)

        async def read() -> None:
            at_least = written
            assert await shared("r") >= at_least

        readers = []
        for pause in pauses:
            readers.append(asyncio.create_task(read()))
            await steps(pause)
            written += 1
        await asyncio.gather(*readers)
        await shared.aclose()

    asyncio.run(body())


def test_at_the_end_no_question_is_left() -> None:
    async def body() -> None:
        async def ask(_: str) -> None:
            await asyncio.Event().wait()

        shared = Shared(ask)
        readers = [asyncio.create_task(shared("sent"))]
        await asyncio.sleep(0.001)
        readers.append(asyncio.create_task(shared("not sent")))
        await asyncio.sleep(0)
        await shared.aclose()
        assert all(
            isinstance(result, asyncio.CancelledError)
            for result in await asyncio.gather(*readers, return_exceptions=True)
        )
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(body())


def test_a_reader_that_leaves_is_not_woken() -> None:
    hints = Hints()
    with pytest.raises(ValueError, match="away"), hints.watch("r"):
        assert list(hints.responses) == ["r"]
        raise ValueError("away")
    assert list(hints.responses) == []
    hints.wake("r")
    hints.wake_all()
