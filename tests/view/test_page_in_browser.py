"""The page in a real browser: it shows its data, asks for nothing, and people can use it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from chatkit_reducer import encode
from chatkit_reducer.analysis.sweep_summary import KINDS, SweepResult, share_text
from chatkit_reducer.analysis.sweeping import sweep_threads
from chatkit_reducer.core.codec import from_json
from chatkit_reducer.core.policy.table import Cause
from chatkit_reducer.core.policy.toml import from_toml
from chatkit_reducer.core.visible import id_text
from chatkit_reducer.events import Event, Json, Unreadable
from chatkit_reducer.logs import read, write
from chatkit_reducer.policies import PRESETS
from chatkit_reducer.testing.examples import (
    added,
    annotation_added,
    citation,
    done,
    item,
    message,
    text_delta,
)
from chatkit_reducer.view import view
from chatkit_reducer.view.page import Page
from tests.support import cli
from tests.support.chromium import Browser, Tab
from tests.support.paths import ROOT
from tests.view.accessibility import DARK, LIGHT, OF_COLOURS, axe_violations
from tests.view.hostile import hostile_events
from tests.view.pages import RECORDINGS, columns_at, data_of, saved, stored_before

WIDGET = ROOT / "docs" / "recordings" / "streamed-widget.sse"
WORST = 10
"""The stop of this recording at which most is lost under `sdk`."""
MOST_STEPS = 60
"""A longer recording is looked at in so many places."""

IN_THE_PAGE = (Path(__file__).parent / "in_the_page.js").read_text(encoding="utf-8")


def ask(tab: Tab, expression: str) -> Any:
    """The value of an expression that may use the functions of `in_the_page.js`."""
    return tab.evaluate(f"{{ {IN_THE_PAGE} }} {expression}")


TABLE = "<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td><strong>2</strong></td></tr></table>"


@pytest.fixture(scope="module")
def widget(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of the page of a short recording."""
    file = tmp_path_factory.mktemp("pages") / "widget.html"
    view(WIDGET).save(file)
    return file.as_uri()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("pages") / "hostile.html"
    view(hostile_events(), name="</title><script>window.pwned=1</script>").save(file)
    return file.as_uri()


def texts_of(selector: str) -> str:
    """An expression for the texts of all elements that a selector finds."""
    return f"[...document.querySelectorAll('{selector}')].map((each) => each.innerText)"


# --- the page shows what its data say -------------------------------------------------------------


@pytest.fixture(scope="module")
def shared(browser: Browser) -> Iterator[Tab]:
    """A tab for all recordings: a new one costs more than to open a page."""
    with browser.tab() as opened:
        yield opened


