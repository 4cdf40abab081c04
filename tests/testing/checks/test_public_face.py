"""The names that the checks offer, and the libraries that they need."""

from __future__ import annotations

import subprocess
import sys


def test_the_public_names_are_these() -> None:
    from chatkit_reducer.testing import checks

    made_here = {
        name
        for name, value in vars(checks).items()
        if getattr(value, "__module__", "").startswith(checks.__name__)
    }
    assert sorted(made_here) == checks.__all__


def test_the_checks_need_neither_hypothesis_nor_the_sdk_to_be_imported() -> None:
    code = (
        "import sys; sys.modules.update(hypothesis=None, chatkit=None);"
        "from chatkit_reducer.testing.checks import check_producer;"
        "check_producer([{'type': 'progress_update', 'text': 'x'}])"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
