"""The reference: an entry for each name that a public module exports.

    .. public-names:: chatkit_reducer.errors

writes the docstring of the module, and an entry for each name of its `__all__`. A name that several
modules export has its entry in the first one of `MODULES`, and the others lead to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from inspect import isclass, ismodule, isroutine
from pkgutil import walk_packages
from typing import Any, get_args

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer

import chatkit_reducer
from chatkit_reducer import Row

__all__ = ["MODULES", "entries", "home_of", "setup"]

MODULES = (
    "chatkit_reducer.events",
    "chatkit_reducer.errors",
    "chatkit_reducer.policies",
    "chatkit_reducer.logs",
    "chatkit_reducer.supervise",
    "chatkit_reducer.serving",
    "chatkit_reducer.journal",
    "chatkit_reducer.analysis",
    "chatkit_reducer.fleet",
    "chatkit_reducer.fleet.spark",
    "chatkit_reducer.view",
    "chatkit_reducer.view.watching",
    "chatkit_reducer.integrations.openai_chatkit",
    "chatkit_reducer.integrations.starlette",
    "chatkit_reducer.integrations.django",
    "chatkit_reducer.testing.checks",
    "chatkit_reducer.testing.cancellation",
    "chatkit_reducer.testing.given",
    "chatkit_reducer.testing.strategies",
    "chatkit_reducer.testing.examples",
    "chatkit_reducer.testing.conformance.laws",
    "chatkit_reducer.testing.conformance.machine",
    "chatkit_reducer.testing.conformance.reference_model",
    "chatkit_reducer",
)
"""The public modules that docs/compatibility.md names, in the order in which they claim names."""


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension with Sphinx."""
    app.add_directive("public-names", PublicNames)
    app.connect("autodoc-process-docstring", _process_docstring)
    return {"parallel_read_safe": True}


def home_of(module: str, name: str) -> str:
    """Return the module that has the entry of a name that `module` exports."""
    value = getattr(import_module(module), name)
    return next(each for each in MODULES if _exports(each, name, value))


def _exports(module: str, name: str, value: object) -> bool:
    found = import_module(module)
    return name in found.__all__ and getattr(found, name) is value


def entries(module: str) -> Iterator[str]:
    """Yield the lines of reStructuredText for the names of a module."""
    for name in import_module(module).__all__:
        value = getattr(import_module(module), name)
        home = value.__name__ if ismodule(value) else home_of(module, name)
        if home == module:
            yield from _entry(f"{module}.{name}", value)
        else:
            target = home if ismodule(value) else f"{home}.{name}"
            yield from ("", f"* :py:obj:`{target}`")


def _entry(name: str, value: object) -> Iterator[str]:
    yield ""
    if isclass(value) and not get_args(value):
        yield from (f".. autoclass:: {name}", "   :members:")
        if value.__bases__ != (object,):
            yield "   :show-inheritance:"
    elif isroutine(value):
        yield f".. autofunction:: {name}"
    else:
        yield from (f".. autodata:: {name}", "   :no-value:")
    yield ""


class PublicNames(Directive):
    """The entries of a public module."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the entries."""
        module = self.arguments[0]
        lines = [f".. automodule:: {module}", "", *entries(module)]
        section = nodes.section()
        section.document = self.state.document
        self.state.nested_parse(StringList(lines, source=module), 0, section)
        return section.children


def _process_docstring(
    app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]
) -> None:
    if what == "data":
        lines[:] = _doc_of_data(name, value)


def _doc_of_data(name: str, value: object) -> list[str]:
    """Return the text below an assignment, from the module that has the assignment."""
    short = name.rpartition(".")[2]
    for module in _modules():
        if getattr(import_module(module), short, None) is value:
            docs = ModuleAnalyzer.for_module(module).find_attr_docs()
            if ("", short) in docs:
                return docs["", short]
    return [value.reason] if isinstance(value, Row) else []


def _modules() -> Iterator[str]:
    yield from MODULES
    for room in ("core", "logs", "supervise", "testing"):
        path = [f"{chatkit_reducer.__path__[0]}/{room}"]
        for found in walk_packages(path, f"chatkit_reducer.{room}."):
            yield found.name
