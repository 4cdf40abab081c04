"""The HTML of a page: its policy, its static part, and the files that it is made of."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from chatkit_reducer.analysis.sweep_summary import KINDS, SweepResult
from chatkit_reducer.analysis.sweeping import sweep_threads
from chatkit_reducer.core.policy.table import Cause
from chatkit_reducer.events import Event, Json
from chatkit_reducer.palette import DARK, LIGHT
from chatkit_reducer.policies import PRESETS
from chatkit_reducer.testing.examples import added, done, item, message
from chatkit_reducer.view import Page, view
from chatkit_reducer.view.drawing.styles import _TOKENS
from chatkit_reducer.view.recording import Recording
from chatkit_reducer.view.stops import FATES, stop_at_end, worst_stop
from tests.view.hostile import MARKUP, hostile_events
from tests.view.pages import RECORDINGS, data_of, stored_before

WIDGET = next(log for log in RECORDINGS if log.stem == "streamed-widget")


class Elements(HTMLParser):
    """The start tags of a page, and the text of each script and style sheet."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.code: list[tuple[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.cdata_elem is not None:
            self.code.append((self.cdata_elem, data))


@pytest.fixture(scope="module")
def elements() -> Elements:
    return Elements(str(view(WIDGET)))


def test_the_policy_allows_these_scripts_and_this_style_sheet_alone(elements: Elements) -> None:
    (policy,) = [
        attributes["content"]
        for tag, attributes in elements.tags
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    style, _, packed, unpacking = [code for _, code in elements.code]
    script = zlib.decompress(base64.b64decode(packed)).decode()
    assert policy == (
        f"default-src 'none'; script-src {hashed(unpacking)} {hashed(script)}; "
        f"style-src {hashed(style)}; img-src data:; base-uri 'none'; form-action 'none'"
    )


def hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_no_element_has_a_style_or_a_handler(elements: Elements) -> None:
    names = {name for _, attributes in elements.tags for name in attributes}
    assert not [name for name in names if name == "style" or name.startswith("on")]


def test_a_hostile_log_has_the_elements_of_any_other() -> None:
    hostile = Elements(str(view(hostile_events(), name=MARKUP)))
    scripts = [tag for tag, _ in hostile.tags if tag == "script"]
    assert len(scripts) == 3
    assert not [name for _, a in hostile.tags for name in a if name.startswith("on")]
    assert {"iframe", "object", "embed", "link", "base"}.isdisjoint(tag for tag, _ in hostile.tags)
    assert all("src" not in a for tag, a in hostile.tags if tag != "img")


def test_half_of_a_character_anywhere_leaves_a_page_that_can_be_saved(tmp_path: Path) -> None:
    half = message("half \udc00", "text \ud83d")
    page = view(
        [added({**half, "thread_id": "\udcff"}), added(message("m", ""))], name="\udcfe.sse"
    )
    page.save(tmp_path / "page.html")
    assert "<title>?.sse" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_the_page_has_the_colours_of_the_charts(elements: Elements) -> None:
    style = elements.code[0][1]
    for name, colour in LIGHT.items():
        assert f"--{name}: light-dark({colour}, {DARK[name]})" in style


def test_colours_of_fates_mean_fates(elements: Elements) -> None:
    """Blue, amber and vermilion stand nowhere but in the variables of the fates."""
    style = elements.code[0][1].split("\n", 1)[1]
    assert not [colour for colour in (*LIGHT.values(), *DARK.values()) if colour in style]


def test_each_colour_that_is_used_is_there(elements: Elements) -> None:
    """Those of the style sheet, of the timeline, and those that widgets name."""
    style = elements.code[0][1]
    used = set(re.findall(r"var\(--([\w-]+)[,)]", style)) | set(_TOKENS.values())
    defined = set(re.findall(r"--([\w-]+):", style))
    assert used - defined == {"done", "number"}  # the script sets them


def test_a_page_in_a_notebook_is_a_frame_in_ascii() -> None:
    page = view(hostile_events())
    (frame,) = [a for tag, a in Elements(page._repr_html_()).tags if tag == "iframe"]
    assert page._repr_html_().isascii()
    assert frame["sandbox"] == "allow-scripts"
    assert frame["srcdoc"] == str(page)


def test_a_page_is_saved_as_it_is(tmp_path: Path) -> None:
    page = view(WIDGET)
    page.save(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_bytes() == str(page).encode()
    assert repr(page) == f"<Page of 'streamed-widget.sse', {len(str(page)):,} characters>"


@pytest.mark.parametrize(
    ("at", "thread"), [(0, "one"), (1, "one"), (2, "two"), (3, "one"), (5, "two"), (9, "two")]
)
def test_the_page_opens_the_thread_of_the_last_event(at: int, thread: str) -> None:
    def in_thread(name: str, number: int) -> Event:
        return added({**message(f"m{number}", "Hi"), "thread_id": name})

    threads = ["one", "two", "one", "one", "two"]
    page = view([in_thread(name, number) for number, name in enumerate(threads)], at=at)
    assert data_in(page)["start"]["thread"] == thread


def data_in(page: Page) -> Json:
    """The data that a page has."""
    (text,) = re.findall('<script type="application/json" id="data">(.*?)</script>', str(page))
    data: Json = json.loads(text)
    return data


def test_policies_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="must differ, got sdk, sdk"):
        view(WIDGET, policies=[PRESETS["sdk"], PRESETS["sdk"]])


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"at": "x"}, TypeError, "expected at to be a number of events, got str 'x'"),
        ({"at": True}, TypeError, "expected at to be a number of events, got bool True"),
        ({"at": -1}, ValueError, "expected at to be 0 or more, got -1"),
        ({"policies": ["sdk"]}, TypeError, "expected policies in a list, got str"),
        ({"policies": PRESETS["sdk"]}, TypeError, "expected policies in a list, got Policy"),
        ({"name": 5}, TypeError, "expected name to be a str, got int 5: pass the title"),
        ({"stored": []}, TypeError, "expected a ThreadState as `stored`, got list"),
    ],
)
def test_a_wrong_argument_is_refused(
    arguments: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=f"^{re.escape(words)}"):
        view(WIDGET, **arguments)


