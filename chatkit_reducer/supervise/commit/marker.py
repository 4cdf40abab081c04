"""The fields of a marker that the core cannot make: an id, a time, a content."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

import attrs
from msgspec import UNSET

from chatkit_reducer.supervise.checks import check_json, check_no_argument

__all__ = ["MarkerFields"]


def _new_id() -> str:
    # As the SDK makes them for its own hidden items (1.6.5, `chatkit/store.py`,
    # `default_generate_id`).
    return f"shcx_{uuid.uuid4().hex[:8]}"


def _local_time() -> str:
    return datetime.now().isoformat()  # noqa: DTZ005  # without a zone, as the SDK writes it


def _function(_: object, field: attrs.Attribute[Any], value: object) -> None:
    check_no_argument(f"MarkerFields.{field.name}", value)


def _content(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if value is not UNSET:
        check_json(f"MarkerFields.{field.name}", value)


def _text_or_none(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, str | None):
        raise TypeError(
            f"MarkerFields.{field.name} must be a string, got {type(value).__name__}: use str()"
        )


@attrs.frozen(kw_only=True)
class MarkerFields:
    """The fields of a marker that the core cannot make.

    Args:
        new_id: returns an id for it, once for each stream. A `UUID` or an `int` becomes a string.
        now: returns its `created_at`. A `datetime` becomes its ISO form.
        content: its content, plain JSON, for a policy that leaves that to the application.
        thread_id: its thread; found in the thread if left out.

    Raises:
        TypeError: a function is not callable, or asynchronous; the content is not plain JSON.
        ValueError: the content holds a value that JSON cannot express.
    """

    new_id: Callable[[], str | uuid.UUID | int] = attrs.field(default=_new_id, validator=_function)
    now: Callable[[], str | datetime] = attrs.field(default=_local_time, validator=_function)
    content: Any = attrs.field(default=UNSET, validator=_content)
    thread_id: str | None = attrs.field(default=None, validator=_text_or_none)

    def id_and_time(self) -> tuple[str, str]:
        """Make an id and a time.

        Raises:
            TypeError: one of the functions returned something else.
        """
        return _text("new_id", self.new_id()), _text("now", self.now())


def _text(name: str, value: object) -> str:
    if isinstance(value, datetime):
        value = value.isoformat()
    elif isinstance(value, uuid.UUID) or (isinstance(value, int) and not isinstance(value, bool)):
        value = str(value)
    if not isinstance(value, str) or not value:
        raise TypeError(f"MarkerFields.{name} must return a string, got {value!r}")
    check_json(f"the result of MarkerFields.{name}", value)
    return value
