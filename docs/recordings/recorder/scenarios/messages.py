"""Assistant messages, reasoning, images: what the SDK makes of a model's answer."""

import base64
import struct
import zlib
from collections.abc import AsyncIterator

from agents import function_tool
from chatkit.agents import ResponseStreamConverter
from chatkit.types import ThreadStreamEvent

from recorder.scenario import Scenario, first
from recorder.scripted_model import (
    Pause,
    Refusal,
    Text,
    answer,
    function_call,
    image,
    message,
    reasoning,
)
from recorder.server import Context
from recorder.store import JsonObject


def text_with_citations(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    findings = Text(
        "The moon is ",
        "384,400 km away",
        _url("https://moon.example/distance", "How far is the moon?", start=0, end=27),
        " on average",
        _file("moon.pdf", index=38),
        # The SDK has no annotation for a file path, and drops a citation of a file without a name.
        {"type": "file_path", "file_id": "file_9", "index": 38},
        _file("", index=38),
        ", and it ",
        "is leaving us.",
        _url("https://moon.example/drift", "The moon drifts away", start=40, end=62),
    )
    summary = Text("In short: ", "far.", _container_file("orbit.csv", start=0, end=14))
    return answer(context, message("msg_model_1", findings, summary))


def citation_not_converted(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    """The first citation ends the answer: see `ScriptedModel`."""
    citation = _url("https://moon.example/distance", "How far is the moon?", start=0, end=11)
    text = Text("The moon is", citation, " far away.")
    return answer(context, message("msg_model_1", text), typed_citations=True)


def unusual_characters(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    return answer(
        context,
        message(
            "msg_model_1",
            Text(
                "A family: \U0001f469\u200d",
                "\U0001f469\u200d\U0001f467, a flag: \U0001f1eb",
                "\U0001f1f7, an accent in two: e",
                "\u0301.\n",
                "Line ends:\r\n\rnext line\x85line separator\u2028paragraph separator\u2029",
                "vertical tab\x0bform feed\x0cfile separator\x1c.\n\n",
                'data: {"type": "error"}\n\n',
                "Quotes \" ' \\ / and NUL \x00, BOM \ufeff, ",
                "no character \uffff, ",
                "right to left \u05e9\u05dc\u05d5\u05dd, ",
                "\u65e5\u672c\u8a9e.",
                "",
            ),
        ),
    )


def refusal(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    """A refusal fails the run, which drops what is in its queue: let it run empty."""
    refused = message("msg_model_1", Refusal("I cannot ", "help with ", "that."))
    return answer(context, [*refused, Pause()])


def two_thousand_deltas(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    words = (f"word{number} " for number in range(2000))
    return answer(context, message("msg_model_1", Text(*words)))


def reasoning_then_text(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    return answer(
        context,
        [
            *reasoning(
                "rs_1",
                ["**Reading** the ", "question ", "twice."],
                ["**Weighing** ", "the answers."],
            ),
            *message("msg_model_1", Text("The answer ", "is 42.")),
        ],
    )


def reasoning_around_a_tool(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    return answer(
        context,
        [*reasoning("rs_1", ["I need ", "the weather."]), *function_call(1, "weather")],
        [
            *reasoning("rs_2", ["Now I ", "know it."]),
            *message("msg_model_1", Text("It is ", "sunny.")),
        ],
        tools=[weather],
    )


@function_tool
async def weather() -> str:
    """The weather of today."""
    return "sunny"


def two_messages(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    return answer(
        context,
        [*message("msg_model_1", Text("Let me ", "look.")), *function_call(1, "weather")],
        message("msg_model_2", Text("It is ", "sunny.")),
        tools=[weather],
    )


def image_generation(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    pictures = [_png(grey) for grey in (64, 128, 192, 255)]
    return answer(
        context,
        [
            *image("ig_1", partial=pictures[:3], result=pictures[3]),
            *message("msg_model_1", Text("Here ", "it is.")),
        ],
        converter=ResponseStreamConverter(partial_images=3),
    )


def _url(url: str, title: str, *, start: int, end: int) -> JsonObject:
    return {
        "type": "url_citation",
        "url": url,
        "title": title,
        "start_index": start,
        "end_index": end,
    }


def _file(filename: str, *, index: int) -> JsonObject:
    return {"type": "file_citation", "file_id": "file_1", "filename": filename, "index": index}


def _container_file(filename: str, *, start: int, end: int) -> JsonObject:
    where = {"container_id": "cntr_1", "file_id": "cfile_1", "start_index": start, "end_index": end}
    return {"type": "container_file_citation", "filename": filename, **where}


def _png(grey: int) -> str:
    """A square of 12 by 12 grey pixels, not compressed, so that it is the same with every zlib."""
    size = 12
    header = struct.pack(">IIBBBBB", size, size, 8, 0, 0, 0, 0)
    rows = (b"\x00" + bytes([grey]) * size) * size
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows, 0)), (b"IEND", b"")]
    png = b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)
    return base64.b64encode(png).decode()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


SCENARIOS = (
    Scenario("text-with-citations", (first(text_with_citations),)),
    Scenario("citation-not-converted", (first(citation_not_converted),)),
    Scenario("unusual-characters", (first(unusual_characters),)),
    Scenario("refusal", (first(refusal),)),
    Scenario("two-messages", (first(two_messages),)),
    Scenario("two-thousand-deltas", (first(two_thousand_deltas),)),
    Scenario("reasoning-then-text", (first(reasoning_then_text),)),
    Scenario("reasoning-around-a-tool", (first(reasoning_around_a_tool),)),
    Scenario("image-generation", (first(image_generation),)),
)
