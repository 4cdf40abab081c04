"""A clock that gives the same times in every run."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from unittest import mock

FIRST = datetime(2025, 6, 2, 9, 0, 0, 123456)  # noqa: DTZ001 - naive, because the SDK's times are
STEP = timedelta(seconds=1)


class Clock:
    """Stands in for `datetime`, of which the SDK calls only `now`. A call takes a second."""

    def __init__(self) -> None:
        self._time = FIRST

    def now(self) -> datetime:
        self._time += STEP
        return self._time


@contextmanager
def steady_clock() -> Iterator[None]:
    """Replace the clock of the two SDK modules that read the time."""
    clock = Clock()
    with ExitStack() as stack:
        for module in ("chatkit.server", "chatkit.agents"):
            stack.enter_context(mock.patch(f"{module}.datetime", clock))
        yield
