"""Ctrl-C at any moment of the life of the program."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
from importlib import metadata

import pytest

import chatkit_reducer
from chatkit_reducer import _startup
from tests.support.paths import ROOT


@pytest.mark.parametrize(
    ("argv", "orig_argv", "expected"),
    [
        (["/usr/bin/chatkit-reducer", "check"], [], True),
        ([r"C:\venv\Scripts\chatkit-reducer.exe"], [], True),
        ([r"C:\venv\Scripts\chatkit-reducer-script.py"], [], True),
        (["-m", "check"], ["python", "-X", "dev", "-m", "chatkit_reducer", "check"], True),
        (["-m"], ["python", "-m", "pytest", "chatkit_reducer"], False),
        (["-m"], ["python"], False),
        (["-m"], ["python", "-m"], False),
        (["/usr/bin/uvicorn", "chatkit-reducer"], [], False),
        (["-c"], ["python", "-c", "import chatkit_reducer"], False),
        ([], [], False),
    ],
)
def test_what_is_the_program(argv: list[str], orig_argv: list[str], expected: bool) -> None:
    assert _startup.is_program(argv, orig_argv) is expected


def test_the_library_leaves_the_signals_alone() -> None:
    code = (
        "import signal; before = signal.getsignal(signal.SIGINT); import chatkit_reducer.cli\n"
        "assert signal.getsignal(signal.SIGINT) is before"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    subprocess.run([sys.executable, "-c", code], check=True, env=env)


@pytest.mark.usefixtures("sigint")
def test_ctrl_c_from_the_beginning_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[int] = []
    monkeypatch.setattr(os, "_exit", left.append)

    _startup.until_begun()
    signal.raise_signal(signal.SIGINT)
    assert left == [130]

    _startup.begun()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)

    _startup.ended()
    signal.raise_signal(signal.SIGINT)


@pytest.mark.usefixtures("sigint")
@pytest.mark.parametrize(("name", "waits"), [("chatkit-reducer", True), ("pytest", False)])
def test_it_waits_from_its_import_on(
    name: str, waits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [name])

    importlib.reload(_startup)

    assert (signal.getsignal(signal.SIGINT) is not signal.default_int_handler) is waits


@pytest.mark.usefixtures("sigint")
def test_a_handler_of_somebody_else_stays() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    for step in (_startup.until_begun, _startup.begun, _startup.ended):
        step()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def _interrupted_behind(imports: int) -> tuple[int, bytes]:
    """Run the program, and interrupt it so many imports behind that of `_startup`."""
    command = [sys.executable, "-X", "importtime", "-m", "chatkit_reducer", "replay", "-"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=env) as process:
        assert process.stderr is not None
        while not process.stderr.readline().rstrip().endswith(b"chatkit_reducer._startup"):
            pass
        for _ in range(imports):
            process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    return process.returncode, error


@pytest.mark.skipif(os.name != "posix", reason="this needs signals")
@pytest.mark.usefixtures("sigint")  # where it is ignored, a child would ignore it too
@pytest.mark.parametrize("imports", [0, 1, 30, 80, 130])
def test_ctrl_c_is_quiet_at_any_moment(imports: int) -> None:
    """But for the moments before this package is imported, of which only Python knows."""
    status, error = _interrupted_behind(imports)

    assert status == 130
    assert b"Traceback" not in error


@pytest.mark.usefixtures("sigint")
def test_only_the_smallest_imports_come_before_it() -> None:
    """Each import that comes earlier is a time in which Ctrl-C shows a traceback."""
    program = (
        "import os, sys\n"
        "class Finder:\n"
        "    @staticmethod\n"
        "    def find_spec(name, path=None, target=None):\n"
        "        import _signal\n"
        "        if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler: print(name)\n"
        "sys.argv = ['chatkit-reducer']\n"
        "sys.meta_path.insert(0, Finder)\n"
        "import chatkit_reducer\n"
    )
    path = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["chatkit_reducer", "__future__", "chatkit_reducer._startup"]


_LATE = ("importlib.metadata", "cattrs", "anyio", "click", "rich", "hypothesis", "chatkit")


def _loaded(code: str) -> set[str]:
    """The modules of a fresh process that has run some code."""
    code = f"import sys\n{code}\nprint(*sys.modules)"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], check=True, env=env, capture_output=True)
    return set(done.stdout.decode().split())


def test_the_import_of_the_package_loads_nothing_that_few_programs_need() -> None:
    assert _loaded("import chatkit_reducer").isdisjoint(_LATE)


def test_the_version_costs_little_more_than_click() -> None:
    code = (
        "from contextlib import suppress\n"
        "from chatkit_reducer.cli.program import program\n"
        "with suppress(SystemExit): program.main(['--version'])"
    )
    assert _loaded(code).isdisjoint({*_LATE} - {"click"})


def test_the_version_is_that_of_the_distribution() -> None:
    assert metadata.version("chatkit-reducer") == chatkit_reducer.__version__


def test_a_plain_log_loads_no_other_form() -> None:
    log = str(ROOT / "docs" / "recordings" / "refusal.sse")
    loaded = _loaded(f"import chatkit_reducer\nchatkit_reducer.replay({log!r})")

    assert "chatkit_reducer.logs.formats.plain" in loaded
    assert "chatkit_reducer.logs.formats._recognition" not in loaded
