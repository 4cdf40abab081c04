"""Generated images: each update brings the whole image.

The `progress` of an update is not part of the item: a client shows it until the next item event,
and `ThreadState.progress` has it.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from chatkit_reducer.core.items.base import ItemState, Reducers, VisibleContent, field_of
from chatkit_reducer.core.json_values import equal_ignoring_nulls, json_equal
from chatkit_reducer.events import GeneratedImageUpdated, Json, Update

__all__ = ["REDUCERS", "GeneratedImage", "set_image"]


class GeneratedImage(ItemState, frozen=True, gc=False, eq=False):
    """An image, or none yet."""

    _image: Json | None = None
    """The newest image; None while the item is as it came."""

    @classmethod
    def parse(cls, json: Json) -> GeneratedImage:
        """Return the state of an item mapping; any mapping will do."""
        return cls(json)

    @property
    def image(self) -> Any:
        """The image so far; None where there is none yet."""
        return self.json.get("image") if self._image is None else self._image

    def json_view(self) -> Json:
        """Return the item as plain JSON data that shares its insides with the state."""
        return self.json if self._image is None else {**self.json, "image": self._image}

    def telling(self) -> Json:
        """Return the id of the image."""
        image = self.image
        return {"image": image.get("id") if isinstance(image, dict) else "(none yet)"}

    @property
    def is_empty(self) -> bool:
        """Whether the image is missing yet."""
        return self.image is None

    @property
    def seen(self) -> VisibleContent:
        """One image, or none yet."""
        return VisibleContent(images=0 if self.is_empty else 1)

    def progress_of(self, update: Update) -> float | None:
        """Return the `progress` of an update, which the item has no field for."""
        if type(update) is not GeneratedImageUpdated or update.progress is UNSET:
            return None
        return update.progress

    @staticmethod
    def updatable_part(json: Json) -> Json:
        """Return the id of the image.

        Its `url` differs in a sound stream: each update brings a partial image, and the final one
        comes with the `done` alone (1.6.5: `chatkit/agents.py`, `stream_agent_response`).
        """
        return {"image": field_of(json.get("image"), "id")}

    def extends(self, older: ItemState) -> bool:
        """Whether it shows the same image, or the other none."""
        if not isinstance(older, GeneratedImage):
            return False
        return older.is_empty or equal_ignoring_nulls(self.image, older.image)

    def diff_to(self, other: ItemState) -> list[Update] | None:
        """Another image; the rest of the item cannot be updated."""
        if not isinstance(other, GeneratedImage) or not isinstance(other.image, dict):
            return None
        mine, theirs = ({k: v for k, v in i.json.items() if k != "image"} for i in (self, other))
        if not json_equal(mine, theirs):
            return None
        return [] if json_equal(self.image, other.image) else [GeneratedImageUpdated(other.image)]


def set_image(item: GeneratedImage, update: GeneratedImageUpdated) -> GeneratedImage:
    """`generated_image.updated`: sets the image. openai-chatkit 1.6.5 does not apply it."""
    if json_equal(item.image, update.image):
        return item
    return GeneratedImage(item.json, update.image)


REDUCERS: Reducers = {GeneratedImageUpdated: set_image}
