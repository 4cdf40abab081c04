"""Policies in TOML.

    name = "no half forms"
    base = "keep"                   # a preset; the rows below stand above its own

    [[rows]]
    item = "widget"                 # item, id, origin, content and cause are "*" if left out
    origin = "new"
    content = "partial"
    decision = "discard"
    reason = "Half a form is no use."

    [marker]                        # or: marker = false
    content = "The user left."
    causes = ["cancelled"]

Without `base` the rows are the whole table. Without `marker` it is that of the base, or none.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from functools import partial
from operator import eq
from typing import Any

import attrs
import cattrs
import msgspec

from chatkit_reducer.core.errors import PolicyError
from chatkit_reducer.core.policy.presets import PRESETS
from chatkit_reducer.core.policy.table import (
    Cause,
    CauseOrAny,
    ContentOrAny,
    Decision,
    Marker,
    OriginOrAny,
    Policy,
    Row,
    as_cause,
    as_content,
    as_decision,
    as_origin,
)

__all__ = ["from_toml", "to_toml"]


@attrs.frozen(kw_only=True)
class _File:
    name: str
    rows: list[Row] = attrs.field(factory=list)
    base: str | None = None
    marker: Marker | None = None
    about: str = ""


def _structure_with(read: Callable[[object], object], value: object, _: object) -> object:
    return read(value)


def _require_type(
    kind: type, expected: str, hook: Callable[[Any, Any], Any], value: object, to: Any
) -> Any:
    if not isinstance(value, kind):
        raise PolicyError(f"expected {expected}, got {value!r}")
    return hook(value, to)


_converter = cattrs.Converter(forbid_extra_keys=True)
for _kind, _read in (
    (OriginOrAny, as_origin),
    (ContentOrAny, as_content),
    (CauseOrAny, as_cause),
):
    _converter.register_structure_hook_func(partial(eq, _kind), partial(_structure_with, _read))
# cattrs would turn a number into the text of it, and a text into the list of its characters; in a
# file that people write, that hides a slip. Inner types come first here.
_converter.register_structure_hook(
    str, partial(_require_type, str, "a text", lambda value, _: str(value))
)
_converter.register_structure_hook(Decision, partial(_structure_with, as_decision))
_converter.register_structure_hook(Cause, lambda value, _: Cause(value))
_SHAPES: tuple[tuple[Any, type, str], ...] = (
    (frozenset[Cause], list, "a list of texts"),
    (Marker, dict, "a table, or false for none"),
    (Row, dict, "a table"),
    (list[Row], list, "a list of tables, each under [[rows]]"),
)
for _to, _plain, _expected in _SHAPES:
    _hook = _converter.get_structure_hook(_to)
    _converter.register_structure_hook_func(
        partial(eq, _to), partial(_require_type, _plain, _expected, _hook)
    )


def from_toml(text: str) -> Policy:
    """Return a policy as people write it.

    Raises:
        PolicyError: it is not TOML, or not a policy. The message names all faults, each with its
            path, as in `policy.rows[2].decision`.
        TypeError: `text` is not a text.
    """
    if not isinstance(text, str):
        raise TypeError(
            f"expected the text of a policy as str, got {type(text).__name__}: "
            "read the file first, with Path.read_text"
        )
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits; 5,000 brackets
        raise PolicyError(f"not valid TOML: {error}") from None
    without_marker = raw.get("marker") is False
    if without_marker:
        del raw["marker"]
    faults = dict.fromkeys([*_faults_of_form(raw), *_faults_of_values(raw)])
    if faults:
        # Of a table that can be read at all it is known whether it is total.
        raise PolicyError("\n".join(dict.fromkeys([*faults, *_faults_of_table(raw)])))
    policy = _based(_converter.structure(raw, _File))
    return attrs.evolve(policy, marker=None) if without_marker else policy


def _faults_of_form(raw: dict[str, Any]) -> list[str]:
    """Return the faults of types, missing fields and unknown fields."""
    try:
        _converter.structure(raw, _File)
    except cattrs.BaseValidationError as error:
        return cattrs.transform_error(error, path="policy", format_exception=_in_words)
    return []


def _faults_of_values(raw: dict[str, Any]) -> Iterator[str]:
    """Yield the faults of blank texts and unknown names, which need the right form."""
    yield from _blank(attrs.fields(Policy).name, raw.get("name"), "policy.name")
    base = raw.get("base")
    if isinstance(base, str) and base not in PRESETS:
        yield _no_preset(base)
    rows = raw.get("rows")
    for number, row in enumerate(rows if isinstance(rows, list) else ()):
        for field in attrs.fields(Row) if isinstance(row, dict) else ():
            if field.validator is not None:
                yield from _blank(field, row.get(field.name), f"policy.rows[{number}]")


def _blank(field: attrs.Attribute[Any], value: object, path: str) -> Iterator[str]:
    """Return the fault of a text that the field does not take."""
    if isinstance(value, str) and field.validator is not None:
        try:
            field.validator(None, field, value)
        except PolicyError as error:
            yield f"{error} @ {path}"


def _faults_of_table(raw: dict[str, Any]) -> Iterator[str]:
    """Yield the faults of the rows as a table, if each of them can be read."""
    base, name = raw.get("base"), raw.get("name")
    try:
        rows = _converter.structure(raw.get("rows", []), list[Row])
    except (cattrs.BaseValidationError, PolicyError):
        return
    if not rows or not (base is None or (isinstance(base, str) and base in PRESETS)):
        return
    file = _File(name=name if isinstance(name, str) and name.strip() else "?", rows=rows, base=base)
    try:
        _based(file)
    except PolicyError as error:
        yield str(error)


def _in_words(error: BaseException, kind: type | None) -> str:
    if isinstance(error, PolicyError):
        return str(error)
    return cattrs.v.format_exception(error, kind)


def _no_preset(name: str) -> str:
    return f"expected one of {', '.join(PRESETS)}, got {name!r} @ policy.base"


def _based(file: _File) -> Policy:
    if file.base is None:
        return Policy(name=file.name, rows=tuple(file.rows), marker=file.marker, about=file.about)
    base = PRESETS[file.base]
    policy = base.with_rows(*file.rows, name=file.name, about=file.about)
    return policy if file.marker is None else attrs.evolve(policy, marker=file.marker)


def to_toml(policy: Policy) -> str:
    """Write a policy as TOML that `from_toml` reads; rows in order, wildcards left out."""
    lines = [f"name = {_quoted(policy.name)}"]
    if policy.about:
        lines.append(f"about = {_quoted(policy.about)}")
    for row in policy.rows:
        values = {field: getattr(row, field.name) for field in attrs.fields(Row)}
        lines += ["", "[[rows]]"]
        lines += [f"{f.name} = {_quoted(v)}" for f, v in values.items() if v != f.default]
    if policy.marker is not None:
        lines += ["", "[marker]"]
        if policy.marker.content is not None:
            lines.append(f"content = {_quoted(policy.marker.content)}")
        causes = [cause for cause in Cause if cause in policy.marker.causes]
        lines.append(f"causes = [{', '.join(map(_quoted, causes))}]")
        lines.append(f"item = {_quoted(policy.marker.item)}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    # A JSON string is a TOML string, but for the characters that JSON may leave as they are.
    quoted = msgspec.json.encode(str(text)).decode()
    return "".join([f"\\u{ord(c):04x}" if c == "\x7f" else c for c in quoted])
