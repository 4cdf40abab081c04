"""Which module may import which: all imports of the package, those for type checkers included."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Callable, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

import pytest

import chatkit_reducer

if TYPE_CHECKING:  # mypy says which of these comments has nothing to ignore
    from chatkit_reducer import nothing as of_all  # type: ignore[attr-defined]  # noqa: F401
    from chatkit_reducer.analysis import nothing as of_analysis  # type: ignore[attr-defined]  # noqa: F401
    from chatkit_reducer.fleet import nothing as of_fleet  # type: ignore[attr-defined]  # noqa: F401
    from chatkit_reducer.journal import nothing as of_journal  # type: ignore[attr-defined]  # noqa: F401

PACKAGE = Path(chatkit_reducer.__file__).parent
TOP = PACKAGE.name
VOCABULARY = {
    "__init__",
    "__main__",
    "_names",
    "_startup",
    "errors",
    "events",
    "palette",
    "policies",
}
ROOMS = {
    "analysis",
    "cli",
    "core",
    "fleet",
    "integrations",
    "journal",
    "logs",
    "serving",
    "supervise",
    "testing",
    "view",
}


class Import(NamedTuple):
    """One module imports another."""

    by: str
    of: str


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def imported_by(path: Path) -> Iterator[str]:
    """The modules of the package that a file names in its imports, wherever they stand.

    `from package import module` is an import of the module, and any other `from package import` one
    of the package's face. That the faces of all packages around a module run first is not counted.
    """
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in SOURCES else node.module for name in inner]
        yield from (name for name in names if is_in(name, TOP))


IMPORTS = sorted({Import(by, of) for by, path in SOURCES.items() for of in imported_by(path)})


def broken(is_allowed: Callable[[str, str], bool]) -> list[Import]:
    return [each for each in IMPORTS if not is_allowed(*each)]


def test_every_import_is_of_a_module_that_is_there() -> None:
    assert len(IMPORTS) > len(SOURCES)
    assert {each.of for each in IMPORTS} <= SOURCES.keys()


def test_the_core_imports_nothing_but_the_core_and_the_events() -> None:
    core, events = f"{TOP}.core", f"{TOP}.events"
    assert not broken(lambda by, of: not is_in(by, core) or is_in(of, core) or of == events)


def test_only_the_program_imports_the_command_line() -> None:
    cli, program = f"{TOP}.cli", f"{TOP}.__main__"
    assert not broken(lambda by, of: not is_in(of, cli) or is_in(by, cli) or by == program)


def test_only_the_test_kit_imports_the_test_kit() -> None:
    kit = f"{TOP}.testing"
    assert not broken(lambda by, of: not is_in(of, kit) or is_in(by, kit))


def test_a_private_module_is_imported_only_from_its_own_room() -> None:
    def is_allowed(by: str, of: str) -> bool:
        is_private = any(re.match("_[^_]", part) for part in of.split(".")[1:])
        is_at_the_top = of.count(".") == 1
        return not is_private or is_at_the_top or by.split(".")[:2] == of.split(".")[:2]

    assert not broken(is_allowed)


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph: dict[str, set[str]] = {module: set() for module in SOURCES}
    for each in IMPORTS:
        graph[each.by].add(each.of)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" is imported by ".join(error.args[1]))


def test_the_top_of_the_package_holds_the_vocabulary_and_the_rooms() -> None:
    modules = {path.stem for path in PACKAGE.glob("*.py")}
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}

    assert modules == VOCABULARY
    assert rooms <= ROOMS


@pytest.mark.parametrize("package", ["", ".analysis", ".fleet", ".journal"])
def test_a_package_has_the_names_that_it_imports_later_and_no_others(package: str) -> None:
    module = importlib.import_module(f"{TOP}{package}")

    for name in module.__all__:
        value = getattr(module, name)
        assert value is vars(module)[name]
        # Or else it depends on the imports before whether the name is that of the module.
        assert isinstance(value, ModuleType) == (f"{TOP}{package}.{name}" in SOURCES)
    with pytest.raises(AttributeError, match=f"module '{TOP}{package}' has no attribute 'nothing'"):
        module.nothing  # noqa: B018
