"""How hard Hypothesis tries where a property is tried in many forms."""

from hypothesis import settings

__all__ = ["one_in"]


def one_in(divisor: int) -> settings:
    """Ask for one in so many of the examples that the profile has, and for one at least."""
    return settings(max_examples=max(1, settings().max_examples // divisor))
