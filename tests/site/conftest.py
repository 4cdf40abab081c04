"""The built site: `nox -s site` builds it first, and passes it as `SITE`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

sys.path.insert(0, str(ROOT / "docs"))


@pytest.fixture(scope="session")
def site() -> Path:
    if "SITE" not in os.environ:
        pytest.skip("`nox -s site` builds the site and runs these tests")
    return Path(os.environ["SITE"])
