"""The examples in README.md and docs are tests, too: `nox -s docs` runs them.

The programs in docs/embedding need servers around them: `tests/docs/test_embedding.py`.
"""

from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()],
    patterns=["README.md", "docs/*.md", "docs/embedding/README.md"],
).pytest()
