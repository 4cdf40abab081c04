"""How hard the tests try: Hypothesis in each of many forms, and what is left to the slow tests."""

from typing import Any

import pytest
from hypothesis import settings

__all__ = ["one_in", "others_slow"]


def others_slow(first: object, *others: object) -> list[Any]:
    """Return parameters of a test: the first as it is, the others marked as slow."""
    return [first, *(pytest.param(other, marks=pytest.mark.slow) for other in others)]


def one_in(divisor: int) -> settings:
    """Ask for one in so many of the examples that the profile has, and for one at least."""
    return settings(max_examples=max(1, settings().max_examples // divisor))
