"""How hard Hypothesis tries (HYPOTHESIS_PROFILE), and what tests of all rooms need."""

import gc
import os
import signal
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from hypothesis import settings
from hypothesis.internal.conjecture import providers

# HYPOTHESIS_PROFILE is `quick`, `dev`, `ci` or `nightly`.
# No deadlines: they tell more about the machine than about the code.
settings.register_profile("dev", settings.get_profile("default"), deadline=None)
# For runs that ask whether the code works with another Python, and not whether it is right.
settings.register_profile("quick", settings.get_profile("dev"), max_examples=10, derandomize=True)
# The same examples in every run: a change fails for what it changed. At night, `dev` and `nightly`
# look for new ones. So many find 96 % of the mutants (docs/testing.md).
settings.register_profile(
    "ci", settings.get_profile("dev"), max_examples=25, derandomize=True, print_blob=True
)
# The session `nightly` makes ten such runs: Hypothesis remembers all that it has tried, and 100,000
# examples in one run would be gigabytes.
settings.register_profile(
    "nightly", settings.get_profile("dev"), max_examples=10_000, print_blob=True
)
_PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "dev")
settings.load_profile(_PROFILE)
if settings.get_profile(_PROFILE).derandomize:
    # Hypothesis (6.170) also draws the constants of all our modules that are loaded by then: the
    # examples would depend on the order of the tests, and change with each number in the code.
    setattr(providers, "_get_local_constants", lambda: providers._local_constants)  # noqa: B010


def pytest_collection_finish() -> None:
    """Keep the garbage collector from what is loaded by then, and never freed."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def sigint() -> Iterator[None]:
    """Ctrl-C works, for child processes too, where a shell has started the tests with `&`."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session", autouse=True)
def one_parser_of_requests() -> Iterator[None]:
    """Build the SDK's parser of requests once: the SDK builds it anew for each.

    That is a third of the time of a test that stops a server hundreds of times. openai-chatkit
    1.6.5: chatkit/server.py, `ChatKitServer.process`.
    """
    server: Any = sys.modules.get("chatkit.server")
    if server is None:
        yield
        return

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "TypeAdapter", _Adapters(server.TypeAdapter))
        yield


class _Adapters:
    """In the place of a class that is called as `TypeAdapter[kind](kind)`."""

    def __init__(self, adapter: Any) -> None:
        self._kept = cache(adapter)

    def __getitem__(self, kind: Any) -> Any:
        return self._kept
