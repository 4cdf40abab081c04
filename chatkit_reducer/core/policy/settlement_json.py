"""A settlement as plain JSON data and back: for a dead-letter queue, a log, another process.

Everything that a settlement says follows from its verdicts, so these are written in full: the item
and its copies, the case, the row that decided. A copy is written once however often a verdict names
it, because it counts whether the store has the very copy that it is to have in the end.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs
import msgspec
from msgspec import Struct

from chatkit_reducer.core.errors import PolicyError, SnapshotError
from chatkit_reducer.core.items import ItemState, parse_item
from chatkit_reducer.core.json_values import json_copy, only_json
from chatkit_reducer.core.policy.store_rows import STORE_ROWS
from chatkit_reducer.core.policy.table import Case, Cause, Content, Marker, Origin, Policy, Row
from chatkit_reducer.core.policy.verdict import Verdict
from chatkit_reducer.events import Json

__all__ = ["VERSION", "fields_from_json", "fields_to_json"]

VERSION = 1
"""The version of the settlements that this release writes."""


class _Form(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of the JSON; fields of the right types, and no others."""


class _Row(_Form, frozen=True):
    item: str
    id: str
    origin: str
    content: str
    cause: str
    decision: str
    reason: str


class _Marker(_Form, frozen=True):
    content: str | None
    causes: list[str]
    item: str


class _Policy(_Form, frozen=True):
    name: str
    about: str
    rows: list[_Row]
    marker: _Marker | None


class _Case(_Form, frozen=True):
    item: str
    id: str
    origin: Origin
    content: Content
    cause: Cause


class _Verdict(_Form, frozen=True):
    copies: list[dict[str, Any]]
    item: int
    base: int | None
    stored: int | None
    sealed: int
    case: _Case
    row: _Row
    was_looked_up: bool
    before: str | None


class _Settlement(_Form, frozen=True):
    version: int
    cause: Cause
    policy: _Policy
    verdicts: list[_Verdict]
    marker: _Marker | None
    marker_item: dict[str, Any] | None
    waiting_call: str | None
    possible_call: str | None


def fields_to_json(
    *,
    policy: Policy,
    cause: Cause,
    verdicts: Iterable[Verdict],
    marker: Marker | None,
    marker_item: Json | None,
    waiting_call: str | None,
    possible_call: str | None,
) -> Json:
    """Return the fields of a settlement as plain JSON data."""
    fields = {
        "version": VERSION,
        "cause": cause.value,
        "policy": _policy_json(policy),
        "verdicts": [_verdict_json(verdict) for verdict in verdicts],
        "marker": _marker_json(marker),
        "marker_item": marker_item,
        "waiting_call": waiting_call,
        "possible_call": possible_call,
    }
    plain: Json = only_json(fields)
    return plain


def _policy_json(policy: Policy) -> Json:
    return {
        "name": policy.name,
        "about": policy.about,
        "rows": [_fields(row) for row in policy.rows],
        "marker": _marker_json(policy.marker),
    }


def _marker_json(marker: Marker | None) -> Json | None:
    if marker is None:
        return None
    causes = [cause.value for cause in Cause if cause in marker.causes]
    return {"content": marker.content, "causes": causes, "item": marker.item}


def _fields(value: Row | Case) -> Json:
    return {field.name: getattr(value, field.name) for field in attrs.fields(type(value))}


_COPIES = ("item", "base", "stored", "sealed")


def _verdict_json(verdict: Verdict) -> Json:
    named = {name: getattr(verdict, name) for name in _COPIES}
    copies = {id(copy): copy for copy in named.values() if copy is not None}
    numbers = {key: number for number, key in enumerate(copies)}
    return {
        "copies": [copy.json_view() for copy in copies.values()],
        **{name: numbers.get(id(copy)) for name, copy in named.items()},
        "case": _fields(verdict.case),
        "row": _fields(verdict.row),
        "was_looked_up": verdict.was_looked_up,
        "before": verdict.before,
    }


def fields_from_json(paper: object) -> dict[str, Any]:
    """Return the fields of the settlement that `fields_to_json` wrote, by name.

    Raises:
        SnapshotError: it is of a version that this release does not know, or damaged.
    """
    version = paper.get("version") if isinstance(paper, dict) else None
    if not isinstance(paper, dict) or type(version) is not int or version != VERSION:
        raise SnapshotError(
            f"expected a settlement of version {VERSION}, got version {version!r}: read it with "
            "the release that wrote it"
        )
    try:
        form = msgspec.convert(json_copy(dict(paper)), _Settlement)
        return _fields_of(form)
    except (msgspec.ValidationError, PolicyError) as error:
        raise SnapshotError(f"the settlement is damaged: {error}") from error


def _fields_of(form: _Settlement) -> dict[str, Any]:
    policy = Policy(
        name=form.policy.name,
        about=form.policy.about,
        rows=tuple(_row(row) for row in form.policy.rows),
        marker=_marker(form.policy.marker),
    )
    return {
        "policy": policy,
        "cause": form.cause,
        "verdicts": tuple(
            _verdict(verdict, policy, f"$.verdicts[{number}]")
            for number, verdict in enumerate(form.verdicts)
        ),
        "marker": _marker(form.marker),
        "marker_item": form.marker_item,
        "waiting_call": form.waiting_call,
        "possible_call": form.possible_call,
    }


def _row(form: _Row) -> Row:
    values: dict[str, Any] = msgspec.structs.asdict(form)
    return Row(**values)


def _marker(form: _Marker | None) -> Marker | None:
    if form is None:
        return None
    values: dict[str, Any] = msgspec.structs.asdict(form)
    return Marker(**values)


def _verdict(form: _Verdict, policy: Policy, path: str) -> Verdict:
    copies = [_item(json, f"{path}.copies[{n}]") for n, json in enumerate(form.copies)]
    named: dict[str, Any] = {}
    for name in _COPIES:
        number: int | None = getattr(form, name)
        if number is not None and not 0 <= number < len(copies):
            raise _damaged(f"there is no copy {number}", f"{path}.{name}")
        named[name] = None if number is None else copies[number]
    row = _row(form.row)
    return Verdict(
        **named,
        case=Case(**msgspec.structs.asdict(form.case)),
        # Whether a row is of the policy or stands above it is a matter of identity.
        row=next((one for one in (*STORE_ROWS, *policy.rows) if one == row), row),
        was_looked_up=form.was_looked_up,
        before=form.before,
    )


def _item(json: Json, path: str) -> ItemState:
    item = parse_item(json).item
    if item is None:
        raise _damaged("an item has no id", path)
    return item


def _damaged(problem: str, path: str) -> SnapshotError:
    return SnapshotError(f"the settlement is damaged: {problem} - at `{path}`")
