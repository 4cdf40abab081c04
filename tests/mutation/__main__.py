"""`python -m tests.mutation`: would a test fail if the core were wrong?

Makes one small change at a time to the core, and runs tests until one of them fails. A change that
none notices survives. survivors.md lists the survivors, with the reason why each may:
exit status 1 where there is one that is not in the list, or the list has one too many.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tests.mutation.mutants import Mutant, Source
from tests.mutation.trial import Verdict, verdicts

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "chatkit_reducer"
PAGE = Path(__file__).with_name("survivors.md")

MODULES = (
    "core/items/*",
    "core/thread/lifecycle",
    "core/thread/reduce",
    "core/thread/contents",
    "core/fold/*",
    "core/policy/settle",
    "core/policy/settlement",
    "core/policy/verdict",
    "core/policy/table",
    "core/policy/presets",
    "core/thread/diff",
    "core/thread/compact",
    "core/codec",
    "core/thread/snapshot",
)
# The tests of the shell and of the test kit reach the core as well, but slowly, and late.
TESTS = (
    "core/**/test_*.py",
    "analysis/test_*.py",
    "docs/test_policy.py",
    "docs/test_semantics.py",
    "logs/test_recordings.py",
    "logs/test_replaying.py",
)
MEMORY = 3 * 1024**3
"""For the list that a loop without an end fills."""


def main() -> int:
    """Tries what was asked for, prints the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument(
        "module", nargs="*", default=MODULES, help="core/codec, core/items/*; all if left out"
    )
    parser.add_argument("--share", type=float, default=1, help="try so many of the mutants (1)")
    parser.add_argument("--seconds", type=float, default=15, help="of tests for each mutant (15)")
    parser.add_argument("--only", default="", help="a pattern for the names of mutants")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="processes (one for each CPU)"
    )
    parser.add_argument("--log", type=Path, help="a file for the test that found each mutant out")
    options = parser.parse_args()
    mutants = [
        mutant
        for mutant in mutants_of(options.module)
        if re.search(options.only, mutant.name) and is_drawn(mutant, options.share)
    ]
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    # Each change to what a module holds imports the package and the tests anew.
    sys.dont_write_bytecode = False
    start = time.perf_counter()
    tried, survivors = Counter[str](), list[Mutant]()
    for mutant, killer in side_by_side(mutants, options.seconds, options.jobs):
        tried[mutant.source.module] += 1
        if killer is None:
            survivors.append(mutant)
        if options.log is not None:
            with options.log.open("a", encoding="utf-8") as log:
                log.write(f"{mutant.name} -> {killer}\n")
    say_table(tried, survivors)
    say(f"\n{time.perf_counter() - start:.0f} s")
    is_whole = len(mutants) == len(mutants_of(MODULES))
    return say_surprises({mutant.name for mutant in survivors}, is_whole=is_whole)


def mutants_of(modules: Iterable[str]) -> list[Mutant]:
    """The mutants of the modules that these names or patterns are for."""
    paths = [path for module in modules for path in sorted(PACKAGE.glob(f"{module}.py"))]
    return [mutant for path in paths for mutant in Source(path, ROOT).mutants]


def side_by_side(mutants: Sequence[Mutant], seconds: float, jobs: int) -> Iterator[Verdict]:
    """What `verdicts` says, from copies of this process, each with a share of the mutants."""
    by_name = {mutant.name: mutant for mutant in mutants}
    reading, writing = os.pipe()
    copies = []
    for job in range(jobs):
        copies.append(os.fork())
        if copies[-1] == 0:
            with os.fdopen(writing, "w", buffering=1) as lines:
                for mutant, killer in verdicts(mutants[job::jobs], tests(), seconds):
                    lines.write(json.dumps([mutant.name, killer]) + "\n")
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as lines:  # a short line is never mixed with that of another process
        for name, killer in map(json.loads, lines):
            yield by_name[name], killer
    if any(os.waitpid(copy, 0)[1] for copy in copies):
        raise RuntimeError("one of the processes has failed: it says why above")


def is_drawn(mutant: Mutant, share: float) -> bool:
    """Whether the mutant is one of those to try: the same in every run."""
    return hashlib.sha256(mutant.name.encode()).digest()[0] < share * 256


def tests() -> list[str]:
    """The files of tests that are about the core."""
    folder = ROOT / "tests"
    return [str(path) for pattern in TESTS for path in sorted(folder.glob(pattern))]


def say(text: str) -> None:
    """Prints a line."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def say_table(tried: Counter[str], survivors: list[Mutant]) -> None:
    """Prints how many mutants of each module were found out."""
    survived = Counter(mutant.source.module for mutant in survivors)
    say(f"{'':<44} {'tried':>7} {'killed':>7} {'survived':>9} {'':>6}")
    rows = [(module, tried[module], survived[module]) for module in sorted(tried)]
    for name, of, left in [*rows, ("all", tried.total(), survived.total())]:
        say(f"{name:<44} {of:>7} {of - left:>7} {left:>9} {(of - left) / max(of, 1):>7.1%}")


def say_surprises(names: set[str], *, is_whole: bool) -> int:
    """Prints where the survivors are not those in the list; 1 if there is such a place."""
    listed = set(re.findall(r"^\* (`.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    gone = listed - names if is_whole else set[str]()
    for title, some in (("not in the list", names - listed), ("in the list, and killed", gone)):
        if some:
            say("\n".join(["", f"{title}:", "", *(f"* {name}" for name in sorted(some))]))
    return 1 if names - listed or gone else 0


if __name__ == "__main__":
    sys.exit(main())
