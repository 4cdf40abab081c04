"""A settlement for people: verdicts, writes, the marker, and the changes that clients see."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import MappingProxyType
from typing import TypeAlias

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.rule import Rule
from rich.segment import Segment
from rich.text import Text

from chatkit_reducer.cli.render.items import view_of
from chatkit_reducer.cli.render.layout import Prefixed, indented, label, position_text
from chatkit_reducer.cli.render.policy import ends_text
from chatkit_reducer.cli.render.sentence_table import SentenceTable
from chatkit_reducer.cli.render.styles import DECISION_STYLES
from chatkit_reducer.cli.render.text import id_text, safe
from chatkit_reducer.core.items import ItemState, parse_item
from chatkit_reducer.core.policy.settlement import Settlement
from chatkit_reducer.core.policy.table import Marker
from chatkit_reducer.core.policy.verdict import Verdict, Write
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.events import (
    Event,
    ThreadItemDone,
    ThreadItemRemoved,
    ThreadItemReplaced,
    wire_type,
)

__all__ = ["show_settlement"]

Part: TypeAlias = Iterator[RenderableType]

_SHOWN_LINES = 8


def show_settlement(
    console: Console, state: ThreadState, settlement: Settlement, *, thread_id: str | None, at: int
) -> None:
    """Print the settlement of a thread.

    Args:
        console: where to.
        state: the thread as it was when the stream ended.
        settlement: its verdicts, writes and events.
        thread_id: its id, None where nothing told it.
        at: how many events of the log came before the end.
    """
    parts = [
        _header(state, settlement, thread_id, at),
        _verdicts(settlement),
        _writes(settlement.writes),
        _marker(settlement),
        _clients(settlement),
    ]
    for number, part in enumerate(parts):
        if number:
            console.print()
        for block in part:
            console.print(indented(block, 0))


def _header(state: ThreadState, settlement: Settlement, thread_id: str | None, at: int) -> Part:
    title = (state.thread or {}).get("title")
    yield label(title, "bold") if isinstance(title, str) else Text("untitled thread", "bold")
    facts = [
        "no id" if thread_id is None else id_text(thread_id),
        f"{settlement.cause} {position_text(at)}",
        f"policy {settlement.policy.name}",
    ]
    yield label(" \u00b7 ".join(facts), "dim")
    yield Rule(style="dim")


def _verdicts(settlement: Settlement) -> Part:
    if not settlement.verdicts:
        yield Text("Nothing is in flight: the store has all that people saw.", "dim")
        return
    titles = ("item", "", "origin", "content", "decision", "reason")
    yield SentenceTable(titles, [_cells(verdict) for verdict in settlement.verdicts])


def _cells(verdict: Verdict) -> list[Text]:
    view = view_of(verdict.item)
    return [
        label(view.name, view.style),
        label(id_text(verdict.item.id), "dim"),
        Text(verdict.case.origin),
        Text(verdict.case.content),
        Text(verdict.decision, DECISION_STYLES[verdict.decision]),
        Text(safe(verdict.row.reason)),
    ]


# --- the store ------------------------------------------------------------------------------------


def _writes(writes: Sequence[Write]) -> Part:
    yield Text("the store writes", "bold")
    for write in writes:
        item = _item(write)
        head = Text(f"{write.op:5}", "fate.kept")
        if item is not None:
            view = view_of(item)
            head.append(view.name, view.style).append(f"  {id_text(item.id)}", "dim")
        yield indented(head)
        if item is not None:
            yield indented(_Beginning(Group(*view_of(item).body(item.json_view()))), 4)
    if not writes:
        yield indented(Text("nothing", "dim"))


def _item(write: Write) -> ItemState | None:
    return parse_item(write.item).item


class _Beginning:
    """The first lines of a block, and how many are left out. Its Markdown is not drawn."""

    def __init__(self, body: RenderableType) -> None:
        self._body = body

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        as_written = options.copy()
        as_written.is_terminal = False
        lines = console.render_lines(self._body, as_written, pad=False)
        more = len(lines) - _SHOWN_LINES
        if more == 1:  # that one takes no more room than the note
            more = 0
        for line in lines[: _SHOWN_LINES if more > 0 else None]:
            yield from line
            yield Segment.line()
        if more > 0:
            yield Text(f"(and {more:,} lines more)", "dim")


# --- the marker -----------------------------------------------------------------------------------


def _marker(settlement: Settlement) -> Part:
    yield Text("the model is told", "bold")
    wanted, cause = settlement.policy.marker, settlement.cause
    if settlement.marker is not None:
        yield indented(_content(settlement.marker))
        note = (
            f"by an item of type {settlement.marker.item}, written last: it needs an id and a time"
        )
        yield indented(Text(note, "dim"))
    elif wanted is None:
        yield indented(Text("nothing: this policy has no marker", "dim"))
    elif cause not in wanted.causes:
        ends = ends_text(wanted) if wanted.causes else "ends in no way there is"
        note = f"nothing: the marker is for when the stream {ends}"
        yield indented(Text(note, "dim"))
    else:
        note = (
            "nothing: the newest item that stays is a client tool call without an output yet, and "
            "with a marker behind it the thread could not go on"
        )
        yield indented(Text(note, "bold"))


def _content(marker: Marker) -> Text:
    if marker.content is None:
        return Text("what the application makes of it", "italic")
    return Text(f"\u201c{safe(marker.content)}\u201d")


# --- the clients ----------------------------------------------------------------------------------

_MEANING: MappingProxyType[type[Event], str] = MappingProxyType(
    {
        ThreadItemDone: "stays, and nothing in it is running any more",
        ThreadItemRemoved: "is taken off the screen",
        ThreadItemReplaced: "goes back to the copy that is stored",
    }
)


def _clients(settlement: Settlement) -> Part:
    yield Text("clients are sent", "bold")
    for event in settlement.events:
        head = Text(wire_type(event), "cyan").append(f"  {id_text(_id_of(event))}", "dim")
        yield indented(head)
        yield indented(Text(_MEANING[type(event)], "dim"), 4)
    if not settlement.events:
        yield indented(Text("nothing", "dim"))
    for item in settlement.stale:
        note = "stays on the screen as people saw it, which is not what is stored"
        yield indented(
            Prefixed(label(f"{id_text(item.id)} ", "fate.stale"), Text(note, "fate.stale"))
        )


def _id_of(event: Event) -> str:
    if isinstance(event, ThreadItemRemoved):
        return event.item_id
    assert isinstance(event, (ThreadItemDone, ThreadItemReplaced))
    return str(event.item["id"])