@pytest.mark.parametrize("log", RECORDINGS, ids=lambda log: log.stem)
def test_every_step_shows_what_the_data_say(log: Path, shared: Tab, tmp_path: Path) -> None:
    data = data_of(log)
    (block,) = data["threads"]
    address = saved(data, tmp_path)
    shared.open(address)
    steps = list(range(0, block["n"] + 1, max(1, block["n"] // MOST_STEPS)))
    shown = ask(shared, f"readSteps({steps})")

    cause = block["causes"].index("cancelled")
    events = list(read(log))
    for step, columns in zip(steps, shown, strict=True):
        raw = columns.pop("raw")
        assert columns == columns_at(block, step, cause), f"after event {step}"
        if step:
            event = events[step - 1]
            assert not isinstance(event, Unreadable)
            assert raw == json.loads(encode(event))
    assert_figures_are_those_of_sweep(log, shared)
    assert shared.complaints == []
    assert shared.requests == [address]


def assert_figures_are_those_of_sweep(log: Path, tab: Tab) -> None:
    for cause, shown in zip(Cause, ask(tab, "readFigures()"), strict=True):
        (swept,) = sweep_threads(log, PRESETS.values(), cause, stored_before(log)).values()
        summaries = SweepResult(None, list(PRESETS), swept.stops).summaries
        for summary, (worst, amount, mean, losing, stale) in zip(summaries, shown, strict=True):
            assert worst == (None if summary.worst is None else summary.worst.at)
            assert amount == [getattr(summary.amount, kind) for kind in KINDS]
            assert mean == pytest.approx(summary.mean_share)
            assert (losing, stale) == (summary.losing, summary.stale)


def test_the_sums_say_how_much_is_lost_and_lead_to_the_worst_stop(tab: Tab, widget: str) -> None:
    tab.open(widget)
    sums = tab.evaluate(texts_of(".policy-sum"))
    assert [each.splitlines() for each in sums] == [
        [f"{share_text(0.7333)} lost", f"worst at {WORST}"],
        ["nothing lost", "at any stop"],
        ["100% lost", f"worst at {WORST}"],
    ]
    tab.evaluate("document.querySelector('.policy-sum button').click()")
    tab.frame()
    assert tab.evaluate("chatkitView.page.step") == WORST


def test_each_thread_of_a_log_can_be_chosen(tab: Tab, tmp_path: Path) -> None:
    def in_thread(thread: str) -> list[Event]:
        return [added({**message(f"m_{thread}", "Hi"), "thread_id": thread})]

    file = tmp_path / "page.html"
    log = tmp_path / "log.jsonl"
    write(log, [*in_thread("one"), *in_thread("two")])
    view(log).save(file)
    tab.open(file.as_uri())
    options = tab.evaluate(texts_of("#thread option"))
    assert options == ["one", "two"]
    tab.evaluate(
        "const select = document.getElementById('thread');"
        "select.value = '1'; select.dispatchEvent(new Event('change'))"
    )
    assert tab.evaluate("document.querySelector('#seen-chat .id').textContent") == "m_two"
    assert "--at 2 " in tab.evaluate("document.getElementById('a-command').textContent")

    view(log, at=2).save(file)
    tab.open(file.as_uri())
    assert tab.evaluate("document.getElementById('thread').value") == "1"


def test_places_are_those_of_the_log_in_all_of_its_threads(tab: Tab, tmp_path: Path) -> None:
    """In the address, as in commands; the page counts the events of its thread."""
    threads = ["one", "two", "one", "two", "two"]
    events = [
        added({**message(f"m{number}", "Hi"), "thread_id": thread})
        for number, thread in enumerate(threads)
    ]
    view(events).save(tmp_path / "page.html")
    tab.open(f"{(tmp_path / 'page.html').as_uri()}#at=4&thread=2")
    assert tab.evaluate("chatkitView.page.step") == 2
    of = tab.evaluate("document.getElementById('of').textContent")
    assert of == " of 3 events, 4 in the log"
    tab.press("End")
    tab.until("location.hash.includes('at=5&')")


def test_the_command_of_a_column_is_the_same_stop(
    tab: Tab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    log, policy, stored = "-it's/~a log.jsonl", "pol/mine.toml", "what's stored.json"
    for name in (log, policy):
        Path(name).parent.mkdir()
    write(log, [added(message("m", "")), text_delta("m", "Once"), text_delta("m", " upon")])
    Path(policy).write_text('name = "no half"\nbase = "keep"\n', encoding="utf-8")
    Path(stored).write_text("[]", encoding="utf-8")
    options = ("--policy", policy, "--stored", stored)
    cli.shown("view", *options, "-o", "page.html", f"./{log}")

    tab.open(f"{(tmp_path / 'page.html').as_uri()}#at=2")
    program, *words = shlex.split(command_in(tab, "a"))
    assert program == "chatkit-reducer"
    expected = ("--at", 2, "--cause", "cancelled")
    assert cli.printed(*words) == cli.printed("cancel", f"./{log}", *map(str, expected), *options)
    assert shlex.split(command_in(tab, "b"))[5:7] == ["--policy", "sdk"]


def test_there_is_no_command_where_none_works(tab: Tab, tmp_path: Path) -> None:
    mine = from_toml('name = "mine"\nbase = "keep"\n')
    view(WIDGET, policies=[mine]).save(tmp_path / "page.html")
    tab.open((tmp_path / "page.html").as_uri())
    assert command_in(tab, "a") == ""
    assert str(WIDGET) in command_in(tab, "b")
    view([added(message("m", "Hi"))]).save(tmp_path / "page.html")
    tab.open((tmp_path / "page.html").as_uri())
    assert command_in(tab, "b") == ""


def command_in(tab: Tab, side: str) -> str:
    """The command that a column shows; empty if none is to be seen."""
    text: str = tab.evaluate(f"document.querySelector('#col-{side} .command').innerText")
    is_shown = tab.evaluate(f"document.getElementById('{side}-copy').checkVisibility()")
    return text.removesuffix("copy").strip() if is_shown else ""


@pytest.mark.parametrize("width", [800, 1440])
def test_no_title_hides_or_turns_what_stands_beside_it(
    width: int, browser: Browser, tmp_path: Path
) -> None:
    title = "\u202e" + "a long title " * 200
    created = from_json({"type": "thread.created", "thread": {"id": "thr_1", "title": title}})
    view([created, added(message("m", ""))], name="session.sse").save(tmp_path / "page.html")
    with browser.tab(width=width) as tab:
        tab.open((tmp_path / "page.html").as_uri())
        name, *facts = ask(tab, "placesOf('.top h1, #meta > *')")
        texts = [each["text"].removeprefix("\u00a0\u00b7 ") for each in facts]
        assert texts == [title, "thr_1", "1 item"]
        assert not name["isCut"]
        assert [each["isCut"] for each in facts] == [True, False, False]
        assert tab.evaluate("document.documentElement.scrollWidth") == width
    ends = [end for each in (name, *facts) for end in (each["left"], each["right"])]
    assert ends == sorted(ends)


def test_a_page_opens_at_its_start_and_at_its_address(tab: Tab, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    view(WIDGET, policies=[PRESETS["drop"]], at=WORST, cause="crashed").save(file)
    state = "({step, a, b, cause} = chatkitView.page, [step, a, b, cause])"
    tab.open(file.as_uri())
    assert tab.evaluate(state) == [WORST, 0, 1, list(Cause).index(Cause.CRASHED)]
    tab.open(f"{file.as_uri()}#at=4&a=keep&b=drop&cause=failed&embed=1&theme=dark")
    assert tab.evaluate(state) == [4, 2, 0, list(Cause).index(Cause.FAILED)]
    assert tab.evaluate("getComputedStyle(document.querySelector('.top')).display") == "none"
    assert tab.evaluate("getComputedStyle(document.body).colorScheme") == "dark"


# --- the page is safe -----------------------------------------------------------------------------


def test_nothing_of_a_hostile_log_becomes_markup(tab: Tab, hostile: str) -> None:
    tab.open(hostile)
    assert tab.evaluate("chatkitView.page.thread.last") == len(hostile_events())
    assert ask(tab, "findMarkupOfAllSteps()") == []
    assert tab.evaluate("window.pwned") is None
    assert tab.complaints == []
    assert tab.requests == [hostile]


@pytest.mark.parametrize(
    ("tree", "html"),
    [
        (["script", 0, "x"], ""),
        (["svg:script", 0, "x"], ""),
        (["iframe", {"src": "http://evil.example"}], ""),
        (["div", {"onclick": "x", "style": "color:red", "id": "app"}, "t"], "<div>t</div>"),
        (["a", {"href": "javascript:x"}, "t"], "<a>t</a>"),
        (["img", {"src": "http://evil.example/x.png"}], "<img>"),
        (["img", {"src": "data:image/svg+xml;base64,AAAA"}], "<img>"),
        (["div", {"css": {"background": "url(//evil.example)"}}], "<div></div>"),
        (
            ["div", {"css": {"position": "fixed", "color": "red"}}],
            '<div style="color: red;"></div>',
        ),
        (["p", 0, "<b>", ["b", 0, "x"]], "<p>&lt;b&gt;<b>x</b></p>"),
    ],
)
def test_the_script_builds_only_elements_of_its_lists(
    tree: Any, html: str, shared: Tab, widget: str
) -> None:
    """Whatever the data say: the lists of the drawing, in Python, are another fence."""
    shared.open(widget)
    built = f"chatkitView.page.builder.build({json.dumps(tree)}, [])"
    assert shared.evaluate(f"{built}.outerHTML ?? {built}.textContent") == html
    assert shared.requests == [widget]


@pytest.mark.parametrize(
    ("source", "html"),
    [
        (
            "a **b** *c* `d` ~~e~~",
            "<p>a <strong>b</strong> <em>c</em> <code>d</code> <del>e</del></p>",
        ),
        ("# One\n## Two", "<h1>One</h1><h2>Two</h2>"),
        ("a\nb\n\nc", "<p>a\nb</p>|<p>c</p>"),
        ("- a\n- b\n  - c\n- d", "<ul><li>a</li><li>b<ul><li>c</li></ul></li><li>d</li></ul>"),
        ("1. a\n\n2. b\n\n3. c", "<ol><li>a</li><li>b</li><li>c</li></ol>"),
        ("7. a", '<ol start="7"><li>a</li></ol>'),
        ("> a\n> b", "<blockquote><p>a\nb</p></blockquote>"),
        ("```py\n# x\n\ny\n```\nz", "<pre><code># x\n\ny</code></pre><p>z</p>"),
        ("|a|b|\n|-|-|\n|1|**2**|", TABLE),
        ("a\n\n---\n\nb", "<p>a</p>|<hr>|<p>b</p>"),
        ("snake_case_name and 2 * 3 * 4", "<p>snake_case_name and 2 * 3 * 4</p>"),
        (r"\*not\*", "<p>*not*</p>"),
        ("**open and <b>tag</b>", "<p>**open and &lt;b&gt;tag&lt;/b&gt;</p>"),
        (
            "[t](javascript:x)",
            '<p><span class="nolink" title="not a link: javascript:x">t</span></p>',
        ),
    ],
)
def test_markdown_becomes_elements(source: str, html: str, shared: Tab, widget: str) -> None:
    shared.open(widget)
    assert shown_markdown(shared, source) == html


def shown_markdown(tab: Tab, source: str, cites: Any = (), fresh: int = -1) -> Any:
    """The segments of a text as HTML."""
    return tab.evaluate(f"""(() => {{
      const node = document.createElement("div");
      chatkitView.showMarkdown(node, {json.dumps(source)}, {json.dumps(list(cites))}, {fresh});
      return [...node.children].map((segment) => segment.innerHTML).join("|");
    }})()""")


def test_citations_and_the_newest_delta_are_marked_in_markdown(shared: Tab, widget: str) -> None:
    shared.open(widget)
    text = "\U0001f600 **moon** far"
    assert shown_markdown(shared, text, [[10, 1], [1000, 2]], len("\U0001f600 **moon** ") + 1) == (
        "<p>\U0001f600 <strong>moon</strong>"
        '<sup class="cite">1</sup> <mark class="fresh">far</mark><sup class="cite">2</sup></p>'
    )


@pytest.mark.parametrize(
    ("text", "fresh", "html"),
    [
        ("see [the", 5, '<p>see [<mark class="fresh">the</mark></p>'),
        ("1. a", 1, '<ol><li><mark class="fresh">a</mark></li></ol>'),
        ("a\n## b", 1, '<p>a</p><h2><mark class="fresh">b</mark></h2>'),
        ("**a**", 1, '<p><strong><mark class="fresh">a</mark></strong></p>'),
        ("**a** b", 3, '<p><strong>a</strong><mark class="fresh"> b</mark></p>'),
        ("> - a", 2, '<blockquote><ul><li><mark class="fresh">a</mark></li></ul></blockquote>'),
        ("```\na", 1, '<pre><code><mark class="fresh">a</mark></code></pre>'),
        ("a **", 2, "<p>a **</p>"),
    ],
)
def test_the_sign_of_the_newest_delta_breaks_no_mark(
    text: str, fresh: int, html: str, shared: Tab, widget: str
) -> None:
    shared.open(widget)
    assert shown_markdown(shared, text, (), fresh) == html


def test_only_the_newest_delta_is_lit(tab: Tab, tmp_path: Path) -> None:
    events: list[Event] = [
        added(message("m", "")),
        text_delta("m", "a\n\nb\n\nc"),
        text_delta("m", " d"),
    ]
    file = tmp_path / "page.html"
    view(events).save(file)
    tab.open(f"{file.as_uri()}#at=2")
    lit = texts_of("#seen-chat .fresh")
    assert tab.evaluate(lit) == ["a", "b", "c"]
    tab.press("ArrowRight")
    assert tab.evaluate(lit) == [" d"]
    tab.press("ArrowLeft")
    assert tab.evaluate(lit) == ["a", "b", "c"]
    assert tab.evaluate("document.querySelectorAll('#a-chat .fresh').length") == 0


def test_an_item_without_news_is_kept_as_it_is_stored(tab: Tab, tmp_path: Path) -> None:
    data = data_of(ROOT / "docs" / "recordings" / "widget-updated-later.sse")
    (block,) = data["threads"]
    for policy in block["policies"]:
        policy["d"] = [[-1] * len(block["causes"]) for _ in policy["d"]]
    tab.open(saved(data, tmp_path))
    last, cause = block["n"], block["causes"].index("cancelled")
    (columns,) = ask(tab, f"readSteps([{last}])")
    assert columns["a"] == columns_at(block, last, cause)["a"] != columns["seen"]
    verdict = tab.evaluate("document.querySelector('#a-chat .verdict').innerText")
    assert verdict == f"kept \u00b7 {block['no_news']['reason']}"


def test_the_policy_of_the_page_blocks_what_is_injected(tab: Tab, widget: str) -> None:
    tab.open(widget)
    blocked = ask(tab, "tryToInject()")
    assert blocked == ["connect-src", "img-src", "script-src-elem", "style-src-elem"]
    assert tab.evaluate("window.pwned") is None
    assert tab.evaluate("getComputedStyle(document.body).display") == "block"


# --- the page works where scripts may not, or only in a frame -------------------------------------


def test_without_scripts_the_end_of_the_stream_is_shown(tab: Tab, widget: str) -> None:
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    tab.open(widget)
    text = tab.evaluate("document.body.innerText")
    assert "What people see at the end" in text
    assert "It is **far** away." in text
    assert "lost 31 characters, 1 widget" in text
    assert tab.evaluate("document.getElementById('app').hidden")


@pytest.mark.parametrize(
    "fault", ["delete globalThis.DecompressionStream", "globalThis.atob = () => 'x'"]
)
def test_a_browser_that_cannot_unpack_the_script_shows_the_end_of_the_stream(
    tab: Tab, widget: str, fault: str
) -> None:
    tab.call("Page.addScriptToEvaluateOnNewDocument", source=fault)
    tab.open(widget)
    assert "What people see at the end" in tab.evaluate("document.body.innerText")
    assert tab.evaluate("document.getElementById('app').hidden")


def test_the_packed_script_is_gone_once_it_runs(shared: Tab, widget: str) -> None:
    shared.open(widget)
    assert shared.evaluate("document.getElementById('packed') === null")


def test_each_of_many_citations_is_marked_in_its_text(tab: Tab, tmp_path: Path) -> None:
    events: list[Event] = [added(message("m", "word " * 70))]
    events += [annotation_added("m", citation(str(i), at=5 * i), i) for i in range(70)]
    view(events, at=71).save(tmp_path / "page.html")
    tab.open((tmp_path / "page.html").as_uri())
    marks = tab.evaluate(
        "[...document.querySelectorAll('#seen-chat .cite')].map((e) => e.innerText)"
    )
    assert marks == [str(i + 1) for i in range(70)]


class _Strict(BaseHTTPRequestHandler):
    """Serves a page as Jenkins does by default."""

    def __init__(self, page: bytes, *args: Any) -> None:
        self._page = page
        super().__init__(*args)

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        policy = "sandbox allow-same-origin; default-src 'none'; img-src 'self'; style-src 'self'"
        self.send_header("Content-Security-Policy", policy)
        self.end_headers()
        self.wfile.write(self._page)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def test_below_the_header_of_jenkins_the_end_of_the_stream_is_shown(tab: Tab) -> None:
    html = str(view(WIDGET)).encode()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Strict, html))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        tab.open(f"http://127.0.0.1:{server.server_port}/")
        assert "What people see at the end" in tab.evaluate("document.body.innerText")
        assert tab.evaluate("typeof chatkitView") == "undefined"
    finally:
        server.shutdown()
        server.server_close()


def test_the_frame_of_a_notebook_shows_the_page(tab: Tab, tmp_path: Path) -> None:
    file = tmp_path / "notebook.html"
    # An encoding that is not that of the page.
    html = f'<meta charset="latin-1"><body>{view(WIDGET)._repr_html_()}'
    file.write_bytes(html.encode("ascii"))
    tab.open(file.as_uri())
    (frame,) = tab.call("Page.getFrameTree")["frameTree"]["childFrames"]
    world = tab.call("Page.createIsolatedWorld", frameId=frame["frame"]["id"])
    read = "document.documentElement.dataset.ready + document.getElementById('of').textContent"
    text = tab.call("Runtime.evaluate", expression=read, contextId=world["executionContextId"])
    assert text["result"]["value"] == " of 18 events"
    assert tab.complaints == []


# --- everybody can use it -------------------------------------------------------------------------

STATES = {
    "light": ((1440, 900), LIGHT, ""),
    "dark": ((1440, 900), DARK, ""),
    "embedded": ((730, 480), LIGHT, "&embed=1"),
    "embedded, narrow": ((390, 600), LIGHT, "&embed=1"),
    "narrow": ((390, 844), LIGHT, ""),
    "narrow, dark": ((390, 844), DARK, ""),
}


@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing(state: str, browser: Browser, widget: str) -> None:
    (width, height), media, more = STATES[state]
    with browser.tab(width=width, height=height, media=media) as tab:
        tab.open(f"{widget}#at={WORST}{more}")
        assert axe_violations(tab) == []


@pytest.mark.parametrize(
    ("media", "rules"), [(LIGHT, ()), (DARK, OF_COLOURS)], ids=["light", "dark"]
)
def test_axe_finds_nothing_in_each_tab(
    media: dict[str, str], rules: tuple[str, ...], browser: Browser, tmp_path: Path
) -> None:
    log = ROOT / "docs" / "recordings" / "workflow-with-equal-tasks.sse"
    with browser.tab(media=media) as tab:
        tab.open(saved(data_of(log), tmp_path) + "#at=5")
        for key in ("e", "r", "f", "?"):
            tab.press(key)
            assert axe_violations(tab, *rules) == [], key


def test_axe_finds_nothing_in_a_narrow_window_on_any_tab(browser: Browser, widget: str) -> None:
    with browser.tab(width=390, height=844) as tab:
        tab.open(f"{widget}#at={WORST}")
        for name in ("a", "b", "side"):
            tab.evaluate(f"document.querySelector('[data-view={name}]').click()")
            assert axe_violations(tab) == [], name


SHOWN = "[...document.querySelectorAll('.column')].filter((e) => e.checkVisibility())"
OUTSIDE = """
[...document.querySelectorAll('#app :is(button, .what, .column, .sum, .said)')]
  .filter((each) => each.checkVisibility())
  .map((each) => [each.id || each.className, each.getBoundingClientRect()])
  .filter(([, { left, right }]) => left < 0 || right > innerWidth)
  .map(([name]) => name)
"""


@pytest.mark.parametrize(("width", "at_once"), [(390, 1), (560, 1), (561, 3), (640, 3)])
def test_all_columns_can_be_reached_in_a_frame_however_narrow(
    width: int, at_once: int, browser: Browser, widget: str
) -> None:
    with browser.tab(width=width, height=600) as tab:
        tab.open(f"{widget}#at={WORST}&embed=1")
        assert tab.evaluate(f"{SHOWN}.length") == at_once
        assert tab.evaluate(OUTSIDE) == []
        if at_once == 1:
            tab.evaluate("document.querySelector('[data-view=seen]').focus()")
            shown = []
            for _ in range(4):
                shown += tab.evaluate(f"{SHOWN}.map((each) => each.id)")
                assert tab.evaluate(OUTSIDE) == []
                assert tab.evaluate("document.documentElement.scrollWidth") <= width
                tab.press("ArrowRight")
            assert shown == ["col-seen", "col-a", "col-b", "col-seen"]


def test_axe_finds_nothing_in_the_static_page(tab: Tab, widget: str) -> None:
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    tab.open(widget)
    tab.call("Emulation.setScriptExecutionDisabled", value=False)
    assert axe_violations(tab) == []


STATE = """(() => {
  const { step, a, b, cause, tab, theme, isLinked } = chatkitView.page;
  return { step, a, b, cause, tab, theme, isLinked };
})()"""


CHANGES: dict[str, Json] = {
    "ArrowLeft": {"step": 9},
    "ArrowRight": {"step": 11},
    "j": {"step": 11},
    "k": {"step": 9},
    "Home": {"step": 0},
    "End": {"step": 18},
    "PageUp": {"step": 0},
    "PageDown": {"step": 18},
    "a": {"a": 1},
    "b": {"b": 2},
    "c": {"cause": 2},
    "C": {"cause": 0},
    "e": {"tab": "event"},
    "r": {"tab": "table"},
    "f": {"tab": "findings"},
    "l": {"isLinked": True},
    "t": {"theme": "dark"},
    "x": {},
    "n": {},
}


def test_a_key_does_what_the_help_says(tab: Tab, widget: str) -> None:
    for key, change in CHANGES.items():
        tab.open("about:blank")
        tab.open(f"{widget}#at={WORST}")
        before = tab.evaluate(STATE)
        tab.press(key)
        assert tab.evaluate(STATE) == {**before, **change}, key
        assert tab.complaints == []


def test_keys_lead_to_the_worst_stop_and_to_findings(tab: Tab, tmp_path: Path) -> None:
    log = ROOT / "docs" / "recordings" / "workflow-with-equal-tasks.sse"
    data = data_of(log)
    tab.open(saved(data, tmp_path))
    tab.press("w")
    assert tab.evaluate("chatkitView.page.step") == 4
    tab.press("n")
    assert tab.evaluate("chatkitView.page.step") == data["threads"][0]["findings"][0]["step"]
    assert tab.evaluate("document.querySelector('.finding b').textContent") == "difference"


def test_a_run_of_deltas_is_one_step_for_the_keys_j_and_k(tab: Tab, tmp_path: Path) -> None:
    events: list[Event] = [added(message("m", "")), *(text_delta("m", f"{i} ") for i in range(50))]
    file = tmp_path / "page.html"
    view(events).save(file)
    tab.open(f"{file.as_uri()}#at=1")
    tab.press("j")
    assert tab.evaluate("chatkitView.page.step") == 51
    tab.press("ArrowLeft", shift=True)
    assert tab.evaluate("chatkitView.page.step") == 1


def test_arrows_move_in_the_list_of_events(tab: Tab, widget: str) -> None:
    tab.open(f"{widget}#at={WORST}")
    tab.evaluate("document.getElementById('events').focus()")
    tab.press("ArrowDown")
    assert tab.evaluate("chatkitView.page.step") == WORST + 1
    tab.press("ArrowUp")
    tab.press("ArrowUp")
    assert tab.evaluate("chatkitView.page.step") == WORST - 1


def test_a_log_without_events_has_a_page(tab: Tab, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    view([]).save(file)
    tab.open(file.as_uri())
    for key in ("ArrowRight", "ArrowLeft", "j", "k", "w", "n", "r", "x", "End", " "):
        tab.press(key)
    assert (
        tab.evaluate("document.getElementById('empty').innerText") == "Nothing on the screen yet."
    )
    assert tab.complaints == []


def test_space_plays_to_the_end(tab: Tab, widget: str) -> None:
    tab.open(f"{widget}#at=16")
    ask(tab, "noteLabels('play')")
    tab.press(" ")
    tab.until("labels.length === 2")
    assert tab.evaluate("labels") == ["pause", "play"]
    assert tab.evaluate("chatkitView.page.step") == 18


def test_all_of_the_page_can_be_reached_with_the_tab_key(tab: Tab, widget: str) -> None:
    tab.open(f"{widget}#at={WORST}")
    reached = set()
    for _ in range(60):
        tab.call(
            "Input.dispatchKeyEvent", type="keyDown", key="Tab", code="Tab", windowsVirtualKeyCode=9
        )
        tab.call(
            "Input.dispatchKeyEvent", type="keyUp", key="Tab", code="Tab", windowsVirtualKeyCode=9
        )
        reached.add(tab.evaluate("document.activeElement.id || document.activeElement.className"))
    assert {
        "first",
        "play",
        "range",
        "events",
        "tab-event",
        "pane",
        "theme",
        "help",
        "a-copy",
    } <= reached
    assert {"lane-name", "verdict", "scroll"} <= reached


@pytest.mark.parametrize(("wish", "moving"), [("no-preference", True), ("reduce", False)])
def test_nothing_moves_for_a_reader_who_wants_that(
    wish: str, moving: bool, browser: Browser, widget: str
) -> None:
    with browser.tab(media={"prefers-reduced-motion": wish}) as tab:
        tab.open(f"{widget}#at={WORST}")
        running = tab.evaluate(
            "document.getAnimations().filter((a) => a.playState === 'running').length"
        )
        assert bool(running) is moving


def test_the_axis_can_be_of_time_if_the_log_has_times(tab: Tab, tmp_path: Path) -> None:
    events: list[Event] = [added(message("m", "")), text_delta("m", "a"), text_delta("m", "b")]
    lines = [
        json.dumps({"ts": 1_700_000_000 + 10 * i, "event": json.loads(encode(event))})
        for i, event in enumerate(events)
    ]
    log = tmp_path / "timed.jsonl"
    log.write_text("\n".join(lines), encoding="utf-8")
    data = data_of(log)
    assert data["threads"][0]["times"] is not None
    tab.open(saved(data, tmp_path))
    tab.press("x")
    ticks = tab.evaluate(texts_of(".ticks span"))
    assert ticks[0] == "0 s"
    assert ticks[-1] == "20 s"
    assert tab.evaluate("document.documentElement.className") == "by-time"
    assert tab.complaints == []


def test_linked_columns_scroll_together(browser: Browser, tmp_path: Path) -> None:
    events = [added(message(f"m{i}", "word " * 60)) for i in range(20)]
    file = tmp_path / "page.html"
    view(events).save(file)
    with browser.tab(height=600) as tab:
        tab.open(file.as_uri())
        assert len(set(ask(tab, "scrollFirst()"))) == 2  # one has moved, and two have not
        tab.press("l")
        tops = ask(tab, "scrollFirst()")
    assert len(set(tops)) == 1
    assert tops[0] != "assistant m0"


def test_of_a_long_text_the_end_is_shown_until_all_is_asked_for(tab: Tab, tmp_path: Path) -> None:
    text = "\U0001f600" * 6_000
    events: list[Event] = [added(message("m", "")), text_delta("m", text)]
    file = tmp_path / "page.html"
    view(events).save(file)
    tab.open(file.as_uri())
    above = "document.querySelector('#seen-chat .more')"
    part = "document.querySelector('#seen-chat .part').textContent"
    shown = f"[...{part}].filter((each) => each.length === 2).length"
    hidden = int(tab.evaluate(f"{above}.textContent").split()[1].replace(",", ""))
    assert 0 < hidden == len(text) - tab.evaluate(shown)
    tab.evaluate(f"{above}.click()")
    assert tab.evaluate(shown) == len(text)
    assert tab.evaluate(above) is None


def test_a_page_can_be_larger_than_its_window_of_items(tab: Tab, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    Page(
        _many_items(),
    ).save(file)
    tab.open(file.as_uri())
    count = "document.querySelectorAll('#seen-chat > .slot').length"
    assert tab.evaluate(count) == 60
    tab.evaluate("document.querySelector('#seen-chat > .more').click()")
    assert tab.evaluate(count) == 100


def test_one_item_more_moves_none_of_the_others(tab: Tab, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    Page(_many_items()).save(file)
    tab.open(f"{file.as_uri()}#at=80")
    observed = """
        (async () => {
          const seen = [], note = (records) => seen.push(...records);
          const observer = new MutationObserver(note);
          observer.observe(document.getElementById("seen-chat"), { childList: true });
          chatkitView.show(81);
          note(observer.takeRecords());
          return seen.flatMap((each) => [...each.addedNodes, ...each.removedNodes]).length;
        })()
    """
    assert tab.evaluate(observed) == 2  # the new one, and the oldest of those that were shown


def _many_items() -> Json:
    from chatkit_reducer.testing.examples import done
    from chatkit_reducer.view.recording import Recording

    recording = Recording()
    for number in range(100):
        recording.take(done(message(f"m{number}", "Hi")))
    return recording.data("many")


def test_an_item_of_which_nothing_is_counted_is_not_passed_over(tab: Tab, tmp_path: Path) -> None:
    call = item("c", "client_tool_call", name="ask", call_id="1", arguments={})
    events: list[Event] = [done(message("m", "Hi")), added(call)]
    page = view(events, policies=[PRESETS["drop"], PRESETS["keep"]], name="call")
    page.save(tmp_path / "page.html")
    tab.open((tmp_path / "page.html").as_uri())
    sums = tab.evaluate(texts_of(".policy-sum"))
    assert sums[:2] == ["1 item lost\nworst at 2", "nothing lost\nat any stop"]
    assert tab.evaluate("document.getElementById('a-sum').innerText") == "lost 1 item"
    assert tab.evaluate("document.getElementById('b-sum').innerText") == "kept 1 item"
    seen = tab.evaluate("document.getElementById('seen-sum').innerText")
    assert seen == "1 item in flight: nothing in it is counted"
    tab.press("Home")
    tab.press("w")
    assert tab.evaluate("chatkitView.page.step") == 2


ODD_IDS = [
    "",
    "msg_1",
    "a\\b",
    " a  b ",
    "m\u200b1",
    "m\u202e1",
    "m\U000e0041",
    "m\ufe0f1",
    "e\u0301",
    "\u00e9\u4e2d\U0001f44d",
    "\u1160\u3164\u2800",
    "\u1100\u1161",
    "\x00\x7f\x85\xad\xa0",
    "\ufb01\u2126",
]


def test_an_id_is_shown_as_in_a_terminal(shared: Tab, widget: str) -> None:
    shared.open(widget)
    shown = shared.evaluate(f"{json.dumps(ODD_IDS)}.map(chatkitView.idText)")
    assert shown == [id_text(each) for each in ODD_IDS]


def test_no_id_of_an_item_or_a_thread_hides_what_is_in_it(tab: Tab, tmp_path: Path) -> None:
    odd = "m\u200b\u202e1"
    events = [
        added({**message(odd, "Hi"), "thread_id": thread}) for thread in ("one", "t\U000e0041")
    ]
    view(events, at=2).save(tmp_path / "page.html")
    tab.open((tmp_path / "page.html").as_uri())
    text = tab.evaluate("document.getElementById('app').innerText")
    assert r"m\u200b\u202e1" in text
    assert odd not in text
    assert tab.evaluate(texts_of("#thread option")) == ["one", r"t\U000e0041"]


def test_what_came_when_the_client_had_left_is_marked(tab: Tab, tmp_path: Path) -> None:
    def own(kind: str) -> Event:
        return from_json({"type": f"journal.{kind}"})

    deltas = [text_delta("m", word) for word in ("One", " two", " three")]
    events = [added(message("m", "")), own("left"), deltas[0], own("returned"), *deltas[1:]]
    view(events).save(tmp_path / "page.html")
    tab.open((tmp_path / "page.html").as_uri())
    said = [
        tab.evaluate(
            f"chatkitView.show({step}); document.getElementById('stage').innerText.includes('left')"
        )
        for step in range(len(events) + 1)
    ]
    assert said == [False, False, True, True, False, False, False]
