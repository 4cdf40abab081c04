"""Generated images: each update brings the whole image.

The `progress` of an update is for the eye only: the item has no field for it, so it is no part of
this state (see `ThreadState.progress`).
"""

from __future__ import annotations

from chatkit_reducer.events import GeneratedImageUpdated, Json
from chatkit_reducer.items.base import ItemState
from chatkit_reducer.json_values import same_json

__all__ = ["REDUCERS", "GeneratedImage", "set_image"]


class GeneratedImage(ItemState, frozen=True, gc=False, eq=False):
    """An image, or none yet."""

    @classmethod
    def parse(cls, json: Json) -> GeneratedImage:
        """The state of an item mapping; any mapping will do."""
        return cls(json)


def set_image(item: GeneratedImage, update: GeneratedImageUpdated) -> GeneratedImage:
    """`generated_image.updated`: sets the image. openai-chatkit 1.6.5 does not apply it."""
    if same_json(item.json.get("image"), update.image):
        return item
    return GeneratedImage({**item.json, "image": update.image})


REDUCERS = {GeneratedImageUpdated: set_image}
