"""A thread, drawn for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from msgspec import UNSET
from rich.console import Console, RenderableType
from rich.rule import Rule
from rich.text import Text

from chatkit_reducer.analysis.finding import Finding
from chatkit_reducer.cli.render.findings import findings_list
from chatkit_reducer.cli.render.items import view_of
from chatkit_reducer.cli.render.layout import Prefixed, indented, label, position_text
from chatkit_reducer.cli.render.text import id_text, one_line, safe
from chatkit_reducer.core.items import HIDDEN_TYPES, ItemState
from chatkit_reducer.core.thread.contents import Progress
from chatkit_reducer.core.thread.lifecycle import Phase
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.events import ErrorEvent

__all__ = ["show_thread"]

Part: TypeAlias = Iterator[RenderableType]

_SHOWN_ANOMALIES = 20

_PHASES = {
    Phase.PENDING: "\u25cc pending",
    Phase.PENDING_OVER_BASE: "\u25cc pending over a stored copy",
}


def show_thread(
    console: Console, state: ThreadState, *, thread_id: str | None, until: int | None = None
) -> None:
    """Print a thread: its title, its items in order, its progress or error, and its anomalies.

    Args:
        console: where to.
        state: the thread.
        thread_id: its id, None where nothing told it.
        until: where the fold was stopped, in events; None for all of the log.
    """
    parts = [_header(state, thread_id, until)]
    parts += [_item(state, item) for item in state.items.values()]
    parts += [] if state.items else [iter([Text("(no items)", "dim")])]
    parts += [iter([block]) for block in _ending(state)]
    parts += [_anomalies(state)] if state.anomalies else []
    for number, part in enumerate(parts):
        if number:
            console.print()
        for block in part:
            console.print(indented(block, 0))


def _header(state: ThreadState, thread_id: str | None, until: int | None) -> Part:
    thread = state.thread or {}
    title = thread.get("title")
    yield label(title, "bold") if isinstance(title, str) else Text("untitled thread", "bold")
    facts = [
        id_text(thread_id) if thread_id is not None else "no id",
        *_status(thread.get("status")),
    ]
    facts.append(_count(len(state.items), "item"))
    if state.pending:
        facts.append(f"{len(state.pending)} pending")
    if state.anomalies:
        facts.append(_count(len(state.anomalies) + state.unlisted_anomalies, "anomaly"))
    if until is not None:
        facts.append(position_text(until, "--until"))
    yield label(" \u00b7 ".join(facts), "dim")
    yield Rule(style="dim")


def _status(status: object) -> Iterator[str]:
    if isinstance(status, dict):
        reason = f": {status['reason']}" if isinstance(status.get("reason"), str) else ""
        yield f"{status.get('type')}{reason}"


def _count(number: int, what: str) -> str:
    plural = what if number == 1 else "anomalies" if what == "anomaly" else f"{what}s"
    return f"{number:,} {plural}"


def _item(state: ThreadState, item: ItemState) -> Part:
    view = view_of(item)
    head = label(view.name, view.style)
    head.append(f"  {id_text(item.id)}", "dim")
    if item.type in HIDDEN_TYPES:
        head.append("  no client is shown this", "dim")
    phase = _PHASES.get(state.phase(item.id))
    if phase is not None:
        head.append(f"  {phase}", "italic")
    yield head
    for block in view.body(item.json_view()):
        yield indented(block)


def _ending(state: ThreadState) -> Part:
    if state.progress is not None:
        yield Prefixed("\u25cc ", _progress(state.progress))
    if state.error is not None:
        yield Prefixed(Text("\u2717 ", "bold red"), _error(state.error))


def _progress(progress: Progress) -> Text:
    shown = Text(safe(progress.text or "making an image"))
    if progress.fraction is not None:
        shown.append(f"  {progress.fraction:.0%}")
    if progress.item_id is not None:
        shown.append(f"  {id_text(progress.item_id)}", "dim")
    if progress.icon is not None:
        shown.append(f"  {one_line(progress.icon)}", "dim")
    return shown


def _error(error: ErrorEvent) -> Text:
    shown = label("the stream failed", "bold red")
    if error.code is not UNSET:
        shown.append(f": {one_line(error.code)}")
    if isinstance(error.message, str):
        shown.append(f": {safe(error.message)}")
    if error.allow_retry is not UNSET:
        shown.append("  may be retried" if error.allow_retry else "  not to be retried", "dim")
    return shown


def _anomalies(state: ThreadState) -> Part:
    yield Text("what was odd", "bold red")
    found = [Finding.of(anomaly) for anomaly in state.anomalies[:_SHOWN_ANOMALIES]]
    for block in findings_list(found):
        yield indented(block)
    more = len(state.anomalies) + state.unlisted_anomalies - len(found)
    if more:
        yield indented(Text(f"and {more:,} more: see `chatkit-reducer check`", "dim"))
