"""The command line.

* `program`: the table of the commands, and how the program ends;
* `commands`: one file for each command, imported when it is run;
* `options`, `inputs` (logs), `folders`, `stored`, `policies`, `limits`: the input of a command;
* `threads`: a log folded to the states of its threads;
* `output`, `targets`, `files`, `progress`, `left_out`, `errors`: its output and its failures;
* `render`: the drawing of threads, findings, policies and sweeps.

The questions about a log themselves are answered by `chatkit_reducer.analysis`. click and rich are
an extra. Nothing of them is imported before `main` is called.
"""

from __future__ import annotations

import sys

from chatkit_reducer import _startup

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
    try:
        _startup.begun()
        program.main(prog_name="chatkit-reducer")
    except KeyboardInterrupt:
        sys.exit(_startup.INTERRUPTED)
    finally:
        _startup.ended()


def _top_level(module: str | None) -> str:
    return (module or "").partition(".")[0]


def _missing_libraries() -> int:
    sys.stderr.write(
        "chatkit-reducer: the command line needs click and rich: "
        "pip install 'chatkit-reducer[cli]'\n"
    )
    return 2
