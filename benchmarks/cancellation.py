"""`python -m benchmarks.cancellation`: two servers, cancelled at every point of one exchange.

The server of the official SDK and `ReducerChatKitServer` give the same scripted answer, with the
same store, whose writes suspend. Each is stopped at each of its suspension points, in every way,
and then its store is compared with the settlement that the policy gives for the events that the
client had received.

When not to believe it: it counts points, not people. How often a real exchange is cut at a point
depends on how long it waits there, and a fast store waits less.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
import warnings
from typing import Any

from chatkit_reducer.core.policy.table import Policy
from chatkit_reducer.policies import PRESETS
from chatkit_reducer.testing.cancellation import FindingKind, Report, Way, cancel_everywhere

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # the SDK warns of its own widgets
    from chatkit.server import ChatKitServer

    from chatkit_reducer.integrations.openai_chatkit import ReducerChatKitServer
    from chatkit_reducer.testing.chatkit_server import server_exchange

_COLUMNS = {
    "lost": FindingKind.LOST,
    "no marker": FindingKind.MARKER_MISSING,
    "twice": FindingKind.WRITTEN_TWICE,
}


def _reports(policy: Policy) -> dict[str, Report]:
    chosen = policy

    class Server(ReducerChatKitServer[Any]):
        policy = chosen

    return {
        "ChatKitServer": cancel_everywhere(lambda: server_exchange(ChatKitServer, policy=policy)),
        "ReducerChatKitServer": cancel_everywhere(lambda: server_exchange(Server)),
    }


def _print(reports: dict[str, Report]) -> None:
    width = 46
    print(" " * 23 + "".join(f"{name:<{width}}" for name in reports).rstrip())
    titles = "".join(f"{title:>11}" for title in ("points", *_COLUMNS))
    print(" " * 18 + "".join(f"{titles:<{width}}" for _ in reports).rstrip())
    ways = [way for way in Way if any(way in report.points for report in reports.values())]
    for way in ways:
        cells = "".join(f"{_row(report, way):<{width}}" for report in reports.values())
        print(f"{way:<18}{cells}".rstrip())


def _row(report: Report, way: Way) -> str:
    if way not in report.points:
        return f"{'-':>11}"
    counts = [report.points[way], *(report.count(kind, way) for kind in _COLUMNS.values())]
    return "".join(f"{number:>11}" for number in counts)


def main() -> int:
    """Cancel both servers everywhere and print the table; return 1 if the second loses anything."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cancellation", description=__doc__)
    parser.add_argument("--policy", choices=PRESETS, default="sdk", help="what should survive")
    options = parser.parse_args()
    logging.disable()  # each exception that is thrown on purpose would be logged
    started = time.perf_counter()
    reports = _reports(PRESETS[options.policy])
    _print(reports)
    print(f"policy {options.policy}, {time.perf_counter() - started:.1f} s")
    return 1 if reports["ReducerChatKitServer"].findings else 0


if __name__ == "__main__":
    sys.exit(main())
