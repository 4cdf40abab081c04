"""A real browser, for the tests that look at a page."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.support.chromium import Browser, Tab, running_chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    try:
        with running_chromium() as running:
            yield running
    except FileNotFoundError as missing:
        if "CI" in os.environ:
            raise
        pytest.skip(str(missing))


@pytest.fixture
def tab(browser: Browser) -> Iterator[Tab]:
    with browser.tab() as opened:
        yield opened
