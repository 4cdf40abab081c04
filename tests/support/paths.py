"""Where the files are that tests read."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The folder with README.md, docs, tests and benchmarks; the package may be installed elsewhere."""
