"""How a mutant meets the tests.

Both ways begin with a copy of a process (`os.fork`), which the mutant may ruin:

* A change inside a function is put into a process that has collected the tests already, and meets
  only those that come by its line, the likely ones first. Most are found out in milliseconds.
* A change to what a module holds (a table, a default), or to a function that runs only when a
  module is imported, has to be there by then: its process imports the package anew.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import json
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, TextIO, TypeAlias

import coverage
import pytest
from _pytest.runner import runtestprotocol
from hypothesis import HealthCheck, Phase, settings

from tests.mutation.mutants import Mutant

__all__ = ["Verdict", "verdicts"]

Verdict: TypeAlias = "tuple[Mutant, str | None]"
"""A mutant, and what found it out: a test or a signal; None if it survived."""

SECONDS = 5
"""How long a test may take: ten times as long as without a change, but at least this."""
SECONDS_FOR_ALL = 120
"""How long all tests may take, for a process that runs all. It is twice as long as they do."""

_ROOT = Path(__file__).parents[2]
_OPTIONS = ("--assert=plain", "-p", "no:cacheprovider", "-p", "no:xdist", f"--rootdir={_ROOT}")

# No shrinking, because that there is a counterexample is all that is asked here. The same examples
# for each mutant, and no database: what one has taught must not help against the next.
for _name, _examples in (("mutation", 25), ("mutation-few", 8)):
    settings.register_profile(
        _name,
        max_examples=_examples,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )

_AT_IMPORT = "no test comes by"

_Functions: TypeAlias = "dict[tuple[str, int], list[FunctionType]]"
_Codes: TypeAlias = "dict[tuple[str, int], CodeType]"


def verdicts(mutants: Sequence[Mutant], tests: Sequence[str], seconds: float) -> Iterator[Verdict]:
    """What becomes of each mutant: first those in functions, then the others.

    Args:
        mutants: what to try.
        tests: the files to try it with.
        seconds: give up on a mutant in a function when tests have run for so long.

    Raises:
        RuntimeError: a test fails without any change.
    """
    inside = [mutant for mutant in mutants if mutant.is_in_function]
    outside = [mutant for mutant in mutants if not mutant.is_in_function]
    for mutant, killer in _of_functions(inside, tests, seconds) if inside else ():
        if killer == _AT_IMPORT:
            outside.append(mutant)
        else:
            yield mutant, killer
    if outside and (failing := _of_module(None, tests)) is not None:
        raise RuntimeError(f"without any change: {failing}")
    for mutant in outside:
        yield mutant, _of_module(mutant, tests)


def _pytest(arguments: Sequence[str], plugin: object) -> int:
    return pytest.main([*_OPTIONS, *arguments], plugins=[plugin])


# --- what a module holds --------------------------------------------------------------------------


def _of_module(mutant: Mutant | None, tests: Sequence[str]) -> str | None:
    def run() -> str | None:
        os.environ["HYPOTHESIS_PROFILE"] = "mutation-few"
        if mutant is not None:
            sys.meta_path.insert(0, _Finder(mutant))
        _import_anew("chatkit_reducer")
        noticing = _Noticing()
        # To collect the tests takes longer than to fail.
        for some in filter(None, _likely_first(mutant, tests)):
            status = _pytest(["-x", *some], noticing)
            if status != 0:
                return noticing.failed or f"pytest ended with status {status}"
        return None

    return _in_a_copy(run, seconds=SECONDS_FOR_ALL)


def _likely_first(mutant: Mutant | None, tests: Sequence[str]) -> list[list[str]]:
    """Return the tests of the module, those of the others in its room, and all others."""
    *_, room, name = ["", ""] if mutant is None else mutant.source.module.split(".")
    found: list[list[str]] = [[], [], []]
    for path in tests:
        is_of_module = Path(path).stem.startswith(f"test_{name}")
        found[2 if Path(path).parent.name != room else 0 if is_of_module else 1].append(path)
    return found


def _import_anew(package: str) -> None:
    """Leave nothing of a package that Hypothesis has imported, because it is a plugin of it."""
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[name]
    importlib.import_module(f"{package}.testing.registration").register()


class _Noticing:
    """Notes the first test that fails."""

    def __init__(self) -> None:
        self.failed: str | None = None

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and self.failed is None:
            self.failed = report.nodeid

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and self.failed is None:
            self.failed = report.nodeid


class _Finder:
    """Imports one module with a change, and all others as usual."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(
        self, name: str, path: object, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        source = self._mutant.source
        if name != source.module:
            return None
        loader = _Loader(name, str(source.path))
        loader.mutant = self._mutant
        return importlib.util.spec_from_file_location(name, source.path, loader=loader)


class _Loader(SourceFileLoader):
    mutant: Mutant

    def get_code(self, fullname: str) -> CodeType:
        return self.mutant.compiled()


# --- what a function does -------------------------------------------------------------------------


def _of_functions(
    mutants: Sequence[Mutant], tests: Sequence[str], seconds: float
) -> Iterator[Verdict]:
    reading, writing = os.pipe()
    child = os.fork()  # because this process must not import the package
    if child == 0:
        os.close(reading)
        _in_silence()
        with os.fdopen(writing, "w", buffering=1) as results:
            os.environ["HYPOTHESIS_PROFILE"] = "mutation"
            _pytest(tests, _Loop(mutants, results, seconds))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as lines:
        for line in lines:
            number, killer = json.loads(line)
            if number is None:
                raise RuntimeError(f"without any change: {killer}")
            yield mutants[number], killer
    os.waitpid(child, 0)


