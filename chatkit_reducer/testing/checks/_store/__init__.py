"""`check_store`: a store of the SDK, asked everything that a stop may need of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from operator import methodcaller
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from chatkit_reducer.testing.cancellation.event_loops import check_timeout
from chatkit_reducer.testing.checks._store.report import (
    BrokenPromise,
    Promise,
    Question,
    StopCost,
    StoreReport,
    Trait,
)

if TYPE_CHECKING:
    from chatkit.store import Store

__all__ = [
    "BrokenPromise",
    "Promise",
    "Question",
    "StopCost",
    "StoreReport",
    "Trait",
    "check_store",
]

# pytest then shows the test and the message of the check, and not the inside of the check.
__tracebackhide__: methodcaller = methodcaller("errisinstance", AssertionError)

SdkStore: TypeAlias = (
    "Store[Any] | AbstractContextManager[Store[Any]] | AbstractAsyncContextManager[Store[Any]]"
)


def check_store(
    make_store: Callable[[], SdkStore | Awaitable[SdkStore]],
    *,
    context: Any = None,
    ignore: Collection[Promise | str] = (),
    skip_types: Collection[str] = (),
    timeout: float = 5.0,
) -> StoreReport:
    """Ask a store of the SDK everything that a stop may need of it.

        def test_our_store():
            print(check_store(MyStore))

    It writes items of all types that the installed SDK knows, looks for items that are there and
    that are not, saves, deletes, turns pages, writes several at once, cuts each write off at each
    await, and stops `ReducerChatKitServer` over the store in mid-answer. Each question is asked in
    threads of its own, so the store need not be empty; they stay in it.

    A broken `Promise` is an AssertionError. Where stores may differ, the report has the answer of
    this one, and its cost when an answer is stopped.

    Args:
        make_store: a class, or another callable that makes a store or a context manager that gives
            one; called inside of the event loop, for each question anew.
        context: passed to each method of the store as `context`.
        ignore: promises that are known to be broken, and cannot be helped.
        skip_types: types of items that this application never has.
        timeout: how long each call may take, in seconds.

    Returns:
        The findings. As a text they are a summary.

    Raises:
        AssertionError: the store breaks a promise; it names it, with advice.
        TypeError: `make_store` cannot be called, or does not make a store.
        ValueError: a promise or a type of item is unknown, or the timeout leaves no time.
    """
    check_timeout(timeout)
    ignored = {Promise(each) for each in ([ignore] if isinstance(ignore, str) else ignore)}
    skipped = [skip_types] if isinstance(skip_types, str) else list(skip_types)
    if not callable(make_store):
        raise TypeError(
            f"make_store is called for a store each time, and {make_store!r} cannot be called: "
            f"pass the class, or a function such as lambda: MyStore()"
        )
    # It imports the SDK, without which there are other stores to check.
    from chatkit_reducer.testing.checks._store.examination import examine
    from chatkit_reducer.testing.checks._store.samples import item_types

    for name in skipped:
        if name not in item_types():
            raise ValueError(
                f"there is no item type {name!r}: the installed SDK has {', '.join(item_types())}"
            )
    report = examine(
        make_store, _name(make_store), context=context, skipped=skipped, timeout=timeout
    )
    found = tuple(one for one in report.broken if one.promise not in ignored)
    if found:
        raise AssertionError(str(attrs.evolve(report, broken=found)))
    return report


def _name(make_store: Any) -> str:
    name = str(getattr(make_store, "__qualname__", "")).rpartition(".")[2]
    return name if name.isidentifier() else "The store"
