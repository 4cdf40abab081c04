"""Drawing is total, and its HTML has the tags and texts of the tree and nothing else."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import example, given, note
from hypothesis import strategies as st

from chatkit_reducer.events import Json
from chatkit_reducer.testing import strategies as chatkit
from chatkit_reducer.testing.examples import item, part, task, widget, workflow
from chatkit_reducer.view.drawing import draw
from chatkit_reducer.view.drawing.styles import CSS_VALUE
from chatkit_reducer.view.markup import ATTRIBUTES, TAGS, html

VOID = {"hr", "img"}
TYPES = [
    "assistant_message",
    "client_tool_call",
    "end_of_turn",
    "generated_image",
    "hidden_context_item",
    "sdk_hidden_context",
    "structured_input",
    "task",
    "user_message",
    "widget",
    "workflow",
]
COMPONENTS = [
    *["Badge", "Basic", "Box", "Button", "Caption", "Card", "Chart", "Checkbox", "Col"],
    *["DatePicker", "Divider", "Form", "Icon", "Image", "Input", "Label", "ListView"],
    *["ListViewItem", "Markdown", "RadioGroup", "Row", "Select", "Spacer", "Text", "Textarea"],
    *["Title", "Transition"],
]


class Parsed(HTMLParser):
    """What a parser of HTML takes a text for: tags, their ends, and texts between them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[Any] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(("begin", tag))
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        self.found.append(("end", tag))

    def handle_data(self, data: str) -> None:
        if self.found and self.found[-1][0] == "text":
            data = self.found.pop()[1] + data
        self.found.append(("text", data))

    def handle_comment(self, data: str) -> None:
        self.found.append(("comment", data))

    def handle_decl(self, decl: str) -> None:
        self.found.append(("declaration", decl))

    def handle_pi(self, data: str) -> None:
        self.found.append(("instruction", data))


def wanted(tree: Any) -> list[Any]:
    """The tags and texts of a tree, in order."""
    out: list[Any] = []
    todo: list[Any] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, tuple):
            out.append(node)
        elif isinstance(node, str):
            if node and out and out[-1][0] == "text":
                node = out.pop()[1] + node
            out += [("text", node)] if node else []
        elif node[0] == "md":
            todo += [("end", "div"), node[1], ("begin", "div")]
        else:
            tag = node[0].partition(".")[0]
            assert tag in TAGS
            tag = tag.removeprefix("svg:")
            end = [] if tag in VOID else [("end", tag)]
            todo += [*end, *reversed(node[2:]), ("begin", tag)]
    return out


def check_drawn(json: Json) -> None:
    tree = draw(json)
    parsed = Parsed(html(tree))
    assert parsed.found == wanted(tree)
    for tag, name, value in parsed.attributes:
        assert name in {*map(str.lower, ATTRIBUTES), "class", "style", "rel", "target"}, name
        if name == "href":
            assert tag == "a"
            assert value.lower().startswith(("http:", "https:", "mailto:"))
        if name == "src":
            assert value.startswith("data:image/")
            assert "svg" not in value[:20]
        if name == "style":
            assert "url" not in value.lower().replace("curl", "")
    check_styles(tree)


def check_styles(tree: Any) -> None:
    todo = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, list) and node[0] != "md":
            for value in (node[1] or {}).get("css", {}).values():
                assert CSS_VALUE.fullmatch(value), value
            todo += node[2:]


@pytest.mark.parametrize(
    ("ratio", "value"),
    [(1 / 128, "0.0078"), (1e-9, "0"), (16 / 9, "1.7778"), ("4 / 3", "1.3333"), (999.5, "999.5")],
)
def test_a_ratio_has_no_exponent_and_few_digits(ratio: Any, value: str) -> None:
    tree = draw(widget("g", {"type": "Box", "aspectRatio": ratio}))
    (box,) = tree[2:]
    assert box[1]["css"]["aspect-ratio"] == value
    check_styles(tree)


