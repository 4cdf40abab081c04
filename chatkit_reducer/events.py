"""What arrives: the stream events of ChatKit and the item updates they carry.

The vocabulary is that of `openai-chatkit` 1.6.5, `chatkit/types.py` (`ThreadStreamEvent`,
`ThreadItemUpdate`), under the SDK's own names, less the suffix `Event` where nothing else is
called so. An event is a frozen value: its fields are typed, the JSON it carries (an item, a task,
a widget) stays a plain mapping, because that is the part of ChatKit which grows with every
release. Nobody in this package ever writes to such a mapping, and nobody else should.

What this release does not know is kept, never dropped:

* an unknown event is an `UnknownEvent`, an unknown update an `UnknownUpdate`: the whole mapping;
* unknown fields of a known event or update are in its `extra`.

A piece of a log that is no event at all is a value too: `Unreadable`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import UNSET, Struct, UnsetType, field

from chatkit_reducer.json_values import Json

__all__ = [
    "EVENT_TYPES",
    "UPDATE_TYPES",
    "AssistantMessageContentPartAdded",
    "AssistantMessageContentPartAnnotationAdded",
    "AssistantMessageContentPartDone",
    "AssistantMessageContentPartTextDelta",
    "ClientEffect",
    "ErrorEvent",
    "Event",
    "Extra",
    "GeneratedImageUpdated",
    "Json",
    "KnownEvent",
    "KnownUpdate",
    "Notice",
    "ProgressUpdate",
    "StreamOptions",
    "ThreadCreated",
    "ThreadItemAdded",
    "ThreadItemDone",
    "ThreadItemRemoved",
    "ThreadItemReplaced",
    "ThreadItemUpdated",
    "ThreadUpdated",
    "UnknownEvent",
    "UnknownUpdate",
    "Unreadable",
    "Update",
    "WidgetComponentUpdated",
    "WidgetRootUpdated",
    "WidgetStreamingTextValueDelta",
    "WorkflowTaskAdded",
    "WorkflowTaskUpdated",
    "wire_tag",
    "wire_type",
]


class Extra(dict[str, Any]):
    """The fields of an event or update that this release does not know, by name.

    A class of its own, because no JSON decodes to it: a field on the wire that happens to have
    the wire name of `extra` fails the typed decoding, and takes the path that loses nothing.
    """


# `gc=False`: an event is built once from JSON and cannot be part of a cycle; keeping events out of
# the garbage collector's lists is worth a factor of six on long logs. `forbid_unknown_fields` costs
# nothing and is what sends an event with unknown fields down the lossless path in `codec`.
class _Wire(Struct, frozen=True, gc=False, forbid_unknown_fields=True, kw_only=True):
    extra: Extra | UnsetType = field(default=UNSET, name="(extra)")


class _Foreign(Struct, frozen=True, gc=False):
    json: Json

    @property
    def type(self) -> str:
        """The `type` on the wire."""
        return str(self.json["type"])


# --- item updates -------------------------------------------------------------------------------


class AssistantMessageContentPartAdded(
    _Wire, frozen=True, tag="assistant_message.content_part.added"
):
    """A part of an assistant message begins: `content` is the part, a JSON object."""

    content_index: int
    content: Json


class AssistantMessageContentPartTextDelta(
    _Wire, frozen=True, tag="assistant_message.content_part.text_delta"
):
    """More text, `delta`, for the part at `content_index`."""

    content_index: int
    delta: str


class AssistantMessageContentPartAnnotationAdded(
    _Wire, frozen=True, tag="assistant_message.content_part.annotation_added"
):
    """A citation for the part at `content_index`; `annotation_index` is its place in the list."""

    content_index: int
    annotation_index: int
    annotation: Json


class AssistantMessageContentPartDone(
    _Wire, frozen=True, tag="assistant_message.content_part.done"
):
    """The text of the part at `content_index` is final."""

    content_index: int
    content: Json


class WidgetStreamingTextValueDelta(_Wire, frozen=True, tag="widget.streaming_text.value_delta"):
    """More text for the `value` of the component `component_id`; `done` ends its streaming."""

    component_id: str
    delta: str
    done: bool


class WidgetComponentUpdated(_Wire, frozen=True, tag="widget.component.updated"):
    """The component `component_id` is replaced by `component`."""

    component_id: str
    component: Json


class WidgetRootUpdated(_Wire, frozen=True, tag="widget.root.updated"):
    """The whole widget is replaced."""

    widget: Json


class WorkflowTaskAdded(_Wire, frozen=True, tag="workflow.task.added"):
    """A task joins the workflow at `task_index`."""

    task_index: int
    task: Json


class WorkflowTaskUpdated(_Wire, frozen=True, tag="workflow.task.updated"):
    """The task at `task_index` is replaced."""

    task_index: int
    task: Json


class GeneratedImageUpdated(_Wire, frozen=True, tag="generated_image.updated"):
    """The image so far; `progress`, from 0 to 1, is for the eye only, and in no item."""

    image: Json
    progress: int | float | UnsetType | None = UNSET


class UnknownUpdate(_Foreign, frozen=True, gc=False):
    """An update of a type that this release does not know: the whole mapping."""


KnownUpdate: TypeAlias = (
    AssistantMessageContentPartAdded
    | AssistantMessageContentPartTextDelta
    | AssistantMessageContentPartAnnotationAdded
    | AssistantMessageContentPartDone
    | WidgetStreamingTextValueDelta
    | WidgetComponentUpdated
    | WidgetRootUpdated
    | WorkflowTaskAdded
    | WorkflowTaskUpdated
    | GeneratedImageUpdated
)
"""The ten updates of openai-chatkit 1.6.5."""

Update: TypeAlias = KnownUpdate | UnknownUpdate
"""What a `ThreadItemUpdated` can carry."""

if TYPE_CHECKING:
    _DecodedUpdate: TypeAlias = Update
else:  # msgspec cannot decode a union of tagged and untagged classes, and need not
    _DecodedUpdate = KnownUpdate


# --- stream events ------------------------------------------------------------------------------


class ThreadCreated(_Wire, frozen=True, tag="thread.created"):
    """A thread begins. Items in `thread["items"]["data"]` are stored ones."""

    thread: Json


class ThreadUpdated(_Wire, frozen=True, tag="thread.updated"):
    """The metadata of the thread changed. Its items are not part of the news."""

    thread: Json


class ThreadItemAdded(_Wire, frozen=True, tag="thread.item.added"):
    """An item begins; updates and a `ThreadItemDone` follow."""

    item: Json


class ThreadItemUpdated(_Wire, frozen=True, tag="thread.item.updated"):
    """One change to the item `item_id`."""

    item_id: str
    update: _DecodedUpdate


class ThreadItemDone(_Wire, frozen=True, tag="thread.item.done"):
    """An item is complete, and this is all of it."""

    item: Json


class ThreadItemRemoved(_Wire, frozen=True, tag="thread.item.removed"):
    """The item `item_id` is gone."""

    item_id: str


class ThreadItemReplaced(_Wire, frozen=True, tag="thread.item.replaced"):
    """A stored item has a new content, and this is all of it."""

    item: Json


class StreamOptions(_Wire, frozen=True, tag="stream_options"):
    """Options of the running stream, such as `{"allow_cancel": true}`."""

    stream_options: Json


class ProgressUpdate(_Wire, frozen=True, tag="progress_update"):
    """A line about what goes on, shown until the next item event."""

    text: str
    icon: str | UnsetType | None = UNSET


class ClientEffect(_Wire, frozen=True, tag="client_effect"):
    """Something for the client to do. It changes no thread."""

    name: str
    data: Json | UnsetType | None = UNSET


class ErrorEvent(_Wire, frozen=True, tag="error"):
    """The stream failed."""

    code: str | UnsetType = UNSET
    message: str | UnsetType | None = UNSET
    allow_retry: bool | UnsetType = UNSET


class Notice(_Wire, frozen=True, tag="notice"):
    """A notice to the user. It changes no thread."""

    level: str
    message: str
    title: str | UnsetType | None = UNSET


class UnknownEvent(_Foreign, frozen=True, gc=False):
    """An event of a type that this release does not know: the whole mapping."""


class Unreadable(Struct, frozen=True, gc=False):
    """A piece of a recorded stream that is no event, and what is wrong with it.

    `offset` is where it starts, in bytes from the start of the (uncompressed) log, and `line` the
    line, counted from 1; `excerpt` is its beginning, cut to a readable length. Folding one leaves
    an anomaly and changes nothing else.
    """

    offset: int
    line: int
    reason: str
    excerpt: str


KnownEvent: TypeAlias = (
    ThreadCreated
    | ThreadUpdated
    | ThreadItemAdded
    | ThreadItemUpdated
    | ThreadItemDone
    | ThreadItemRemoved
    | ThreadItemReplaced
    | StreamOptions
    | ProgressUpdate
    | ClientEffect
    | ErrorEvent
    | Notice
)
"""The twelve stream events of openai-chatkit 1.6.5."""

Event: TypeAlias = KnownEvent | UnknownEvent
"""One event of a ChatKit stream."""


def wire_tag(cls: type[_Wire]) -> str:
    """The `type` on the wire of an event or update class."""
    return str(cls.__struct_config__.tag)


def _by_tag(*classes: type[_Wire]) -> dict[str, type[_Wire]]:
    return {wire_tag(cls): cls for cls in classes}


UPDATE_TYPES: dict[str, type[_Wire]] = _by_tag(
    AssistantMessageContentPartAdded,
    AssistantMessageContentPartTextDelta,
    AssistantMessageContentPartAnnotationAdded,
    AssistantMessageContentPartDone,
    WidgetStreamingTextValueDelta,
    WidgetComponentUpdated,
    WidgetRootUpdated,
    WorkflowTaskAdded,
    WorkflowTaskUpdated,
    GeneratedImageUpdated,
)
"""Every known update class by its `type` on the wire."""

EVENT_TYPES: dict[str, type[_Wire]] = _by_tag(
    ThreadCreated,
    ThreadUpdated,
    ThreadItemAdded,
    ThreadItemUpdated,
    ThreadItemDone,
    ThreadItemRemoved,
    ThreadItemReplaced,
    StreamOptions,
    ProgressUpdate,
    ClientEffect,
    ErrorEvent,
    Notice,
)
"""Every known event class by its `type` on the wire."""


def wire_type(value: Event | Update | Unreadable) -> str:
    """The `type` of an event or update as it stands on the wire, e.g. `"thread.item.added"`."""
    if isinstance(value, _Foreign):
        return value.type
    if isinstance(value, Unreadable):
        return "unreadable"
    return wire_tag(type(value))
