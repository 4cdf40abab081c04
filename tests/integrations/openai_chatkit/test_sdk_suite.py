"""The SDK's own tests, of the installed version, with our server in the place of `ChatKitServer`.

They come with the source distribution, and so off the package index: none of them is kept here.
What they import and the distribution lacks is in `tests/support/sdk_suite`, which is
copied over them.
"""

import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

import pytest

import chatkit_reducer
from tests.support.paths import ROOT

COPIED = ROOT / "tests" / "support" / "sdk_suite"
REQUIREMENT = f"openai-chatkit=={version('openai-chatkit')}"

FAILING_WITHOUT_US = {
    # They read files of `tests/assets`, which the distribution lacks as well.
    "tests.test_widgets.test_widget_template_build_basic_is_deprecated",
    "tests.test_widgets.test_widget_template_build_with_basic_root",
    "tests.test_widgets.test_widget_template_from_file",
}
"""The tests that fail with the bare SDK too, and so tell nothing about us: of 1.6.5."""


def run(
    *command: str, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `python -m` with the command."""
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def sdist(pytestconfig: pytest.Config) -> Path:
    """The source distribution of the SDK, downloaded once and kept in pytest's cache."""
    assert pytestconfig.cache is not None
    folder = pytestconfig.cache.mkdir(f"sdk-suite-{version('openai-chatkit')}")
    if not any(folder.iterdir()):
        source = ("--no-deps", "--no-binary=openai-chatkit", REQUIREMENT)
        # An index that cannot be reached should not hold up the tests.
        patience = ("--timeout=10", "--retries=1")
        download = run("pip", "download", *patience, *source, cwd=folder)
        if download.returncode:
            reason = f"the package index gave no source of {REQUIREMENT}:\n{download.stderr}"
            # CI must not pass for want of a network.
            (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    (archive,) = folder.iterdir()
    return archive


@pytest.fixture
def suite(sdist: Path, tmp_path: Path) -> Path:
    """A folder with the SDK's tests, their settings, and what they import."""
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.iterdir()
    # The installed package is the one to test.
    shutil.rmtree(folder / "chatkit")
    shutil.copytree(COPIED, folder, dirs_exist_ok=True)
    # Without it `tests` might be the package of that name in another folder of the path.
    (folder / "tests" / "__init__.py").touch()
    return folder


def outcomes(suite: Path, *options: str) -> dict[str, str]:
    """Run the tests: `passed`, or else what pytest says, for each of them."""
    # What pytest and xdist leave there is about this run, and `PYTEST_ADDOPTS` for it.
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    env["PYTHONPATH"] = str(Path(chatkit_reducer.__file__).parents[1])
    settings = ("-c", "pyproject.toml", "-p", "no:cacheprovider", "--junitxml=report.xml")
    finished = run("pytest", "-q", *settings, *options, "tests", cwd=suite, env=env)
    # 1 is that tests failed; all else, that they did not run.
    assert finished.returncode in {0, 1}, finished.stdout + finished.stderr
    return {
        f"{case.get('classname')}.{case.get('name')}": "\n".join(
            f"{problem.tag}: {problem.get('message')}\n{problem.text}" for problem in case
        )
        or "passed"
        for case in ElementTree.parse(suite / "report.xml").iter("testcase")
    }


def failing(outcomes: dict[str, str]) -> dict[str, str]:
    """What pytest says of each test that does not pass."""
    return {name: said for name, said in outcomes.items() if said != "passed"}


def test_the_sdk_suite_passes_with_our_server(suite: Path) -> None:
    ours = outcomes(suite, "-p", "reducer_server")
    assert len(ours) > 100
    broken = {
        name: said
        for name, said in failing(ours).items()
        if name.partition("[")[0] not in FAILING_WITHOUT_US
    }
    assert not broken, "\n\n".join(f"{name}\n{said}" for name, said in broken.items())


@pytest.mark.slow
def test_what_fails_fails_with_the_server_of_the_sdk(suite: Path) -> None:
    """And no test is left out where our server is tried."""
    bare = outcomes(suite)
    assert {name.partition("[")[0] for name in failing(bare)} == FAILING_WITHOUT_US
    assert outcomes(suite, "-p", "reducer_server").keys() == bare.keys()