def depth_of(tree: Any) -> int:
    deepest, todo = 0, [(tree, 0)]
    while todo:
        node, depth = todo.pop()
        deepest = max(deepest, depth)
        if isinstance(node, list) and node[0] != "md":
            todo += [(child, depth + 1) for child in node[2:]]
    return deepest


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["<script>", "]]>", "javascript:alert(1)", "red-500", "full", "row", "12px"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["type", "children", "value", "url", "data"]), inner)
    ),
    max_leaves=8,
)
FIELDS = [
    *["align", "annotations", "answer", "arguments", "aspectRatio", "attachments", "background"],
    *["border", "cancel", "children", "collapsed", "color", "confirm", "content", "data"],
    *["defaultValue", "disabled", "editable", "fit", "flush", "frame", "gap", "icon", "image"],
    *["inputs", "label", "limit", "margin", "maxLines", "name", "onClickAction", "options"],
    *["output", "padding", "position", "queries", "quoted_text", "radius", "series", "size"],
    *["sources", "spacing", "src", "status", "status_indicator", "summary", "task", "tasks"],
    *["text", "theme", "title", "url", "value", "variant", "widget", "workflow", "xAxis"],
]
ODD = st.dictionaries(st.sampled_from(FIELDS), JSON)


@given(chatkit.items(unknown=True))
def test_items(json: Json) -> None:
    check_drawn(json)


@given(ODD)
def test_items_of_any_content(fields: Json) -> None:
    for kind in (*TYPES, "poll", ""):
        note(kind)
        check_drawn({**fields, "id": "x", "type": kind})


@given(ODD)
@example({"aspectRatio": 0.0078125})
@example({"aspectRatio": 1e-5, "flex": 1e-5})
@example({"aspectRatio": "1/99999"})
def test_components_of_any_content(fields: Json) -> None:
    for kind in COMPONENTS:
        note(kind)
        check_drawn(widget("w", {**fields, "type": kind}))


@given(ODD)
def test_a_component_that_the_sdk_does_not_have_is_said_to_be_unknown(fields: Json) -> None:
    poll = widget("w", {**fields, "type": "Poll"})
    check_drawn(poll)
    assert any("w-unknown" in name for name in tags_of(draw(poll)))


def tags_of(tree: Any) -> list[str]:
    out, todo = [], [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, list):
            out.append(node[0])
            todo += node[2:] if node[0] != "md" else []
    return out


@pytest.mark.parametrize("kind", COMPONENTS)
def test_no_component_of_the_sdk_is_unknown(kind: str) -> None:
    assert not any("w-unknown" in name for name in tags_of(draw(widget("w", {"type": kind}))))


@pytest.mark.parametrize("kind", TYPES)
@given(st.sampled_from([10_000, 999, 41, 40]))
@example(10_000)
def test_ten_thousand_levels(kind: str, levels: int) -> None:
    deep: Any = {"type": "Text", "value": "x"}
    for _ in range(levels):
        deep = {"type": "Card", "children": [deep], "collapsed": True, "limit": 1}
    fields = dict.fromkeys(
        ["widget", "content", "task", "arguments", "output", "inputs", "image", "workflow"], deep
    )
    tree = draw({"id": "x", "type": kind, **fields, "workflow": {"tasks": [deep]}})
    assert depth_of(tree) < 100
    assert Parsed(html(tree)).found == wanted(tree)


def test_an_item_that_contains_itself() -> None:
    odd: Json = {"id": "x", "type": "odd"}
    odd["again"] = odd
    assert draw(odd)[-1] == ["pre.json", 0, "(cannot be shown)"]


# --- addresses ------------------------------------------------------------------------------------


def citing(source: Json) -> Json:
    cited = part("x", {"type": "annotation", "source": source})
    return item("m", "assistant_message", content=[cited])


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "vbscript:x",
        "data:text/html,<script>",
        "java\nscript:alert(1)",
        "//example.com",
        "file:///etc/passwd",
        "https:",
        "http://a b",
    ],
)
def test_links_that_lead_elsewhere_are_texts(address: str) -> None:
    source = {"type": "url", "url": address, "title": "here"}
    tags = tags_of(draw(citing(source)))
    assert "a" not in tags
    assert "span.nolink" in tags


def test_links() -> None:
    for address in ("https://example.com/a?b#c", "http://x", "mailto:a@example.com", " http://y\n"):
        source = {"type": "url", "url": address, "title": "here"}
        text = html(draw(citing(source)))
        assert f'href="{address.strip()}"' in text
        assert "noopener" in text


PIXEL = "data:image/png;base64,iVBORw0KGgo="


def test_images() -> None:
    image = item("i", "generated_image", image={"id": "1", "url": PIXEL})
    assert f'src="{PIXEL}"' in html(draw(image))
    for address in (
        "https://example.com/a.png",
        "data:image/svg+xml;base64,PHN2Zz4=",
        "data:text/html;base64,PHN2Zz4=",
        'data:image/png;base64,"onerror=x',
        PIXEL + "A" * 300_000,
    ):
        tree = draw(item("i", "generated_image", image={"id": "1", "url": address}))
        assert "img" not in [name.partition(".")[0] for name in tags_of(tree)]
        assert "noimg" in str(tree)


