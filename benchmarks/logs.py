"""The two logs that everything is measured on, made here so that they are always the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

__all__ = ["THREADS", "long_log", "mixed_log", "rewritten"]

THREADS = 200
"""How many threads the mixed log has, of 786 events each."""

_AT = "2026-01-01T00:00:00"


def _line(**event: Any) -> bytes:
    return json.dumps(event, separators=(",", ":")).encode() + b"\n"


def _item(kind: str, item_id: str, thread: str, **content: Any) -> dict[str, Any]:
    return {"id": item_id, "thread_id": thread, "created_at": _AT, "type": kind, **content}


def _update(item_id: str, kind: str, **update: Any) -> bytes:
    return _line(type="thread.item.updated", item_id=item_id, update={"type": kind, **update})


def long_log(deltas: int) -> bytes:
    """Return one message of that many text deltas, some 170 bytes a line, never done."""
    message = _item("assistant_message", "msg_0123456789abcdef", "thr_1", content=[])
    added = _line(type="thread.item.added", item=message)
    kind = "assistant_message.content_part.text_delta"
    pieces = [" word", " and", " another", " one,", " or", " two"]
    lines = [
        _update(message["id"], kind, content_index=0, delta=pieces[i % len(pieces)])
        for i in range(deltas)
    ]
    return added + b"".join(lines)


def mixed_log(threads: int = THREADS) -> bytes:
    """Return threads of every kind: a user message, a workflow, citations, a widget."""
    return b"".join(line for number in range(threads) for line in _thread(number))


def _thread(number: int) -> Iterator[bytes]:
    thread = f"thr_{number:04}"
    question = [{"type": "input_text", "text": "What is it?"}]
    user = _item(
        "user_message",
        f"usr_{number:04}",
        thread,
        content=question,
        attachments=[],
        inference_options={},
    )
    yield _line(type="thread.item.done", item=user)
    yield from _workflow(f"wf_{number:04}", thread)
    yield from _message(f"msg_{number:04}", thread)
    yield from _widget(f"wid_{number:04}", thread)


def _workflow(item_id: str, thread: str) -> Iterator[bytes]:
    tasks: list[dict[str, Any]] = []
    workflow = {"type": "custom", "tasks": [], "expanded": False}
    item = _item("workflow", item_id, thread, workflow=workflow)
    yield _line(type="thread.item.added", item=item)
    for index in range(10):
        task = {"status_indicator": "loading", "type": "custom", "title": f"Step {index}"}
        tasks.append(task)
        yield _update(item_id, "workflow.task.added", task_index=index, task=task)
        for turn in range(5):
            task = {**task, "content": f"The result of turn {turn} of step {index}"}
            tasks[index] = task
            yield _update(item_id, "workflow.task.updated", task_index=index, task=task)
    yield _line(type="thread.item.done", item={**item, "workflow": {**workflow, "tasks": tasks}})


def _message(item_id: str, thread: str) -> Iterator[bytes]:
    item = _item("assistant_message", item_id, thread, content=[])
    part = "assistant_message.content_part"
    parts: list[dict[str, Any]] = []
    yield _line(type="thread.item.added", item=item)
    for index in range(2):
        empty: dict[str, Any] = {"annotations": [], "text": "", "type": "output_text"}
        yield _update(item_id, f"{part}.added", content_index=index, content=empty)
        text, citations = "", []
        for delta in range(150):
            piece = f" word{delta}"
            text += piece
            yield _update(item_id, f"{part}.text_delta", content_index=index, delta=piece)
        for number in range(3 - index):
            source = {"title": "A page", "type": "url", "url": f"https://example.com/{number}"}
            citation = {"type": "annotation", "source": source, "index": number}
            citations.append(citation)
            yield _update(
                item_id,
                f"{part}.annotation_added",
                content_index=index,
                annotation_index=number,
                annotation=citation,
            )
        whole = {**empty, "text": text, "annotations": citations}
        parts.append(whole)
        yield _update(item_id, f"{part}.done", content_index=index, content=whole)
    yield _line(type="thread.item.done", item={**item, "content": parts})


def _widget(item_id: str, thread: str) -> Iterator[bytes]:
    def root(texts: list[str], status: str, *, streaming: bool) -> dict[str, Any]:
        rows = [
            {"type": "Markdown", "id": f"text_{i}", "value": text, "streaming": streaming}
            for i, text in enumerate(texts)
        ]
        badge = {"type": "Badge", "id": "status", "label": status}
        return {
            "type": "Card",
            "id": "card",
            "children": [badge, {"type": "Col", "children": rows}],
        }

    texts = [""] * 4
    item = _item("widget", item_id, thread, widget=root(texts, "0 %", streaming=True))
    yield _line(type="thread.item.added", item=item)
    for step in range(400):
        index = step // 100
        piece = f" word{step}"
        texts[index] += piece
        yield _update(
            item_id,
            "widget.streaming_text.value_delta",
            component_id=f"text_{index}",
            delta=piece,
            done=step % 100 == 99,
        )
        if step % 40 == 39:
            badge = {"type": "Badge", "id": "status", "label": f"{(step + 1) // 4} %"}
            yield _update(
                item_id, "widget.component.updated", component_id="status", component=badge
            )
    final = root(texts, "100 %", streaming=False)
    yield _line(type="thread.item.done", item={**item, "widget": final})


def rewritten(log: bytes, prefix: bytes, suffix: bytes) -> bytes:
    """Return a log of JSON lines with a text before and after each line."""
    return b"".join(prefix + line + suffix for line in log.split(b"\n") if line)
