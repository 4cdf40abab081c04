"""A log that tries to be markup, a link, a style, a request, or a part of the page's own format."""

from __future__ import annotations

from typing import Any

from chatkit_reducer.core.codec import from_json
from chatkit_reducer.events import Event, Json
from chatkit_reducer.testing.examples import added, done, message, text_delta

MARKUP = "</script><script>window.pwned=1</script><img src=x onerror=window.pwned=1>"
ADDRESSES = (
    "javascript:window.pwned=1",
    "JaVaScRiPt:window.pwned=1",
    "vbscript:x",
    "data:text/html,<script>window.pwned=1</script>",
    "file:///etc/passwd",
    "http://evil.example/x.png",
    "\u0000javascript:alert(1)",
)
STYLES = (
    "url(http://evil.example/a.png)",
    "red;background:url(http://evil.example/b)",
    "expression(alert(1))",
    "image-set('http://evil.example/c' 1x)",
    "var(--x,url(http://evil.example/d))",
)
ODD = "\u2028\u2029\u202e reversed \u202c \x00 \x1b[31m \ufeff \ud83d\ude00 e\u0301"


def _markdown() -> str:
    links = "\n\n".join(f"[text]({address}) ![image]({address})" for address in ADDRESSES)
    return f"{MARKUP}\n\n{links}\n\n<b onclick=alert(1)>x</b> {ODD}\n\n```\n{MARKUP}\n```\n"


def _deep(levels: int) -> Any:
    component: Any = {"type": "Text", "value": MARKUP}
    for _ in range(levels):
        component = {"type": "Box", "children": [component], "background": STYLES[0]}
    return component


def _components() -> list[Any]:
    images = [{"type": "Image", "src": address, "alt": MARKUP} for address in ADDRESSES]
    boxes = [
        {
            "type": "Box",
            "background": style,
            "padding": style,
            "border": {"size": 1, "color": style},
        }
        for style in STYLES
    ]
    titles = [{"type": "Title", "value": MARKUP, "color": style} for style in STYLES]
    unknown: list[Any] = [{"type": f"{MARKUP}.onclick", "onclick": MARKUP}, {"type": "script"}]
    chart = {
        "type": "Chart",
        "data": [{"x": MARKUP, "y": 1e308}, {"x": None, "y": -1e308}],
        "series": [{"type": "bar", "dataKey": "y", "color": STYLES[0], "label": MARKUP}],
        "xAxis": "x",
    }
    return [*images, *boxes, *titles, *unknown, chart, _deep(300)]


def hostile_events() -> list[Event]:
    """The events of the log."""
    thread = {"id": MARKUP, "created_at": "2025-01-01T00:00:00", "title": MARKUP}
    card = {"type": "Card", "children": _components(), "size": MARKUP}
    notes = [
        {"index": 10**9, "source": {"type": "url", "url": a, "title": MARKUP}} for a in ADDRESSES
    ]
    answer = message("m", _markdown())
    answer["content"][0]["annotations"] = notes
    lookalikes = [{"+": 0}, {"=": 0}, {"'": {"+": 0}}, {"r": 0}, {"t": 0}, ["md", {"t": 0}]]
    return [
        from_json({"type": "thread.created", "thread": thread}),
        added(_in_thread(message(MARKUP, ""))),
        *(text_delta(MARKUP, piece) for piece in _pieces(_markdown())),
        done(_in_thread(answer)),
        added(_in_thread({"id": "w", "type": "widget", "widget": card})),
        added(_in_thread({"id": "l", "type": MARKUP, "of_the_format": lookalikes})),
        from_json({"type": "notice", "level": MARKUP, "title": MARKUP, "message": MARKUP}),
        from_json({"type": "client_effect", "name": MARKUP, "data": {"x": lookalikes}}),
        from_json({"type": "error", "code": MARKUP, "message": MARKUP, "allow_retry": True}),
    ]


def _in_thread(item: Json) -> Json:
    return {**item, "thread_id": MARKUP}


def _pieces(text: str) -> list[str]:
    return [text[i : i + 23] for i in range(0, len(text), 23)]
