"""States, settlements and policies in a notebook: HTML and a style sheet, and no script."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given

from chatkit_reducer import Event, Policy, Row, Settlement, ThreadState, fold, policies, settle
from chatkit_reducer.core import described
from chatkit_reducer.core.codec import from_json
from chatkit_reducer.testing import strategies as chatkit
from chatkit_reducer.testing.examples import (
    added,
    citation,
    done,
    item,
    message,
    part,
    text_delta,
    user_message,
    workflow,
)
from chatkit_reducer.view import markup
from chatkit_reducer.view.drawing import draw
from chatkit_reducer.view.notebook import html_of
from tests.view.hostile import MARKUP, hostile_events

MARKDOWN_TAGS = {"p", "em", "strong", "s", "br", "table", "thead", "tbody", "tr", "th", "td"}
HEADINGS = {f"h{level}" for level in range(1, 7)}
OWN_TAGS = {"style", "details", "summary", "b"}
DRAWN_TAGS = {"a", "blockquote", "code", "div", "hr", "i", "img", "li", "ol", "pre", "small"}
DRAWN_TAGS |= {"span", "ul", "path", "rect", "svg"}
TAGS = MARKDOWN_TAGS | HEADINGS | OWN_TAGS | DRAWN_TAGS
ATTRIBUTES = {"alt", "aria-label", "class", "d", "fill", "height", "href", "opacity", "rel", "role"}
ATTRIBUTES |= {"rx", "src", "start", "stroke", "stroke-width", "style", "target", "title"}
ATTRIBUTES |= {"viewbox", "width", "x", "y"}
VOID = {"br", "hr", "img"}


class Read(HTMLParser):
    """The elements and the texts of HTML; that each element is closed is checked on the way."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["style"]:
            self.text += data


STATE = fold(
    [
        from_json({"type": "thread.created", "thread": {"id": "thr_1", "title": "Moons"}}),
        done(user_message("u", "How far?")),
        added(message("m", "It is **far")),
        text_delta("m", "**."),
        added(workflow("w", "Plan")),
    ]
)


def html(value: ThreadState | Settlement | Policy) -> str:
    """What a notebook is given."""
    found = value._repr_html_()
    assert found is not None
    assert found == html_of(value)
    return found


def test_a_state_shows_the_chat() -> None:
    shown = html(STATE)

    assert "<b>Moons</b><span>thr_1</span><span>3 items</span><span>2 pending</span>" in shown
    assert '<b>assistant message</b> <code>m</code> <span class="phase">pending</span>' in shown
    assert "How far?" in shown
    assert "It is <strong>far</strong>." in shown


def test_citations_have_their_numbers() -> None:
    cited = {**message("m"), "content": [part("Far.", citation("near", at=3))]}

    assert "Far[1]." in Read(html(fold([done(cited)]))).text


def test_what_went_wrong_stands_at_the_end() -> None:
    failed = from_json({"type": "error", "code": "stream.error", "message": "No."})
    state = fold([text_delta("nowhere", "x"), failed])

    assert "the stream failed: stream.error: No." in Read(html(state)).text
    assert "1 anomaly" in Read(html(state)).text
    assert "2 anomalies" in Read(html(fold([text_delta("x", "x"), text_delta("y", "y")]))).text


def test_the_empty_thread() -> None:
    assert "no items" in Read(html(ThreadState())).text


def test_a_settlement_has_a_column_for_each_fate() -> None:
    shown = html(settle(STATE, policy=policies.SDK, cause="cancelled"))

    columns = r'<div class="fate (\w+)">(.*?)(?=<div class="fate|$)'
    kept, stale, lost = re.findall(columns, shown, re.DOTALL)
    assert (kept[0], stale[0], lost[0]) == ("kept", "stale", "lost")
    assert "<code>m</code>" in kept[1]
    assert "nothing" in stale[1]
    assert "The SDK stores no other pending item." in lost[1]
    assert "<code>w</code>" in lost[1]
    assert "Stop responding to the prior request." in lost[1]


def test_a_kept_item_is_the_sealed_one() -> None:
    loading = workflow("w", "Plan")
    loading["workflow"]["tasks"][0]["status_indicator"] = "loading"
    settlement = settle(fold([added(loading)]), policy=policies.KEEP, cause="cancelled")

    (sealed,) = settlement.persist

    assert markup.html(draw(sealed.json_view())) in html(settlement)
    assert markup.html(draw(loading)) not in html(settlement)


