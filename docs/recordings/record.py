"""Record the responses of the real `openai-chatkit` server, and its store after each of them.

    python docs/recordings/record.py [--only NAME] [OUT_DIR]

It needs openai-chatkit, openai-agents, starlette and uvicorn, and no network beyond the loopback
interface. Each scenario gives NAME.sse (the body of the response, byte for byte) and
NAME.store.json (the store afterwards). A scenario with an earlier response also gives
NAME.before.json (the store before the recorded request). Every run gives the same bytes. OUT_DIR
is the folder of this file when it is not given.
"""

import argparse
import json
import logging
import os
import sys
from pathlib import Path

from recorder.client import send
from recorder.clock import steady_clock
from recorder.scenario import THREAD_ID, Scenario
from recorder.scenarios import SCENARIOS
from recorder.server import RecordedServer, running
from recorder.store import JsonObject, MemoryStore

HERE = Path(__file__).parent


def main() -> None:
    arguments = _arguments()
    _fix_the_order_of_sets()
    # The SDK logs the errors which some of the scenarios are made of.
    logging.disable()
    arguments.out_dir.mkdir(parents=True, exist_ok=True)
    for scenario in SCENARIOS:
        if arguments.only in (None, scenario.name):
            print(record(scenario, arguments.out_dir))


def record(scenario: Scenario, out_dir: Path) -> str:
    """Record one scenario and write its files; return a line about them."""
    store = MemoryStore(write_delay=scenario.write_delay)
    server = RecordedServer(store)
    *earlier, last = scenario.turns
    with steady_clock(), running(server) as port:
        for turn in earlier:
            server.responder = turn.responder
            send(port, turn.request)
        if earlier:
            _write(out_dir / f"{scenario.name}.before.json", store.snapshot(THREAD_ID))
        server.responder = last.responder
        body = send(port, last.request, scenario.stop)
    # The server has ended, and so has its reaction to a client that left.
    (out_dir / f"{scenario.name}.sse").write_bytes(body)
    _write(out_dir / f"{scenario.name}.store.json", store.snapshot(THREAD_ID))
    events = body.count(b"\n\n")
    return f"{scenario.name}: {events} events, {len(body)} bytes"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Record real ChatKit responses.")
    parser.add_argument("--only", metavar="NAME", choices=[scenario.name for scenario in SCENARIOS])
    parser.add_argument("out_dir", metavar="OUT_DIR", type=Path, nargs="?", default=HERE)
    return parser.parse_args()


def _fix_the_order_of_sets() -> None:
    """Start again with a fixed hash seed.

    The SDK removes the items that a guardrail rejected, in the order of a set.
    """
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.execve(
            sys.executable, [sys.executable, *sys.argv], {**os.environ, "PYTHONHASHSEED": "0"}
        )


def _write(path: Path, snapshot: JsonObject) -> None:
    path.write_text(json.dumps(snapshot, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