def test_an_image_of_a_tree_brings_its_data_or_has_none() -> None:
    assert html(["img.pic", {"src": "https://example.com/a.png"}]) == '<img class="pic">'
    assert html(["img", {"src": PIXEL}]) == f'<img src="{PIXEL}">'


def test_a_tree_with_another_tag_is_refused() -> None:
    with pytest.raises(ValueError, match="script"):
        html(["script", 0, "alert(1)"])
    assert html(["a", {"href": "javascript:x", "onclick": "x", "title": '"'}]) == (
        '<a title="&quot;" rel="noopener noreferrer nofollow" target="_blank"></a>'
    )


# --- what components look like --------------------------------------------------------------------


def component(**fields: Any) -> Any:
    return draw(widget("w", fields))[2]


def test_a_pair_of_colours_is_one_value() -> None:
    pair = component(type="Text", value="x", color={"light": "red-500", "dark": "#fff"})
    assert pair[1]["css"]["color"] == "light-dark(hsl(0 72% 54%), #fff)"
    assert component(type="Text", value="x", color="url(http://x)")[1] == 0


def test_the_theme_of_a_subtree() -> None:
    assert component(type="Card", children=[], theme="dark")[0] == "div.w-card.theme-dark"


def test_a_collapsed_card_and_a_limited_list() -> None:
    rows = [{"type": "ListViewItem", "children": []} for _ in range(5)]
    card = component(type="Card", collapsed=True, children=rows)
    assert card[2][0] == "div.w-collapsed"
    assert len(card[2]) == 2 + 5
    limited = component(type="ListView", limit=2, children=rows)
    assert [child[0] for child in limited[2:]] == ["div.w-item", "div.w-item", "div.w-more"]
    assert len(limited[-1]) == 2 + 3
    assert len(component(type="ListView", limit="auto", children=rows)) == 2 + 5


def test_frames_and_uniform_buttons() -> None:
    assert component(type="Card", children=[], status={"text": "x", "frame": True})[2][0] == (
        "div.w-status.w-frame"
    )
    assert component(type="Button", label="x", uniform=True)[0] == "span.w-btn.w-soft.w-uniform"
    framed = component(type="Image", src=PIXEL, frame=True)
    assert framed[1]["css"]["border"] == "1px solid var(--line)"


ROWS = [{"x": "a", "p": 3, "q": 1}, {"x": "b", "p": 1, "q": 1}]


def marks(series: list[Json]) -> list[Any]:
    tree = component(type="Chart", data=ROWS, series=series, xAxis="x")
    return list(tree[2][2:])


def test_stacked_bars_stand_on_each_other() -> None:
    kinds = [{"type": "bar", "dataKey": key, "stack": "s"} for key in ("p", "q")]
    below, _, above, _ = [rect[1] for rect in marks(kinds)]
    assert below["x"] == above["x"]
    assert float(above["y"]) + float(above["height"]) == pytest.approx(float(below["y"]), abs=0.1)
    apart = [rect[1] for rect in marks([{**kind, "stack": None} for kind in kinds])]
    assert apart[0]["x"] != apart[2]["x"]


@pytest.mark.parametrize(
    ("curve", "command"), [("linear", " L "), ("step", " L "), ("monotone", " C ")]
)
def test_curves(curve: str, command: str) -> None:
    (line,) = marks([{"type": "line", "dataKey": "p", "curveType": curve}])
    assert command in line[1]["d"]
    area, _ = marks([{"type": "area", "dataKey": "p", "curveType": {"type": curve}}])
    assert area[1]["d"].endswith("Z")


def test_numbers_beyond_all_measure_are_left_out() -> None:
    data = [{"p": 1e308}, {"p": 1e308}, {"p": 10**400}, {"p": "x"}, {"p": 2}]
    tree = component(type="Chart", data=data, series=[{"type": "bar", "dataKey": "p"}] * 2)
    assert "inf" not in str(tree)
    assert "nan" not in str(tree)


def test_tasks() -> None:
    tree = draw(workflow("w", task("One")["title"]))
    assert "One" in str(tree)
    assert "li.task" in tags_of(tree)
