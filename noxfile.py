"""The chores, and the one way to do each of them. `nox --list` lists them, and CI runs the same.

    nox                     all that a change must pass
    nox -s tests-3.12 -- -k widget

What follows `--` goes to the program that the session runs.
"""

import os
import shutil
import subprocess
from filecmp import cmpfiles
from pathlib import Path

import nox

nox.needs_version = ">=2025.5.1"
nox.options.default_venv_backend = "venv"
nox.options.sessions = ["lint", "types", "docs", "tests", "lowest", "wheel"]

ROOT = Path(__file__).parent
PROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
PYTHONS = nox.project.python_versions(PROJECT)
PYTEST = ("python", "-m", "pytest", "-q", "-n", "auto")
# What tries the servers of others, or looks at how examples shrink, takes its time, and says little
# about our dependencies, or about the wheel.
BUT_FOR_THE_SLOW = (
    "--ignore=tests/test_docs_embedding.py",
    "--ignore=tests/test_real_servers.py",
    "--ignore=tests/test_sdk_suite.py",
    "--ignore=tests/test_strategies_shrink.py",
)


def _offer_pythons_of_pyenv() -> None:
    """The commands that pyenv puts on the path only work for versions that are switched on."""
    if shutil.which("pyenv") is None:
        return
    for version in PYTHONS:
        found = subprocess.run(
            ["pyenv", "prefix", version], capture_output=True, text=True, check=False
        )
        if found.returncode == 0:
            commands = Path(found.stdout.strip()) / "bin"
            os.environ["PATH"] = f"{commands}{os.pathsep}{os.environ['PATH']}"


_offer_pythons_of_pyenv()


def _group(name: str) -> tuple[str, ...]:
    return nox.project.dependency_groups(PROJECT, name)


@nox.session
def lint(session: nox.Session) -> None:
    """Run ruff: the linter and the formatter."""
    session.install(*_group("lint"))
    session.run("ruff", "check", *session.posargs)
    session.run("ruff", "format", "--diff")


@nox.session
def types(session: nox.Session) -> None:
    """Run mypy and pyright, and see that no public name lacks a type."""
    session.install("-e", ".[dev]", *_group("dev"))
    # Otherwise pyright asks the network for a newer version of itself.
    session.env["PYRIGHT_PYTHON_IGNORE_WARNINGS"] = "1"
    session.run("mypy")
    session.run("pyright")
    session.run("pyright", "--verifytypes", "chatkit_reducer", "--ignoreexternal")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests."""
    session.install("-e", ".[dev]")
    session.run(*PYTEST, *session.posargs)


@nox.session(python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """Run the tests with the oldest versions that pyproject.toml allows."""
    extras = PROJECT["project"]["optional-dependencies"]
    # Not those of `testing`: an older Hypothesis tries other examples, and shrinks otherwise.
    allowed = PROJECT["project"]["dependencies"] + extras["cli"]
    oldest = [requirement.replace(">=", "==") for requirement in allowed]
    session.install("-e", ".[dev]", *oldest)
    session.run(*PYTEST, *BUT_FOR_THE_SLOW, *session.posargs)


@nox.session(python=PYTHONS[0])
@nox.parametrize("sdk", ["openai-chatkit==1.4.0", "openai-chatkit"], ids=["oldest", "newest"])
def chatkit(session: nox.Session, sdk: str) -> None:
    """Run the tests of the integration with the oldest and the newest release of the SDK."""
    session.install("-e", ".[dev]")
    session.install("--upgrade", sdk)
    session.run(*PYTEST, "tests/test_chatkit_server.py", "tests/test_cancellation.py")


@nox.session
def wheel(session: nox.Session) -> None:
    """Build the package, install it, and run the tests where there is no source tree."""
    session.install(*_group("wheel"))
    here = Path(session.create_tmp())
    dist, elsewhere = here / "dist", here / "elsewhere"
    for folder in (dist, elsewhere):
        shutil.rmtree(folder, ignore_errors=True)
    # Without `--wheel` it makes the wheel from the sdist, and so tries that as well.
    session.run("python", "-m", "build", f"--outdir={dist}")
    (built,) = dist.glob("*.whl")
    session.install("--force-reinstall", f"{built}[dev]")
    # The working directory hides an installed package: so the tests go where no package is.
    shutil.copytree(ROOT, elsewhere, ignore=shutil.ignore_patterns(".*", "chatkit_reducer", "dist"))
    with session.chdir(elsewhere):
        session.run(*PYTEST, *BUT_FOR_THE_SLOW, *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Run the examples in README.md and docs."""
    session.install("-e", ".[dev]")
    session.run("python", "-m", "pytest", "README.md", "docs", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Run the tests and show which lines and branches they never take; in the core, none."""
    session.install("-e", ".[dev]", *_group("coverage"))
    session.run("coverage", "run", "-m", "pytest", "-q", *session.posargs)
    session.run("coverage", "report")
    core = "chatkit_reducer/*.py,chatkit_reducer/items/*.py"
    session.run("coverage", "report", f"--include={core}", "--fail-under=100")


@nox.session
def bench(session: nox.Session) -> None:
    """Print the benchmark table."""
    session.install("-e", ".[dev]")
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session
def nightly(session: nox.Session) -> None:
    """Try each law with 100,000 new examples: hours. After `-- -m ''` all other properties, too."""
    session.install("-e", ".[dev]")
    for _ in range(10):
        session.run(*PYTEST, "-m", "law", *session.posargs, env={"HYPOTHESIS_PROFILE": "nightly"})


@nox.session
def mutation(session: nox.Session) -> None:
    """Change the core in thousands of places, and see each time that a test fails: half an hour."""
    session.install("-e", ".[dev]", *_group("coverage"))
    session.run("python", "-m", "tests.mutation", *session.posargs)


@nox.session
def recordings(session: nox.Session) -> None:
    """Record the streams again, and compare them with those in docs/recordings."""
    session.install("-e", ".[dev]")
    kept, fresh = ROOT / "docs" / "recordings", Path(session.create_tmp()) / "recordings"
    shutil.rmtree(fresh, ignore_errors=True)
    session.run("python", str(kept / "record.py"), str(fresh))
    _, different, missing = cmpfiles(kept, fresh, _recorded(kept) | _recorded(fresh), shallow=False)
    if different or missing:
        session.error(f"different: {sorted(different)}, only in one place: {sorted(missing)}")


def _recorded(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.suffix in {".sse", ".json"}}
