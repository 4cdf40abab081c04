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

ROOT = Path(__file__).parent
PROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
PYTHONS = nox.project.python_versions(PROJECT)
OLDEST, SECOND, *_, NEWEST = PYTHONS
nox.options.sessions = ["lint", "types", "docs", "site", f"tests-{OLDEST}", "lowest", "wheel"]
PYTEST = ("python", "-m", "pytest", "-q", "-n", "auto")
# These try servers and a browser, kill processes, or look for what Hypothesis finds. They take
# their time, and say little about another Python, about our dependencies, or about the wheel.
BUT_FOR_THE_SLOW = (
    "--ignore=tests/docs/test_embedding.py",
    "--ignore=tests/fleet/test_spark.py",
    "--ignore=tests/docs/test_how_to.py",
    "--ignore=tests/integrations/openai_chatkit/test_killed_servers.py",
    "--ignore=tests/integrations/openai_chatkit/test_misbehaving_stores.py",
    "--ignore=tests/integrations/openai_chatkit/test_postgres.py",
    "--ignore=tests/integrations/openai_chatkit/test_real_servers.py",
    "--ignore=tests/integrations/openai_chatkit/test_sdk_suite.py",
    "--ignore=tests/journal/test_crashes.py",
    "--ignore=tests/journal/test_postgres.py",
    "--ignore=tests/journal/test_redis.py",
    "--ignore=tests/testing/checks",
    "--ignore=tests/testing/conformance",
    "--ignore=tests/testing/test_cancellation.py",
    "--ignore=tests/testing/test_strategies.py",
    "--ignore=tests/testing/test_strategies_shrink.py",
    "--ignore=tests/view/test_live_in_browser.py",
    "--ignore=tests/view/test_page_in_browser.py",
)
# Thousands of texts through code that neither another Python nor a dependency makes different.
THE_SAME_ANYWHERE = (
    "--ignore=tests/cli/test_edges.py",
    "--ignore=tests/core/test_against_naive.py",
    "--ignore=tests/logs/test_bounds.py",
    "--ignore=tests/logs/test_formats.py",
)
# Event loops, generators, types and messages of errors differ between Pythons.
OF_THE_PYTHON = (
    "tests/cli",
    "tests/core",
    "tests/integrations",
    "tests/journal",
    "tests/logs",
    "tests/supervise",
)
# What a file that is missing from the wheel would break.
OF_THE_WHEEL = (
    "tests/test_imports.py",
    "tests/testing/test_given.py",
    "tests/view/test_following.py",
    "tests/view/test_listing.py",
    "tests/view/test_notebook.py",
    "tests/view/test_page.py",
    "tests/view/test_watching.py",
)
# Without the SDK's own suite: that is of the release which pyproject.toml pins.
OF_THE_SDK = (
    "tests/integrations",
    "tests/testing/test_cancellation.py",
    *(option for option in BUT_FOR_THE_SLOW if "/openai_chatkit/" in option),
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
    """Run the tests: all on the oldest Python, those of what differs on the others."""
    is_whole = session.python == OLDEST or session.posargs
    session.install("-e", ".[dev]" if is_whole else ".[suite]")
    # The oldest Python has them all; `nox -s tests-3.13 -- tests` runs them all on another.
    of_others = (*OF_THE_PYTHON, *BUT_FOR_THE_SLOW, *THE_SAME_ANYWHERE)
    selected = () if session.python == OLDEST else of_others
    session.run(*PYTEST, *(session.posargs or selected))


@nox.session(python=SECOND)
def lowest(session: nox.Session) -> None:
    """Run the tests with the oldest versions that pyproject.toml allows, on the second Python.

    Both at once, and the oldest SDK behind them: each by itself would run the same tests again.
    """
    extras = PROJECT["project"]["optional-dependencies"]
    # Not those of `testing`: an older Hypothesis tries other examples, and shrinks otherwise.
    allowed = PROJECT["project"]["dependencies"] + extras["cli"]
    session.install("-e", ".[suite]", *_oldest(allowed))
    if not session.posargs:
        # The comparisons with the SDK are with the release that the extra `suite` pins.
        others = [folder for folder in OF_THE_PYTHON if folder not in OF_THE_SDK]
        session.run(*PYTEST, *others, "tests/analysis", *BUT_FOR_THE_SLOW, *THE_SAME_ANYWHERE)
    session.install(*_oldest(extras["openai-chatkit"]))
    session.run(*PYTEST, *(session.posargs or OF_THE_SDK))


def _oldest(requirements: list[str]) -> list[str]:
    return [requirement.replace(">=", "==") for requirement in requirements]


@nox.session(python=OLDEST)
def chatkit(session: nox.Session) -> None:
    """Run the tests of the integration with the newest release of the SDK."""
    session.install("-e", ".[suite]")
    before = _version_of_the_sdk(session)
    session.install("--upgrade", "openai-chatkit")
    if _version_of_the_sdk(session) == before:
        session.log(f"{before} is the release that all other sessions have")
        return
    session.run(*PYTEST, *(session.posargs or OF_THE_SDK))


def _version_of_the_sdk(session: nox.Session) -> str:
    code = "from importlib.metadata import version; print(version('openai-chatkit'))"
    return str(session.run("python", "-c", code, silent=True)).strip()


@nox.session(python=NEWEST)
def wheel(session: nox.Session) -> None:
    """Build the package, and run the tests on the newest Python, where there is no source tree."""
    session.install(*_group("wheel"))
    here = Path(session.create_tmp())
    dist, elsewhere = here / "dist", here / "elsewhere"
    for folder in (dist, elsewhere):
        shutil.rmtree(folder, ignore_errors=True)
    # Without `--wheel` it makes the wheel from the sdist, and so tries that as well.
    session.run("python", "-m", "build", f"--outdir={dist}")
    (built,) = dist.glob("*.whl")
    session.install("--force-reinstall", f"{built}[suite]")
    # The working directory hides an installed package: so the tests go where no package is.
    # Other sessions may be writing bytecode meanwhile.
    ignored = shutil.ignore_patterns(".*", "__pycache__", "build", "chatkit_reducer", "dist")
    shutil.copytree(ROOT, elsewhere, ignore=ignored)
    with session.chdir(elsewhere):
        selected = (*OF_THE_PYTHON, *OF_THE_WHEEL, *BUT_FOR_THE_SLOW, *THE_SAME_ANYWHERE)
        session.run(*PYTEST, *(session.posargs or selected))


@nox.session
def docs(session: nox.Session) -> None:
    """Run the examples in README.md and docs."""
    session.install("-e", ".[dev]")
    session.run("python", "-m", "pytest", "README.md", "docs", *session.posargs)


@nox.session
def site(session: nox.Session) -> None:
    """Build the documentation site into build/site, and check it: no network is needed for that."""
    # All that the public modules import, and not the servers and the browser of other tests.
    session.install(
        "-e",
        ".[cli,fleet,openai-chatkit,postgres,redis,testing]",
        "django",
        "starlette",
        *_group("site"),
    )
    built = ROOT / "build" / "site"
    shutil.rmtree(built, ignore_errors=True)
    strict = ("--fresh-env", "--fail-on-warning", "--keep-going", "--quiet")
    session.run("sphinx-build", *strict, "-d", f"{built}-doctrees", "docs", str(built))
    session.run("python", "-m", "pytest", "-q", "tests/site", env={"SITE": str(built)})


@nox.session
def release(session: nox.Session) -> None:
    """Build the files of a release into dist; after `-- v0.1.0`, only if that is the version."""
    session.install(*_group("wheel"), "twine>=6.1")
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    session.run("python", "-m", "build")
    session.run("twine", "check", "--strict", *map(str, sorted((ROOT / "dist").iterdir())))
    for tag in session.posargs:
        version = tag.removeprefix("v")
        if not list((ROOT / "dist").glob(f"*-{version}-*.whl")):
            session.error(f"the tag says {version}, and __version__ in the package another one")


@nox.session
def coverage(session: nox.Session) -> None:
    """Run the tests and show which lines and branches they never take; in the core, none."""
    session.install("-e", ".[dev]", *_group("coverage"))
    session.run("coverage", "run", "-m", "pytest", "-q", "-m", "", *session.posargs)
    session.run("coverage", "report")
    core = "chatkit_reducer/core/**,chatkit_reducer/events.py"
    session.run("coverage", "report", f"--include={core}", "--fail-under=100")


@nox.session
def bench(session: nox.Session) -> None:
    """Print the benchmark table."""
    session.install("-e", ".[dev]")
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session
def nightly(session: nox.Session) -> None:
    """Try each law with 100,000 new examples: hours. After `-- -m ''` all other properties, too.

    Before that, all tests are run with 100 new examples, the slow ones as well, and each real
    server is killed in mid-answer 50 times.
    """
    session.install("-e", ".[dev]")
    session.run(*PYTEST, "-m", "", env={"HYPOTHESIS_PROFILE": "dev"})
    killed = "tests/integrations/openai_chatkit/test_killed_servers.py"
    each = ("python", "-m", "pytest", "-q", "-s", "-m", "", killed)
    session.run(*each, env={"KILLED_SERVERS": "50"})
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
