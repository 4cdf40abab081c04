"""Runs a check for many values, and finds the simplest one that fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["for_all"]

T = TypeVar("T")


def for_all(
    values: SearchStrategy[T],
    check: Callable[[T], object],
    examples: int,
    *,
    verdict: type[Exception] = Exception,
) -> None:
    """Raises what the check raises for the simplest value for which it does.

    What the profile of the application says about Hypothesis holds here too, but for what is of no
    use in a check that is called like a function.

    Args:
        values: what is tried.
        check: what tries it.
        examples: how many are tried.
        verdict: what the check raises of what it tries. All else is raised at once, as it is: it
            is no reason to look for a simpler value, and to try it again says nothing.

    Raises:
        AssertionError: the check does not say the same of one value each time.
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
    """No `Exception`, so that Hypothesis lets it pass."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error
