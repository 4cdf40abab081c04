"""`python -m benchmarks`: one table, and exit status 1 where a gate does not hold.

When not to believe it: the times are of one process on one machine, the texts are short, everything
is in memory. Ratios between rows of one run can be compared between machines; times cannot.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.cases import CASES, Row

_TITLES = ("", "measured", "gate", "goal", "")


def main() -> int:
    """Run the benchmarks that were asked for, and print the table"""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("group", nargs="*", help=f"of {', '.join(CASES)}; all if left out")
    parser.add_argument("--rounds", type=int, default=15, help="how often each case runs (15)")
    options = parser.parse_args()
    unknown = set(options.group) - set(CASES)
    if unknown:
        parser.error(f"no such group: {', '.join(sorted(unknown))}")
    rows: list[Row] = []
    _print(_TITLES)
    for name in options.group or CASES:
        for row in CASES[name](options.rounds):
            rows.append(row)
            _print(_cells(row))
    return 0 if all(row.holds for row in rows) else 1


def _cells(row: Row) -> tuple[str, ...]:
    verdict = "" if row.gate is None else "ok" if row.holds else "GATE MISSED"
    if verdict == "ok" and row.goal is not None and row.value <= row.goal:
        verdict = "ok, goal reached"
    numbers = [_number(row.value, row.unit), _number(row.gate), _number(row.goal)]
    return (row.name, *numbers, f"{verdict}  {row.note}".rstrip())


def _number(value: float | None, unit: str = "") -> str:
    if value is None:
        return ""
    text = (
        f"1/{1 / value:.0f}" if value < 0.1 else f"{value:.2f}" if value < 100 else f"{value:.0f}"
    )
    return f"{text} {unit}".strip()


def _print(cells: tuple[str, ...]) -> None:
    print("{:<58} {:>10} {:>8} {:>8}  {}".format(*cells).rstrip(), flush=True)


if __name__ == "__main__":
    sys.exit(main())
