"""`chatkit-reducer view`."""

from __future__ import annotations

import re
import webbrowser
from functools import partial
from pathlib import Path

import pytest

from chatkit_reducer.cli.commands import view as command
from chatkit_reducer.events import Event
from chatkit_reducer.testing.examples import added, done, message, text_delta
from tests.support import cli
from tests.support.cli import LOG, log_of
from tests.support.paths import ROOT

run = partial(cli.run, "view")
shown = partial(cli.shown, "view")
failed = partial(cli.failed, "view")
WIDGET = ROOT / "docs" / "recordings" / "streamed-widget.sse"
WARNING = "It holds the whole chat: whoever has the file can read it."


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that the browser was asked to show."""
    addresses: list[str] = []
    monkeypatch.setattr(webbrowser, "open", addresses.append)
    return addresses


def test_the_page_is_written_beside_us_and_its_size_is_told() -> None:
    text = shown(WIDGET)
    page = Path("streamed-widget.html")
    size = len(page.read_bytes()) / 1000
    assert text.splitlines() == [f"streamed-widget.html  {size:.1f} kB", WARNING]


@pytest.mark.parametrize(
    ("log", "page"),
    [("a.sse", "a.html"), ("a.jsonl.gz", "a.html"), ("a.b.log", "a.b.html"), ("a", "a.html")],
)
def test_the_name_is_that_of_the_log(log: str, page: str) -> None:
    import gzip

    Path(log).write_bytes(gzip.compress(LOG) if log.endswith(".gz") else LOG)
    shown(log)
    assert Path(page).exists()


def test_standard_input_and_output() -> None:
    result = run("-", "-o", "-", stdin=LOG)
    assert result.stdout.startswith("<!doctype html>")
    assert result.stderr == f"chatkit-reducer: {WARNING}\n"
    assert list(Path().iterdir()) == []


def test_standard_output_cannot_be_opened(opened: list[str]) -> None:
    assert failed(WIDGET, "-o", "-", "--open") == (
        "--open needs a file: give -o FILE, or leave out --open (see 'chatkit-reducer view --help')"
    )
    assert opened == []


def test_a_stop_beyond_the_end_is_said() -> None:
    result = run(WIDGET, "--at", "1000")
    assert result.stderr == (
        "chatkit-reducer: --at 1,000 is beyond the last of 18 events: the page opens behind that\n"
    )
    assert run(WIDGET, "--at", "18").stderr == ""


def test_a_page_is_replaced_and_another_file_is_not() -> None:
    shown(WIDGET, "-o", "page.html")
    shown(WIDGET, "-o", "page.html")
    Path("mine.html").write_text("<p>mine", encoding="utf-8")
    assert failed(WIDGET, "-o", "mine.html") == (
        "'mine.html' is there, and is not a page of chatkit-reducer: give --force"
    )
    assert Path("mine.html").read_text(encoding="utf-8") == "<p>mine"
    shown(WIDGET, "-o", "mine.html", "--force")
    assert Path("mine.html").stat().st_size > 10_000


def test_the_browser_is_asked_only_if_that_is_wanted(opened: list[str]) -> None:
    shown(WIDGET)  # standard output is not a terminal
    shown(WIDGET, "--no-open")
    assert opened == []
    shown(WIDGET, "--open")
    assert opened == [Path("streamed-widget.html").absolute().as_uri()]


def test_the_options_are_in_the_page() -> None:
    Path("mine.toml").write_text('name = "mine"\nbase = "keep"\n', encoding="utf-8")
    shown(WIDGET, "--at", "10", "--policy", "mine.toml", "--cause", "timed-out")
    page = Path("streamed-widget.html").read_text(encoding="utf-8")
    assert '"start":{"at":10,"cause":"timed_out","command":{' in page
    assert '"thread":"thr_1"}}</script>' in page
    places = [page.index(f'"name":"{name}"') for name in ("mine", "sdk", "keep", "drop")]
    assert places == sorted(places)


def test_the_page_says_how_to_read_the_log_again() -> None:
    Path("logs").mkdir()
    Path("logs/a.sse").write_bytes(LOG)
    Path("mine.toml").write_text('name = "sdk"\nbase = "keep"\n', encoding="utf-8")
    Path("s.json").write_text("[]", encoding="utf-8")
    shown("logs/a.sse", "--policy", "./mine.toml", "--stored", "s.json")
    policies = '{"sdk":"./mine.toml","keep":"keep","drop":"drop"}'
    page = Path("a.html").read_text(encoding="utf-8")
    assert f'"command":{{"log":"logs/a.sse","policies":{policies},"stored":"s.json"}}' in page


def test_what_cannot_be_read_or_copied_again_has_no_command() -> None:
    assert '"command":null' in run("-", "-o", "-", stdin=LOG).stdout
    Path("a\u202eb.sse").write_bytes(LOG)
    assert '"command":null' in run("a\u202eb.sse", "-o", "-").stdout


def test_one_thread_of_several_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    def in_thread(name: str) -> Event:
        return added({**message(f"m_{name}", f"Hello {name}"), "thread_id": name})

    Path("log.jsonl").write_bytes(log_of(in_thread("one"), in_thread("two")))
    shown("log.jsonl")
    assert "Hello two" in Path("log.html").read_text(encoding="utf-8")
    shown("log.jsonl", "--thread", "one")
    assert "Hello two" not in Path("log.html").read_text(encoding="utf-8")
    monkeypatch.setattr(command, "_LARGE", 50_000)
    assert "give --thread for one thread alone" in run("log.jsonl").stderr
    assert "--thread" not in run("log.jsonl", "--thread", "one").stderr
    assert failed("log.jsonl", "--thread", "three") == (
        "log.jsonl has no thread 'three'; there is 'one', 'two'"
    )


def test_a_large_page_says_what_is_large_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "_LARGE", 50_000)
    events: list[Event] = [
        added(message("m", "")),
        *(text_delta("m", "word " * 40) for _ in range(500)),
    ]
    Path("log.jsonl").write_bytes(log_of(*events))
    result = run("log.jsonl")
    assert result.exit_code == 0
    (line,) = result.stderr.splitlines()
    assert line.startswith("chatkit-reducer: the page is large, ")
    assert "102.0 kB of texts" in line
    assert line.endswith("chatkit-reducer compact")


@pytest.mark.parametrize(
    ("options", "size", "advice"),
    [(["--images"], 600, "leave out --images, or cut the log"), ([], 300, "cut the log")],
)
def test_a_page_that_is_large_for_its_images_says_so(
    options: list[str], size: int, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "_LARGE", 300_000)
    image = {"id": "1", "url": "data:image/png;base64," + "A" * 300_000}
    picture = {**message("m", ""), "type": "generated_image", "image": image}
    Path("log.jsonl").write_bytes(log_of(done(picture)))
    (line,) = run("log.jsonl", *options).stderr.splitlines()
    assert re.search(rf"of which {size}\.\d kB of images and ", line)
    assert line.endswith(f": {advice}")


@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [
        (["missing.sse"], None),
        (["-"], b"not a log\n"),
        (["-", "--stored", "missing.json"], LOG),
        (["-", "--max-event-bytes", "0"], LOG),
    ],
)
def test_bad_input_gets_the_words_that_replay_has_for_it(
    arguments: list[str], stdin: bytes | None
) -> None:
    expected = cli.failed("replay", *arguments, stdin=stdin).replace(" replay ", " view ")
    assert failed(*arguments, stdin=stdin) == expected
    assert list(Path().iterdir()) == []


def test_a_policy_is_given_once() -> None:
    assert failed(WIDGET, "--policy", "sdk", "--policy", "sdk") == (
        "the names of policies must differ, got sdk, sdk (see 'chatkit-reducer view --help')"
    )