class _Loop:
    """Runs the tests once, to see where they come by, and then some of them for each mutant."""

    def __init__(self, mutants: Sequence[Mutant], results: TextIO, seconds: float) -> None:
        self._mutants = mutants
        self._results = results
        self._limit = seconds
        self._items: list[pytest.Item] = []
        self._seconds: list[float] = []
        self._by_line: dict[tuple[Path, int], set[int]] = {}
        self._killers: dict[str, list[int]] = defaultdict(list)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """In place of pytest's own: it knows what was collected."""
        self._items = session.items
        self._run_all()
        for source in {id(mutant.source): mutant.source for mutant in self._mutants}.values():
            live, plain = _live(source.path), _codes(source.compiled())
            _forget(source.path)
            for number, mutant in enumerate(self._mutants):
                if mutant.source is source:
                    self._report(number, self._killer(mutant, live, plain))
        return True

    def _report(self, number: int | None, killer: str | None) -> None:
        self._results.write(json.dumps([number, killer]) + "\n")

    def _run_all(self) -> None:
        paths = sorted({mutant.source.path for mutant in self._mutants})
        watch = coverage.Coverage(data_file=None, config_file=False, include=[*map(str, paths)])
        watch.start()
        for number, item in enumerate(self._items):
            watch.switch_context(str(number))
            start = time.process_time()
            if _fails(item):
                self._report(None, item.nodeid)
            self._seconds.append(time.process_time() - start)
        watch.stop()
        data = watch.get_data()
        for path in paths:
            for line, contexts in data.contexts_by_lineno(str(path)).items():
                self._by_line[path, line] = {int(number) for number in contexts if number}

    def _killer(self, mutant: Mutant, live: _Functions, plain: _Codes) -> str | None:
        """The test that notices, if one does."""
        changed = [
            (function, code)
            for key, code in _codes(mutant.compiled()).items()
            if code != plain[key]
            for function in live.get(key, ())
        ]
        order = self._order(mutant)

        def run() -> str | None:
            for function, code in changed:
                function.__code__ = code
            start = time.process_time()
            for number in order:
                if time.process_time() - start > self._limit:
                    return None
                signal.setitimer(signal.ITIMER_PROF, max(SECONDS, 10 * self._seconds[number]))
                if _fails(self._items[number]):
                    return str(number)
            return None

        if changed and not order:
            return _AT_IMPORT
        killer = _in_a_copy(run) if changed else None
        if killer is None or not killer.isdecimal():
            return killer
        for place in (mutant.where, mutant.source.module):
            self._killers[place].append(int(killer))
        return self._items[int(killer)].nodeid

    def _order(self, mutant: Mutant) -> list[int]:
        """The tests that come by: first those that noticed others in this function, then the quick.

        A line that is the middle of an expression may have no code of its own.
        """
        path, numbers = mutant.source.path, set[int]()
        for line in mutant.lines:
            if numbers := self._by_line.get((path, line), set()):
                break
        likely = [*self._killers[mutant.source.module], *self._killers[mutant.where]]
        newest = {number: place for place, number in enumerate(likely)}
        return sorted(numbers, key=lambda n: (-newest.get(n, -1), self._seconds[n]))


def _fails(item: pytest.Item) -> bool:
    return any(report.failed for report in runtestprotocol(item, log=False, nextitem=None))


def _live(path: Path) -> _Functions:
    """The functions of a file by name and first line; of one inside another there may be many."""
    found: _Functions = defaultdict(list)
    for function in gc.get_objects():
        if isinstance(function, FunctionType) and function.__code__.co_filename == str(path):
            code = function.__code__
            found[code.co_qualname, code.co_firstlineno].append(function)
    return found


def _forget(path: Path) -> None:
    """Empty the caches of the functions of a file: they hold what no mutant has made."""
    for cached in gc.get_objects():
        inner = cached.__wrapped__ if isinstance(cached, _CACHED) else None
        if isinstance(inner, FunctionType) and inner.__code__.co_filename == str(path):
            cached.cache_clear()


_CACHED: Any = type(cache(lambda: None))


def _codes(code: CodeType) -> _Codes:
    """The code of all functions in the code of a module."""
    found: _Codes = {}
    todo = [code]
    while todo:
        for inner in todo.pop().co_consts:
            if isinstance(inner, CodeType):
                found[inner.co_qualname, inner.co_firstlineno] = inner
                todo.append(inner)
    return found


# --- processes ------------------------------------------------------------------------------------


def _in_silence() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def _in_a_copy(run: Callable[[], str | None], *, seconds: float = 0) -> str | None:
    """What a function returns in a copy of this process."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _in_silence()
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, seconds)
        try:
            result = json.dumps(run())
        except BaseException as error:  # noqa: BLE001  # whatever a mutant does, it is found out
            result = json.dumps(f"ended with {type(error).__name__}")
        os.write(writing, result.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    if not text:
        return f"ended with signal {-os.waitstatus_to_exitcode(status)}"
    killer: str | None = json.loads(text)
    return killer
