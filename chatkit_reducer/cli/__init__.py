"""The command line: one file for each command.

click and rich are an extra. Nothing of them is imported before `main` is called.
"""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the program `chatkit-reducer` with the arguments of the process, and exit."""
    try:
        import rich  # noqa: F401  # most of it is imported when something is shown

        from chatkit_reducer.cli.program import program
    except ModuleNotFoundError as error:
        if _top_level(error.name) not in {"click", "rich"}:
            raise
        sys.exit(_missing_libraries())
    program.main(prog_name="chatkit-reducer")


def _top_level(module: str | None) -> str:
    return (module or "").partition(".")[0]


def _missing_libraries() -> int:
    sys.stderr.write(
        "chatkit-reducer: the command line needs click and rich: "
        "pip install 'chatkit-reducer[cli]'\n"
    )
    return 2
