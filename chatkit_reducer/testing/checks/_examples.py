"""Run a check for many values, and find the simplest one that fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

T = TypeVar("T")


def for_all(
    values: SearchStrategy[T],
    check: Callable[[T], object],
    examples: int,
    *,
    verdict: type[Exception] = Exception,
) -> None:
    """Raise the exception of the check for the simplest value that fails.

    The application's profile of Hypothesis holds here too, except for settings that are of no use
    in a check that is called like a function.

    Args:
        values: the values to try.
        check: called with each value.
        examples: how many are tried.
        verdict: the exception of the check for a value that fails. All others are raised at once:
            they are not a reason to look for a simpler value.

    Raises:
        AssertionError: the check passes and fails for the same value.
    """
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis.errors import Flaky

    checks: Any = HealthCheck  # to iterate over it leaves out the deprecated ones

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,  # it would give one store the failures of another
        report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(checks),
    )
    @given(values)
    def run(value: T) -> None:
        try:
            check(value)
        except verdict:
            raise
        except Exception as error:
            raise _NoVerdict(error) from error

    try:
        run()
    except _NoVerdict as other:
        raise other.error from other.error.__cause__
    except Flaky as error:
        raise AssertionError(
            "The same example fails at one time and passes at another. What is checked must begin "
            "anew each time, and not hang on time or chance: make_store must give an empty store, "
            "for example, and a policy must decide alike each time."
        ) from error


class _NoVerdict(BaseException):
    """Not an `Exception`, so that Hypothesis lets it pass."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error
