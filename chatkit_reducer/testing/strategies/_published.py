"""A decorator that gives public strategies a short repr."""

from __future__ import annotations

import inspect
import reprlib
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from hypothesis import strategies as st

P = ParamSpec("P")
T = TypeVar("T")

_short = reprlib.Repr()
_short.maxlist = _short.maxtuple = _short.maxset = _short.maxfrozenset = _short.maxdict = 4
_short.maxlevel = 3
_short.maxstring = _short.maxother = 100


class _Call:
    """A strategy, with the arguments of the call that made it."""

    def __init__(self, strategy: st.SearchStrategy[Any], arguments: Mapping[str, object]) -> None:
        self.strategy = strategy
        self.arguments = arguments

    def __repr__(self) -> str:
        return ", ".join([f"{name}={_short.repr(value)}" for name, value in self.arguments.items()])


def published(make: Callable[P, st.SearchStrategy[T]]) -> Callable[P, st.SearchStrategy[T]]:
    """Give the strategies of a function the call as their repr: `items(types=['widget'])`.

    The repr of their parts is up to a megabyte, and Hypothesis warns of that much: `lists(items(),
    unique_by=...)` writes the repr of its elements at each use.

    Arguments are checked at once, by the function itself, and not when a value is drawn.
    """

    # A strategy that `composite` made shows its positional arguments, and here there is one. It is
    # made once for all calls, because that takes ten times as long as to call it.
    def drawn(draw: st.DrawFn, *calls: _Call) -> Any:
        return draw(calls[0].strategy)

    drawn.__name__, drawn.__doc__ = make.__name__, make.__doc__
    shown = st.composite(drawn)
    defaults = {
        name: parameter.default for name, parameter in inspect.signature(make).parameters.items()
    }

    @wraps(make)
    def strategies(*args: P.args, **kwargs: P.kwargs) -> st.SearchStrategy[T]:
        strategy = make(*args, **kwargs)
        given = {name: value for name, value in kwargs.items() if value is not defaults[name]}
        return shown(_Call(strategy, given))

    return strategies
