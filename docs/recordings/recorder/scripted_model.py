"""A model of the Agents SDK that says what its script says, in the events of the Responses API.

A script is a sequence of steps: an event as the JSON mapping that the API sends (sequence number
and output index are filled in here), a pause, or a failure. `message`, `reasoning`,
`function_call` and `image` make the events of one output item, in the order in which the API
sends them.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from agents import Agent, Model, ModelResponse, RunConfig, Runner
from chatkit.agents import ResponseStreamConverter, stream_agent_response
from chatkit.types import ThreadStreamEvent
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from recorder.server import Context
from recorder.store import JsonObject

_EVENT: TypeAdapter[ResponseStreamEvent] = TypeAdapter(ResponseStreamEvent)


@dataclass(frozen=True)
class Pause:
    """The model says nothing for so long.

    What an agent tool sends and what the model says reach the SDK through two queues, and where
    both hold something, the SDK takes either. A pause behind a tool call lets the tool's queue
    run empty first.
    """

    seconds: float = 0.1


FOREVER = Pause(3600)


@dataclass(frozen=True)
class Fail:
    """The connection to the model breaks."""

    error: Exception


Step = JsonObject | Pause | Fail


def answer(
    context: Context,
    *scripts: Iterable[Step],
    converter: ResponseStreamConverter | None = None,
    typed_citations: bool = False,
    **agent_options: Any,
) -> AsyncIterator[ThreadStreamEvent]:
    """Run an agent with a script for each call of its model, and stream it as the SDK does."""
    model = ScriptedModel(scripts, typed_citations=typed_citations)
    agent = Agent[Context](name="Recorded agent", model=model, **agent_options)
    result = Runner.run_streamed(
        agent, "Hello", context=context, run_config=RunConfig(tracing_disabled=True)
    )
    return stream_agent_response(context, result, converter=converter or ResponseStreamConverter())


class ScriptedModel(Model):
    """Plays the next script each time it is called.

    A streamed citation is a plain mapping here. In openai 3.54 it is of a class of its own, on
    which openai-chatkit 1.6.5 fails (`_convert_annotation`): that is what `typed_citations` is
    for.
    """

    def __init__(self, scripts: Iterable[Iterable[Step]], *, typed_citations: bool = False) -> None:
        self._scripts = iter(scripts)
        self._typed_citations = typed_citations

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        raise NotImplementedError("the recorded agents only stream")

    async def stream_response(
        self, *args: Any, **kwargs: Any
    ) -> AsyncIterator[ResponseStreamEvent]:
        output: list[JsonObject] = []
        sequence_number = 0
        for step in [_response("created", []), *next(self._scripts)]:
            match step:
                case Pause(seconds):
                    await asyncio.sleep(seconds)
                case Fail(error):
                    raise error
                case dict():
                    sequence_number += 1
                    event = _event(step, sequence_number, len(output))
                    if "annotation" in step and not self._typed_citations:
                        event = event.model_copy(update={"annotation": step["annotation"]})
                    yield event
                    if step["type"] == "response.output_item.done":
                        output.append(step["item"])
        yield _event(_response("completed", output), sequence_number + 1, len(output))


def message(item_id: str, *parts: "Text | Refusal") -> Iterable[Step]:
    """A message of the assistant, streamed part by part."""
    item: JsonObject = {"id": item_id, "type": "message", "role": "assistant"}
    yield _added({**item, "status": "in_progress", "content": []})
    for index, part in enumerate(parts):
        where: JsonObject = {"item_id": item_id, "content_index": index}
        yield {"type": "response.content_part.added", **where, "part": part.empty}
        for step in part.steps():
            yield step if isinstance(step, Pause | Fail) else {**step, **where}
        yield {"type": "response.content_part.done", **where, "part": part.whole}
    yield _done({**item, "status": "completed", "content": [part.whole for part in parts]})


class Text:
    """A text part: pieces of text, and citations (mappings), pauses, failures between them."""

    def __init__(self, *pieces: str | JsonObject | Pause | Fail) -> None:
        self._pieces = pieces
        self._text = "".join(piece for piece in pieces if isinstance(piece, str))
        self._citations = [piece for piece in pieces if isinstance(piece, dict)]
        self.empty: JsonObject = {"type": "output_text", "text": "", "annotations": []}
        self.whole: JsonObject = {**self.empty, "text": self._text, "annotations": self._citations}

    def steps(self) -> Iterable[Step]:
        citations = 0
        for piece in self._pieces:
            match piece:
                case str():
                    yield {"type": "response.output_text.delta", "delta": piece, "logprobs": []}
                case dict():
                    yield _citation_added(piece, citations)
                    citations += 1
                case _:
                    yield piece
        yield {"type": "response.output_text.done", "text": self._text, "logprobs": []}


class Refusal:
    """A refusal, which the API streams as deltas of its own."""

    def __init__(self, *pieces: str) -> None:
        self._pieces = pieces
        self.empty: JsonObject = {"type": "refusal", "refusal": ""}
        self.whole: JsonObject = {"type": "refusal", "refusal": "".join(pieces)}

    def steps(self) -> Iterable[Step]:
        for piece in self._pieces:
            yield {"type": "response.refusal.delta", "delta": piece}
        yield {"type": "response.refusal.done", "refusal": self.whole["refusal"]}


def reasoning(item_id: str, *summaries: Sequence[str]) -> Iterable[Step]:
    """Reasoning with summaries, each streamed in its pieces."""
    item: JsonObject = {"id": item_id, "type": "reasoning"}
    yield _added({**item, "summary": []})
    for index, pieces in enumerate(summaries):
        where: JsonObject = {"item_id": item_id, "summary_index": index}
        text = "".join(pieces)
        part = {"type": "summary_text", "text": text}
        yield {
            "type": "response.reasoning_summary_part.added",
            **where,
            "part": {**part, "text": ""},
        }
        for piece in pieces:
            yield {"type": "response.reasoning_summary_text.delta", **where, "delta": piece}
        yield {"type": "response.reasoning_summary_text.done", **where, "text": text}
        yield {"type": "response.reasoning_summary_part.done", **where, "part": part}
    summary = [{"type": "summary_text", "text": "".join(pieces)} for pieces in summaries]
    yield _done({**item, "summary": summary})


def function_call(number: int, name: str, arguments: str = "{}") -> Iterable[Step]:
    """The call of an agent tool."""
    item_id = f"fc_{number}"
    item: JsonObject = {
        "id": item_id,
        "type": "function_call",
        "call_id": f"call_{number}",
        "name": name,
    }
    yield _added({**item, "status": "in_progress", "arguments": ""})
    yield {"type": "response.function_call_arguments.delta", "item_id": item_id, "delta": arguments}
    yield {
        "type": "response.function_call_arguments.done",
        "item_id": item_id,
        "name": name,
        "arguments": arguments,
    }
    yield _done({**item, "status": "completed", "arguments": arguments})


def image(item_id: str, *, partial: Sequence[str], result: str) -> Iterable[Step]:
    """An image in base64, with the partial images that come before it."""
    item: JsonObject = {"id": item_id, "type": "image_generation_call"}
    yield _added({**item, "status": "in_progress", "result": None})
    yield {"type": "response.image_generation_call.generating", "item_id": item_id}
    for index, picture in enumerate(partial):
        yield {
            "type": "response.image_generation_call.partial_image",
            "item_id": item_id,
            "partial_image_index": index,
            "partial_image_b64": picture,
        }
    yield {"type": "response.image_generation_call.completed", "item_id": item_id}
    yield _done({**item, "status": "completed", "result": result})


def _added(item: JsonObject) -> JsonObject:
    return {"type": "response.output_item.added", "item": item}


def _done(item: JsonObject) -> JsonObject:
    return {"type": "response.output_item.done", "item": item}


def _citation_added(citation: JsonObject, index: int) -> JsonObject:
    return {
        "type": "response.output_text.annotation.added",
        "annotation_index": index,
        "annotation": citation,
    }


def _response(status: str, output: list[JsonObject]) -> JsonObject:
    response = {
        "id": "resp_1",
        "object": "response",
        "created_at": 0,
        "model": "scripted",
        "output": output,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }
    return {"type": f"response.{status}", "response": response}


def _event(payload: JsonObject, sequence_number: int, output_index: int) -> ResponseStreamEvent:
    where = {"sequence_number": sequence_number, "output_index": output_index}
    return _EVENT.validate_python({**payload, **where})
