"""The models of an SDK as plain JSON: the one place where that happens.

It knows pydantic by its methods alone, and imports neither it nor an SDK. The JSON is that of the
wire (1.6.5, `chatkit/server.py`, `ChatKitServer._serialize`), where a field that is null is left
out, because to the SDK a missing one is the same. But a null that a model requires is kept, such as
the content of a hidden item or the label of a series in a chart: without it, the SDK could not read
its own item back.
"""

from __future__ import annotations

from typing import Any

from chatkit_reducer.events import Json

__all__ = ["is_model", "json_of_model"]


def is_model(value: object) -> bool:
    """Whether it is a pydantic model, such as an event or an item of the SDK."""
    return hasattr(value, "model_dump") and not isinstance(value, type)


def json_of_model(model: Any) -> Json:
    """Return the JSON mapping of a pydantic model, as on the wire; nothing is shared.

    Fields that the class does not declare come along where the model keeps them, as those of a
    widget from a template do.
    """
    plain: Json = model.model_dump(mode="json", by_alias=True, exclude_none=True)
    _restore_required(plain, model)
    return plain


def _restore_required(plain: Any, value: Any) -> None:
    """Put back the nulls without which the models could not be made again."""
    if isinstance(value, dict) and isinstance(plain, dict):
        for name, inner in value.items():
            _restore_required(plain.get(name), inner)
    elif isinstance(value, list | tuple) and isinstance(plain, list) and len(plain) == len(value):
        for plain_item, item in zip(plain, value, strict=True):
            _restore_required(plain_item, item)
    elif is_model(value):
        _restore_fields(plain, value)


def _restore_fields(plain: Any, model: Any) -> None:
    held = vars(model)
    if not isinstance(plain, dict):  # a model that is nothing but its root
        _restore_required(plain, held.get("root"))
        return
    for name, field in getattr(type(model), "model_fields", {}).items():
        # Not `getattr`, which warns of the fields that the SDK has deprecated.
        key, inner = field.serialization_alias or field.alias or name, held.get(name)
        if inner is None and field.is_required() and not field.exclude:
            plain.setdefault(key, None)
        elif key in plain:
            _restore_required(plain[key], inner)
