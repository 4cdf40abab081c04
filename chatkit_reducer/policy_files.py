"""Policies in TOML.

    name = "no half forms"
    base = "keep"                   # a preset; the rows below stand above its own

    [[rows]]
    item = "widget"                 # item, origin, content and cause are "*" if left out
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
from collections.abc import Callable
from functools import partial
from operator import eq
from typing import Any

import attrs
import cattrs
import msgspec

from chatkit_reducer.errors import PolicyError
from chatkit_reducer.policies import PRESETS
from chatkit_reducer.policy import (
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

__all__ = ["policy_from_toml", "policy_to_toml"]


@attrs.frozen(kw_only=True)
class _File:
    name: str
    rows: list[Row] = attrs.field(factory=list)
    base: str | None = None
    marker: Marker | None = None
    about: str = ""


def _call(read: Callable[[object], object], value: object, _: object) -> object:
    return read(value)


def _checked(
    kind: type, words: str, hook: Callable[[Any, Any], Any], value: object, to: Any
) -> Any:
    if not isinstance(value, kind):
        raise PolicyError(f"expected {words}, got {value!r}")
    return hook(value, to)


_converter = cattrs.Converter(forbid_extra_keys=True)
for _kind, _read in (
    (OriginOrAny, as_origin),
    (ContentOrAny, as_content),
    (CauseOrAny, as_cause),
):
    _converter.register_structure_hook_func(partial(eq, _kind), partial(_call, _read))
# cattrs would turn a number into the text of it, and a text into the list of its characters; in a
# file that people write, that hides a slip. What is inside of others comes first here.
_converter.register_structure_hook(
    str, partial(_checked, str, "a text", lambda value, _: str(value))
)
_converter.register_structure_hook(Decision, partial(_call, as_decision))
_converter.register_structure_hook(Cause, lambda value, _: Cause(value))
_SHAPES: tuple[tuple[Any, type, str], ...] = (
    (frozenset[Cause], list, "a list of texts"),
    (Marker, dict, "a table, or false for none"),
    (Row, dict, "a table"),
    (list[Row], list, "a list of tables, each under [[rows]]"),
)
for _to, _plain, _words in _SHAPES:
    _hook = _converter.get_structure_hook(_to)
    _converter.register_structure_hook_func(
        partial(eq, _to), partial(_checked, _plain, _words, _hook)
    )


def policy_from_toml(text: str) -> Policy:
    """A policy as people write it.

    Raises:
        PolicyError: it is no TOML, or no policy. All that is wrong is said at once, each fault with
            its path, as in `policy.rows[2].decision`.
    """
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits; 5,000 brackets
        raise PolicyError(f"this is no TOML: {error}") from None
    without_marker = raw.get("marker") is False
    if without_marker:
        del raw["marker"]
    try:
        file = _converter.structure(raw, _File)
    except cattrs.BaseValidationError as error:
        faults = cattrs.transform_error(error, path="policy", format_exception=_in_words)
        raise PolicyError("\n".join(faults)) from None
    policy = _based(file)
    return attrs.evolve(policy, marker=None) if without_marker else policy


def _in_words(error: BaseException, kind: type | None) -> str:
    if isinstance(error, PolicyError):
        return str(error)
    return cattrs.v.format_exception(error, kind)


def _based(file: _File) -> Policy:
    if file.base is None:
        return Policy(name=file.name, rows=tuple(file.rows), marker=file.marker, about=file.about)
    base = PRESETS.get(file.base)
    if base is None:
        raise PolicyError(
            f"{file.base!r} is no preset; there are {', '.join(PRESETS)} @ policy.base"
        )
    policy = base.with_rows(*file.rows, name=file.name, about=file.about)
    return policy if file.marker is None else attrs.evolve(policy, marker=file.marker)


def policy_to_toml(policy: Policy) -> str:
    """A policy as TOML that `policy_from_toml` reads; rows in order, wildcards left out."""
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
