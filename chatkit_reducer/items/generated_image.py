"""Generated images: each update brings the whole image.

The `progress` of an update is for the eye only: the item has no field for it, so it is no part of
this state (see `ThreadState.progress`).
"""

from __future__ import annotations

from chatkit_reducer.events import GeneratedImageUpdated, Json, Update
from chatkit_reducer.items.base import ItemState, Reducers, Seen
from chatkit_reducer.json_values import same_json

__all__ = ["REDUCERS", "GeneratedImage", "set_image"]


class GeneratedImage(ItemState, frozen=True, gc=False, eq=False):
    """An image, or none yet."""

    @classmethod
    def parse(cls, json: Json) -> GeneratedImage:
        """The state of an item mapping; any mapping will do."""
        return cls(json)

    @property
    def is_empty(self) -> bool:
        """Whether there is no image yet."""
        return self.json.get("image") is None

    @property
    def seen(self) -> Seen:
        """One image, or none yet."""
        return Seen(images=0 if self.is_empty else 1)

    def updates_to(self, other: ItemState) -> list[Update] | None:
        """Another image; the rest of the item cannot be updated."""
        mine, theirs = ({k: v for k, v in i.json.items() if k != "image"} for i in (self, other))
        image = other.json.get("image")
        if not isinstance(image, dict) or not same_json(mine, theirs):
            return None
        return [] if same_json(self.json.get("image"), image) else [GeneratedImageUpdated(image)]


def set_image(item: GeneratedImage, update: GeneratedImageUpdated) -> GeneratedImage:
    """`generated_image.updated`: sets the image. openai-chatkit 1.6.5 does not apply it."""
    if same_json(item.json.get("image"), update.image):
        return item
    return GeneratedImage({**item.json, "image": update.image})


REDUCERS: Reducers = {GeneratedImageUpdated: set_image}