@pytest.mark.parametrize("log", RECORDINGS, ids=lambda log: log.stem)
def test_the_stops_of_the_static_part_are_those_of_sweep(log: Path) -> None:
    (block,) = data_of(log)["threads"]
    for number, cause in enumerate(Cause):
        (swept,) = sweep_threads(log, PRESETS.values(), cause, stored_before(log)).values()
        summaries = SweepResult(None, list(PRESETS), swept.stops).summaries
        for place, policy in enumerate(block["policies"]):
            fates = swept.stops[-1].fates[place]
            end = tuple(
                tuple(getattr(getattr(fates, fate), kind) for kind in KINDS) for fate in FATES
            )
            assert stop_at_end(block, policy, number)[:2] == (block["n"], end)
            worst, summary = worst_stop(block, policy, number), summaries[place]
            if summary.worst is None:  # `sweep` passes over items of which nothing is counted
                assert worst is None or not any(map(any, worst.amounts[1:]))
            else:
                assert worst is not None
                assert worst.step == summary.worst.at
                fate = FATES.index(summary.fate or "")
                assert worst.amounts[fate] == tuple(getattr(summary.amount, k) for k in KINDS)


def test_no_id_in_the_static_part_hides_what_is_in_it() -> None:
    threads = ["one", "t\u200b2"]
    events = [added({**message("m\u202e1", "Hi"), "thread_id": thread}) for thread in threads]
    html = str(view(events))
    static = html.partition("</main>")[0]
    assert "\u200b" not in static
    assert "\u202e" not in static
    assert r"<code>m\u202e1</code>" in static
    assert r'<option value="1">t\u200b2</option>' in html


def test_a_lost_item_of_which_nothing_is_counted_is_named_in_the_static_part() -> None:
    call = item("c", "client_tool_call", name="ask", call_id="1", arguments={})
    static = str(view([added(call)], policies=[PRESETS["drop"]])).partition("</main>")[0]
    assert "<td>drop</td><td>lost 1 item</td><td>after 1: lost 1 item</td>" in static


def test_the_static_part_shows_no_item_that_people_never_see() -> None:
    log = next(log for log in RECORDINGS if log.stem == "hidden-context-exposed")
    (block,) = data_of(log)["threads"]
    hidden = [item["id"] for item in block["items"] if item["hidden"]]
    static = str(view(log)).partition("</main>")[0]
    assert hidden
    assert not [item_id for item_id in hidden if f"<code>{item_id}</code>" in static]


def test_the_static_part_is_cut_where_it_is_long() -> None:
    recording = Recording()
    for number in range(210):
        recording.take(done(message(f"m{number}", "word " * (5000 if number == 209 else 1))))
    static = re.search("<main id=.static.>(.*?)</main>", str(Page(recording.data("x"))), re.DOTALL)
    assert static is not None
    assert "10 items above" in static[1]
    assert "5,000 characters more" in static[1]
    assert static[1].count("<h3>") == 200