def test_a_policy_is_its_table() -> None:
    mine = policies.KEEP.with_rows(Row(id="a<b*", decision="stale", reason="So & so."), name="mine")

    shown = html(mine)

    heads = re.findall("<th>(.*?)</th>", shown)
    assert heads == ["item", "id", "origin", "content", "cause", "decision", "reason"]
    assert shown.count("<tr>") == 1 + len(mine.rows)
    assert "<td>a&lt;b*</td>" in shown
    assert '<td class="decision stale">stale</td><td>So &amp; so.</td>' in shown
    assert "<th>id</th>" not in html(policies.KEEP)
    assert "told nothing" in html(Policy(name="p", rows=[Row(decision="stale", reason="So.")]))


# --- safety ---------------------------------------------------------------------------------------


def assert_safe(shown: str) -> None:
    """Nothing but elements of ours, and no address that could do anything."""
    read = Read(shown)
    assert {tag for tag, _ in read.elements} <= TAGS
    for tag, attributes in read.elements:
        assert attributes.keys() <= ATTRIBUTES, tag
        assert re.match("https?:|mailto:|$", attributes.get("href") or "", re.IGNORECASE)
        assert re.match("data:image/(png|jpeg|gif|webp|avif);|$", attributes.get("src") or "")
        assert "url(" not in (attributes.get("style") or "")


def test_nothing_of_a_hostile_log_is_markup() -> None:
    state = fold(hostile_events())
    settlement = settle(state, policy=policies.KEEP, cause="cancelled")
    policy = Policy(name=MARKUP, about=MARKUP, rows=[Row(decision="stale", reason=MARKUP)])

    for value in (state, settlement, policy):
        assert_safe(html(value))
        assert MARKUP in Read(html(value)).text


@given(chatkit.adversarial_streams(max_events=20) | chatkit.streams(max_items=5))
def test_any_state_and_settlement_can_be_shown(events: list[Event]) -> None:
    state = fold(events)

    assert_safe(html(state))
    assert_safe(html(settle(state, policy=policies.SDK, cause="failed")))


def test_the_styles_reach_nothing_outside() -> None:
    style, _, _ = html(STATE).removeprefix("<style>").partition("</style>")

    assert "@import" not in style
    assert "url(" not in style
    depth, selectors, begin = 0, [], 0
    for place, char in enumerate(style):
        if char == "{" and depth == 0:
            selectors += style[begin:place].strip().split(", ")
        depth += {"{": 1, "}": -1}.get(char, 0)
        begin = place + 1 if char == "}" else begin
    assert depth == 0
    assert [each for each in selectors if ".chatkit-reducer" not in each] == []
    assert 'body[data-jp-theme-light="false"] .chatkit-reducer' in selectors


def test_without_its_style_a_notebook_shows_the_repr() -> None:
    _, _, untrusted = html(STATE).partition("</style>")
    style = html(STATE)[: -len(untrusted)]

    assert untrusted.startswith(f'<pre class="chatkit-reducer-text">{escaped(repr(STATE))}</pre>')
    assert '<div class="chatkit-reducer" style="display: none">' in untrusted
    assert ".chatkit-reducer-text { display: none }" in style
    assert "display: block !important" in style


def escaped(text: str) -> str:
    """The text in HTML."""
    return text.replace("'", "&#x27;")


# --- bounds, and what is not there ----------------------------------------------------------------


def test_of_very_many_items_the_newest_are_shown() -> None:
    state = fold([done(message(f"m{number}", "x")) for number in range(60)])

    shown = html(state)

    assert "10 items above" in shown
    assert "<code>m9</code>" not in shown
    assert "<code>m10</code>" in shown


def test_a_very_long_text_is_cut() -> None:
    shown = Read(html(fold([done(message("m", "x" * 50_000))]))).text

    assert "30,000 characters more" in shown
    assert len(shown) < 25_000


def test_without_the_library_markdown_is_its_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "markdown_it", None)

    assert '<div class="md-source">It is **far**.</div>' in html_of(STATE)


def test_a_value_that_cannot_be_drawn_is_shown_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(value: Any) -> str:
        raise RuntimeError

    described.draw_with(fail)
    try:
        assert STATE._repr_html_() is None
    finally:
        described.draw_with(html_of)
    monkeypatch.setattr(described, "_DRAWINGS", [])
    assert policies.KEEP._repr_html_() is None


def test_hidden_items_say_so() -> None:
    state = fold([done(item("h", "hidden_context_item", content="x"))])

    assert "no client is shown this" in html(state)


def test_the_drawing_is_imported_when_it_is_used() -> None:
    code = (
        "import sys, chatkit_reducer\n"
        "views = lambda: [name for name in sys.modules if 'chatkit_reducer.view' in name]\n"
        "state = chatkit_reducer.fold([])\n"
        "repr(state), chatkit_reducer.policies.KEEP\n"
        "assert views() == []\n"
        "assert '<style>' in state._repr_html_()\n"
        "assert 'chatkit_reducer.view.notebook' in views()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
