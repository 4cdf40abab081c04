"""A server is killed in mid-answer and started again: all that its clients saw is in its store.

`nox -s nightly` kills each server 50 times; KILLED_SERVERS=7 does it 7 times.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chatkit_reducer.journal import FileJournal
from tests.integrations.openai_chatkit.test_real_servers import (
    SERVERS,
    Client,
    Server,
    Stored,
    assert_sound,
    eventually,
    lost,
    run,
    tell,
    text_of,
)
from tests.support.effort import others_slow
from tests.support.real_servers.journaled_app import answers_of, database_of

KILLS = int(os.environ.get("KILLED_SERVERS", "2"))
"""How often each server is killed."""
CLIENTS = 8
MOST_EVENTS = 80
"""How many events a client has at most, on average, when the server is killed."""


class Killable(Server):
    """A server with a journal and a database that outlive it."""

    app = "tests.support.real_servers.journaled_app:app"

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(name, folder)
        self.place = folder / "journal"

    async def is_recovered(self) -> bool:
        return await FileJournal(answers_of(self.place)).find() == []

    def stored(self) -> dict[str, Stored]:
        threads: dict[str, Stored] = {}
        with closing(sqlite3.connect(database_of(self.place))) as database:
            for thread, text in database.execute("SELECT thread, json FROM items ORDER BY rowid"):
                item: Any = json.loads(text)
                stored = threads.setdefault(thread, Stored())
                stored.items[item["id"]] = item
                stored.adds[item["id"]] += 1
        return threads


async def kill_in_mid_answer(server: Killable, number: int) -> list[Client]:
    chance = random.Random(f"{server.name} {number}")
    clients = [Client(f"thr_{number}_{each}") for each in range(CLIENTS)]
    enough = chance.randint(1, MOST_EVENTS)

    async def visit(client: Client) -> None:
        query = {"pause": 0.005, "write_seconds": chance.choice([0.0, 0.003])}
        size = chance.choice([100, 65536])
        await client.ask(server.port, query)
        while not client.ended:
            await client.read(size)
        client.leave()

    async def have_enough() -> bool:
        return sum(client.seen.events for client in clients) >= enough * CLIENTS

    visits = [asyncio.create_task(visit(client)) for client in clients]
    await eventually(have_enough, pause=0.002)
    server.kill()
    await asyncio.gather(*visits)
    return clients


def is_in_mid_answer(client: Client) -> bool:
    """Whether an item had begun that was not done."""
    return client.seen.items.keys() > client.seen.done


def assert_recovered(client: Client, stored: Stored) -> None:
    assert lost(client.seen, stored) == []
    assert_sound(stored)
    for item_id in client.seen.done:
        assert text_of(stored.items[item_id]) == text_of(client.seen.items[item_id])


@pytest.mark.parametrize("name", others_slow(*SERVERS))
def test_nothing_that_was_seen_is_lost_when_the_server_is_killed(name: str, tmp_path: Path) -> None:
    server = Killable(name, tmp_path)
    clients: list[Client] = []

    async def scenario() -> None:
        await server.start()
        for number in range(KILLS):
            clients.extend(await kill_in_mid_answer(server, number))
            await server.start()
            assert await eventually(server.is_recovered)

    try:
        run(scenario(), seconds=60.0 * (KILLS + 1))
    finally:
        server.kill()
    stored = server.stored()
    for client in clients:
        assert_recovered(client, stored.get(client.thread_id, Stored()))
    in_mid_answer = sum(map(is_in_mid_answer, clients))
    events = sum(client.seen.events for client in clients)
    tell(
        f"{name}, {KILLS} kills: {len(clients)} clients, {in_mid_answer} in mid-item, kept all "
        f"of {events} events"
    )
    assert in_mid_answer >= KILLS
