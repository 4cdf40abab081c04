"""The stream events of ChatKit and the item updates that they carry.

The vocabulary is that of `openai-chatkit` 1.6.5, `chatkit/types.py` (`ThreadStreamEvent`,
`ThreadItemUpdate`), under the SDK's own names, less the suffix `Event` where nothing else is
called so. An event is a frozen value: its fields are typed, the JSON it carries (an item, a task,
a widget) stays a plain mapping, because that is the part of ChatKit which grows with every
release. This package never writes to such a mapping; neither should its users.

Unknown data is kept, never dropped:

* an unknown event is an `UnknownEvent`, an unknown update an `UnknownUpdate`: the whole mapping;
* unknown fields of a known event or update are in its `extra`.

An unreadable piece of a log is a value too: `Unreadable`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, get_args

from msgspec import UNSET, Struct, UnsetType, field

__all__ = [
    "DEFAULTS",
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
    "Redelivered",
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

Json: TypeAlias = dict[str, Any]
"""A JSON object."""


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


class _Unknown(Struct, frozen=True, gc=False):
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


class UnknownUpdate(_Unknown, frozen=True, gc=False):
    """An update of a type that this release does not know: the whole mapping.

    Also one of a known type, if it lacks a field that has a default (`DEFAULTS`): folding it leaves
    an anomaly, and has the effect of the update with the default.
    """


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
"""The updates that a `ThreadItemUpdated` can carry."""

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
    """A line about the work in progress, shown until the next item event."""

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


class UnknownEvent(_Unknown, frozen=True, gc=False):
    """An event of a type that this release does not know: the whole mapping."""


class Unreadable(Struct, frozen=True, gc=False):
    """A piece of a recorded stream that is not an event, with the reason.

    `offset` is where it starts, in bytes from the start of the (uncompressed) log, and `line` the
    line, counted from 1; `excerpt` is its beginning, cut to a readable length. Folding one leaves
    an anomaly and changes nothing else.
    """

    offset: int
    line: int
    reason: str
    excerpt: str
    unlisted: int = 0
    """How many pieces this stands for, behind the first 10,000 of a log: they are only counted."""


class Redelivered(Unreadable, frozen=True, gc=False, kw_only=True):
    """An event that a log delivered before, with the same number.

    It stands where the event came again, and says what `Unreadable` says of that place. Folding it
    leaves an anomaly and changes nothing else.
    """

    event: Event


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
    """Return the `type` on the wire of an event or update class."""
    return str(cls.__struct_config__.tag)


def _by_tag(classes: tuple[type[_Wire], ...]) -> dict[str, type[_Wire]]:
    return {wire_tag(cls): cls for cls in classes}


UPDATE_TYPES: dict[str, type[_Wire]] = _by_tag(get_args(KnownUpdate))
"""Every known update class by its `type` on the wire."""

DEFAULTS: dict[type[_Wire], dict[str, int | bool | str]] = {
    AssistantMessageContentPartAdded: {"content_index": 0},
    AssistantMessageContentPartTextDelta: {"content_index": 0},
    AssistantMessageContentPartAnnotationAdded: {"content_index": 0, "annotation_index": 0},
    AssistantMessageContentPartDone: {"content_index": 0},
    WidgetStreamingTextValueDelta: {"delta": "", "done": False},
    WorkflowTaskAdded: {"task_index": 0},
    WorkflowTaskUpdated: {"task_index": 0},
}
"""The fields that an update may lack, with their values; the item knows a missing index."""

EVENT_TYPES: dict[str, type[_Wire]] = _by_tag(get_args(KnownEvent))
"""Every known event class by its `type` on the wire."""


def wire_type(value: Event | Update | Unreadable) -> str:
    """Return the `type` of an event or update on the wire, e.g. `"thread.item.added"`."""
    if isinstance(value, _Unknown):
        return value.type
    if isinstance(value, Redelivered):
        return wire_type(value.event)
    if isinstance(value, Unreadable):
        return "unreadable"
    return wire_tag(type(value))
