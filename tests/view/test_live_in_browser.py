"""A live page in a real browser: a log that grows shows up in it, as in a page of all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chatkit_reducer import ThreadState, fold, settle
from chatkit_reducer.events import Json
from chatkit_reducer.logs import Record, read_records
from chatkit_reducer.policies import KEEP
from chatkit_reducer.testing.examples import added, message, text_delta
from chatkit_reducer.view.following import serving
from chatkit_reducer.view.growing import Growing
from chatkit_reducer.view.recording import Recording
from chatkit_reducer.view.watching import Watcher
from tests.support.chromium import Browser, Tab
from tests.support.paths import ROOT
from tests.view.accessibility import DARK, LIGHT, axe_violations
from tests.view.applications import mounted
from tests.view.pages import columns_at

pytestmark = pytest.mark.filterwarnings(
    "ignore:Direct usage of named widget classes:DeprecationWarning"
)

RECORDINGS = ["streamed-widget", "workflow-with-equal-tasks", "two-thousand-deltas"]
IN_THE_PAGE = (Path(__file__).parent / "in_the_page.js").read_text(encoding="utf-8")
STATE = """[
  chatkitView.page.step, chatkitView.page.thread.last, document.getElementById("of").textContent,
  document.getElementById("live").textContent,
]"""


@pytest.fixture
def served() -> Iterator[tuple[Growing, str]]:
    pages = Growing("log.sse", Recording)
    with serving(pages) as address:
        yield pages, address


def open_live(tab: Tab, address: str) -> None:
    tab.open(address)
    tab.until("document.getElementById('live').textContent === 'live'")


def grow(tab: Tab, pages: Growing, records: list[Record]) -> None:
    pages.take(records)
    shown = "Number(document.getElementById('range').max)"
    tab.until(f"chatkitView.page.thread.last === {pages.events} && {shown} === {pages.events}")


READ = """
(() => {
  const { thread } = chatkitView.page;
  for (const track of thread.tracks.keys()) chatkitView.page.wholeTexts.add(track);
  const { tracks, items, eventStarts, stageStarts, turns, times, faults, last, data } = thread;
  const summary = [0, 1, 2].map((policy) => {
    const { worst, worstAmount, meanShare, losing, stale } = chatkitView.figuresOf(policy);
    return [worst, worstAmount, meanShare, losing, stale];
  });
  const lists = { tracks, items, eventStarts, stageStarts, turns, times, faults: [...faults] };
  return { ...lists, last, data, summary };
})()
"""


def columns_in(tab: Tab, step: int) -> Json:
    (shown,) = tab.evaluate(f"{{ {IN_THE_PAGE} }} readSteps([{step}])")
    del shown["raw"]
    return dict(shown)


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_page_that_has_grown_is_the_page_of_the_whole_log(
    name: str, tab: Tab, served: tuple[Growing, str]
) -> None:
    pages, address = served
    records = list(read_records(ROOT / "docs" / "recordings" / f"{name}.sse"))
    open_live(tab, address)
    assert tab.evaluate(STATE) == [0, 0, " of 0 events", "live"]
    size = max(1, len(records) // 6)
    for begin in range(0, len(records), size):
        grow(tab, pages, records[begin : begin + size])
        assert tab.evaluate("chatkitView.page.step") == pages.events
    grown = tab.evaluate(READ)
    block = grown["data"]
    cause = block["causes"].index("cancelled")
    for step in sorted({0, 3, pages.events // 2, pages.events}):
        assert columns_in(tab, step) == columns_at(block, step, cause)
    assert tab.complaints == []

    open_live(tab, address)
    assert tab.evaluate(READ) == grown
    assert set(tab.requests) == {address, *[r for r in tab.requests if "/events?after=" in r]}


def test_the_line_stays_where_it_was_put(tab: Tab, served: tuple[Growing, str]) -> None:
    pages, address = served
    pages.take([Record(added(message("m", ""))), Record(text_delta("m", "One"))])
    open_live(tab, address)
    tab.press("ArrowLeft")
    tab.until("location.hash.includes('at=1&')")
    grow(tab, pages, [Record(text_delta("m", " two"))])
    assert tab.evaluate(STATE) == [1, 3, " of 3 events", "live"]
    assert tab.evaluate("document.getElementById('range').max") == "3"
    tab.press("End")
    grow(tab, pages, [Record(text_delta("m", " three"))])
    assert tab.evaluate(STATE) == [4, 4, " of 4 events", "live"]
    shown = "document.querySelector('#seen-chat .md').textContent"
    assert tab.evaluate(shown) == "One two three"
    tab.until("!location.hash.includes('at=')")
    assert tab.complaints == []


def in_thread(thread: str) -> Record:
    return Record(added({**message(f"m_{thread}", "Hi"), "thread_id": thread}))


def test_threads_come_while_the_log_grows(tab: Tab, served: tuple[Growing, str]) -> None:
    pages, address = served
    open_live(tab, address)
    grow(tab, pages, [in_thread("one")])
    options = "[...document.querySelectorAll('#thread option')].map((each) => each.text)"
    assert tab.evaluate(options) == []
    pages.take([in_thread("two")])
    tab.until(f"{options}.length === 2")
    pages.take([in_thread("three")])
    tab.until(f"{options}.length === 3")
    assert tab.evaluate(options) == ["one", "two", "three"]
    tab.evaluate(
        "const select = document.getElementById('thread');"
        "select.value = '1'; select.dispatchEvent(new Event('change'))"
    )
    assert tab.evaluate("document.querySelector('#seen-chat .id').textContent") == "m_two"
    assert tab.complaints == []


def test_a_log_that_begins_again_is_shown_anew(tab: Tab, served: tuple[Growing, str]) -> None:
    pages, address = served
    pages.take([in_thread("one"), in_thread("two")])
    open_live(tab, address)
    pages.begin_again()
    pages.take([in_thread("three")])
    tab.until("document.querySelector('#seen-chat .id')?.textContent === 'm_three'")
    tab.until("document.querySelectorAll('#thread option').length === 1")
    assert tab.complaints == []


@pytest.mark.parametrize(
    ("act", "said"),
    [
        pytest.param(lambda pages: pages.end(), "the stream has ended", id="end"),
        pytest.param(
            lambda pages: pages.take([in_thread("one")]),
            "not live: the server is of another version; reload the page",
            id="version",
        ),
    ],
)
def test_a_page_says_why_it_does_not_grow_any_more(
    act: Callable[[Growing], None], said: str, tab: Tab, monkeypatch: Any
) -> None:
    pages = Growing("log.sse", Recording)
    with serving(pages) as address:
        open_live(tab, address)
        if "version" in said:
            monkeypatch.setattr("chatkit_reducer.view.growing.VERSION", 0)
        act(pages)
        tab.until(f"document.getElementById('live').textContent === {said!r}")
        assert tab.complaints == []


def test_a_page_waits_for_its_server(tab: Tab) -> None:
    pages = Growing("log.sse", Recording)
    with serving(pages) as address:
        open_live(tab, address)
    tab.until("document.getElementById('live').textContent === 'not live: waiting for the server'")
    with serving(pages, int(address.split(":")[2].split("/")[0])):
        tab.until("document.getElementById('live').textContent === 'not live: reload the page'")


# --- responses that are watched -------------------------------------------------------------------


def test_a_response_that_is_watched_grows_on_its_page(tab: Tab) -> None:
    watcher = Watcher(debug=True)
    response = watcher.watch(ThreadState(), KEEP)
    with mounted(watcher) as address:
        tab.open(address)
        assert tab.evaluate("document.querySelector('td:nth-child(5)').textContent") == "goes on"
        open_live(tab, tab.evaluate("document.querySelector('a').href"))
        for event in (added(message("m", "")), text_delta("m", "One"), text_delta("m", " two")):
            response.take(event)
        tab.until("document.getElementById('range').max === '3'")
        shown = "document.querySelector('#seen-chat .md').textContent"
        assert tab.evaluate(shown) == "One two"
        response.finish(settle(fold([]), policy=KEEP, cause="ended"), None)
        tab.until("document.getElementById('live').textContent === 'the stream has ended'")
        assert tab.evaluate(shown) == "One two"
        assert tab.complaints == []
        tab.open(address)
        assert tab.evaluate("document.querySelector('td:nth-child(5)').textContent") == "ended"
        assert tab.complaints == []


@pytest.mark.parametrize("media", [LIGHT, DARK], ids=["light", "dark"])
def test_axe_finds_nothing_in_a_list_of_responses_and_in_a_live_page(
    media: dict[str, str], browser: Browser
) -> None:
    watcher = Watcher(debug=True)
    with mounted(watcher) as address, browser.tab(width=1440, height=900, media=media) as tab:
        tab.open(address)
        assert axe_violations(tab) == []
        ended, going_on = (watcher.watch(ThreadState(), KEEP) for _ in range(2))
        for response in (ended, going_on):
            response.take(added(message("m", "")))
            response.take(text_delta("m", "One"))
        ended.finish(settle(fold([]), policy=KEEP, cause="cancelled"), None)
        tab.open(address)
        assert axe_violations(tab) == []
        open_live(tab, tab.evaluate("document.querySelector('a').href"))
        assert axe_violations(tab) == []
        going_on.finish(settle(fold([]), policy=KEEP, cause="ended"), None)
        tab.until("document.getElementById('live').textContent === 'the stream has ended'")
        assert axe_violations(tab) == []
