"""What becomes of a thread, as people read it: verdicts, writes, the marker, what clients see."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import MappingProxyType
from typing import TypeAlias

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.rule import Rule
from rich.segment import Segment
from rich.text import Text

from chatkit_reducer.anomalies import Fault
from chatkit_reducer.cli.items import view_of
from chatkit_reducer.cli.layout import Hanging, indented, label
from chatkit_reducer.cli.ledger import Ledger
from chatkit_reducer.cli.policy_table import ends_text
from chatkit_reducer.cli.text import one_line, safe
from chatkit_reducer.events import (
    Event,
    ThreadItemDone,
    ThreadItemRemoved,
    ThreadItemReplaced,
    wire_type,
)
from chatkit_reducer.items import ItemState, parse_item
from chatkit_reducer.policy import Decision, Marker
from chatkit_reducer.settlement import Settlement, Verdict, Write
from chatkit_reducer.state import ThreadState

__all__ = ["DECISION_STYLES", "show_settlement"]

Part: TypeAlias = Iterator[RenderableType]

DECISION_STYLES: MappingProxyType[Decision, str] = MappingProxyType(
    {
        Decision.PERSIST: "bold green",
        Decision.DISCARD: "bold red",
        Decision.STALE: "bold yellow",
    }
)
_SHOWN_LINES = 8


def show_settlement(
    console: Console, state: ThreadState, settlement: Settlement, *, thread_id: str | None, at: int
) -> None:
    """Print what becomes of a thread.

    Args:
        console: where to.
        state: the thread as it was when the stream ended.
        settlement: what becomes of it.
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
        "no id" if thread_id is None else thread_id,
        f"{settlement.cause} after {at:,} {'event' if at == 1 else 'events'}",
        f"policy {settlement.policy.name}",
    ]
    yield label(" \u00b7 ".join(facts), "dim")
    yield Rule(style="dim")


def _verdicts(settlement: Settlement) -> Part:
    if not settlement.verdicts:
        yield Text("Nothing is in flight: the store has all that people saw.", "dim")
        return
    titles = ("item", "", "origin", "content", "decision", "reason")
    yield Ledger(titles, [_cells(verdict) for verdict in settlement.verdicts])


def _cells(verdict: Verdict) -> list[Text]:
    view = view_of(verdict.item)
    return [
        label(view.name, view.style),
        label(verdict.item.id, "dim"),
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
        head = Text(f"{write.op:5}", "green")
        if item is not None:
            view = view_of(item)
            head.append(view.name, view.style).append(f"  {one_line(item.id)}", "dim")
        yield indented(head)
        if item is not None:
            yield indented(_Beginning(Group(*view_of(item).body(item.plain()))), 4)
    if not writes:
        yield indented(Text("nothing", "dim"))


def _item(write: Write) -> ItemState | None:
    parsed = parse_item(write.item)
    item: ItemState | None = parsed.result if isinstance(parsed, Fault) else parsed
    return item


class _Beginning:
    """The first lines of a block, and how many are left out."""

    def __init__(self, body: RenderableType) -> None:
        self._body = body

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self._body, options, pad=False)
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
        yield indented(Text(note, "yellow"))


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
        head = Text(wire_type(event), "cyan").append(f"  {one_line(_id_of(event))}", "dim")
        yield indented(head)
        yield indented(Text(_MEANING[type(event)], "dim"), 4)
    if not settlement.events:
        yield indented(Text("nothing", "dim"))
    for item in settlement.stale:
        note = "stays on the screen as people saw it, which is not what is stored"
        yield indented(Hanging(label(f"{item.id} ", "yellow"), Text(note, "yellow")))


def _id_of(event: Event) -> str:
    if isinstance(event, ThreadItemRemoved):
        return event.item_id
    assert isinstance(event, (ThreadItemDone, ThreadItemReplaced))
    return str(event.item["id"])
