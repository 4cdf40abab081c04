"""Updates that lack a field with an obvious value.

Servers leave fields out: Go's `omitempty` drops 0, `false` and `""`. `codec` keeps such an update
as it came, as an `UnknownUpdate` of a known type. `completed` fills in the value, which the item
knows or which is always the same, and reports it as a fault.
"""

from __future__ import annotations

from typing import Any

import msgspec

from chatkit_reducer.core.anomalies import AnomalyKind, Fault
from chatkit_reducer.core.halves import mended_struct
from chatkit_reducer.core.items.base import ItemState, MissingValue
from chatkit_reducer.events import (
    DEFAULTS,
    UPDATE_TYPES,
    UnknownUpdate,
)

__all__ = ["completed"]


def completed(item: ItemState, update: UnknownUpdate) -> tuple[Any, Fault] | Fault | None:
    """Return the update with all its fields, and the fault that says which were missing.

    None if nothing is missing, or the type is unknown. A fault alone if the item cannot tell.
    """
    cls: Any = UPDATE_TYPES.get(update.type)
    missing = [name for name in DEFAULTS.get(cls, {}) if name not in update.json]
    if not missing:
        return None
    known = {name: update.json.get(name) for name in cls.__struct_fields__ if name != "extra"}
    words = {}
    for name in missing:
        found = item.missing_value(cls, name, known) or _default(cls, name)
        if type(found) is Fault:
            return found
        known[name], words[name] = found
    fields = " and ".join([f"`{name}`" for name in missing])
    verb = "is" if len(missing) == 1 else "are"
    fault = Fault(AnomalyKind.FIELD_MISSING, f"{fields} {verb} missing", ", ".join(words.values()))
    # An update that was kept as it came may hold halves of characters.
    return mended_struct(msgspec.convert(known, cls)), fault


def _default(cls: type[Any], name: str) -> MissingValue:
    value = DEFAULTS[cls][name]
    return MissingValue(value, f"{'false' if value is False else 'no text'} was taken")
