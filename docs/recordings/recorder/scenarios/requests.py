"""What is special about a request or an event: tool output, a retry, hidden items."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

from agents import RunContextWrapper, StopAtTools, function_tool
from chatkit.agents import ClientToolCall
from chatkit.types import (
    ClientEffectEvent,
    CustomTask,
    EndOfTurnItem,
    HiddenContextItem,
    NoticeEvent,
    ProgressUpdateEvent,
    SDKHiddenContextItem,
    StructuredInputFreeform,
    StructuredInputItem,
    StructuredInputMultipleChoice,
    StructuredInputMultipleChoiceOption,
    TaskItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemReplacedEvent,
    ThreadStreamEvent,
)

from recorder.scenario import Scenario, first, request, then
from recorder.scripted_model import Text, answer, function_call, message
from recorder.server import Context


@function_tool
async def choose_colour(wrapper: RunContextWrapper[Context]) -> str:
    """A tool that runs in the browser: the SDK sends the call when the run has stopped."""
    wrapper.context.client_tool_call = ClientToolCall(
        name="pick_colour", arguments={"palette": ["red", "blue"], "default": None}
    )
    return "asked"


def client_tool_call(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    return answer(
        context,
        [*message("msg_model_1", Text("Pick ", "one.")), *function_call(1, "choose_colour")],
        tools=[choose_colour],
        tool_use_behavior=StopAtTools(stop_at_tool_names=["choose_colour"]),
    )


def client_tool_output(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    return answer(context, message("msg_model_2", Text("Blue ", "it is.")))


async def structured_input(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    options = [StructuredInputMultipleChoiceOption(value=value) for value in ("S", "M", "L")]
    yield ThreadItemDoneEvent(
        item=StructuredInputItem(
            **_base(context, "form_1", 1),
            inputs=[
                StructuredInputMultipleChoice(id="size", question="Which size?", options=options),
                StructuredInputFreeform(
                    id="name", question="Whose name?", description="As printed"
                ),
                StructuredInputFreeform(id="note", question="Anything else?"),
            ],
        )
    )


def structured_input_answered(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    return answer(context, message("msg_model_1", Text("Ordered ", "for Ada.")))


def answer_one(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    return answer(context, message("msg_model_1", Text("A poor ", "answer.")))


def answer_two(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    return answer(context, message("msg_model_2", Text("A better ", "answer.")))


async def thread_updated(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    """A title in the middle of the answer, then metadata, which the client never gets."""
    thread = context.thread
    events = answer(context, message("msg_model_1", Text("Moons ", "are ", "round.")))
    position = 0
    async for event in events:
        position += 1
        if position == 3:
            thread.title = "Moons"
        if position == 5:
            thread.metadata = {"previous_response_id": "resp_1"}
        yield event
    thread.allowed_image_domains = ["moon.example"]


async def notices_and_effects(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    yield ProgressUpdateEvent(icon="search", text="Searching")
    yield ProgressUpdateEvent(text="Reading")
    yield NoticeEvent(level="warning", title="Limit", message="You have **3** messages left.")
    yield ThreadItemDoneEvent(
        item=TaskItem(
            **_base(context, "tsk_1", 1), task=CustomTask(title="Read", content="12 pages")
        )
    )
    yield ClientEffectEvent(name="confetti", data={"seconds": 2, "colour": None})
    async for event in answer(context, message("msg_model_1", Text("All ", "done."))):
        yield event
    yield ThreadItemDoneEvent(item=EndOfTurnItem(**_base(context, "eot_1", 2)))


async def hidden_context(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    seen = {"clicked": ["buy", "cancel"], "seconds": 12.5}
    yield ThreadItemDoneEvent(item=HiddenContextItem(**_base(context, "hcx_1", 1), content=seen))
    async for event in answer(context, message("msg_model_1", Text("You ", "hesitate."))):
        yield event
    note = "The user hesitated."
    yield ThreadItemDoneEvent(
        item=SDKHiddenContextItem(**_base(context, "shcx_1", 2), content=note)
    )


async def hidden_context_exposed(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    """The SDK holds back the `done` of a hidden item, not its `added` and `replaced`."""
    item = HiddenContextItem(**_base(context, "hcx_1", 1), content="The password is swordfish.")
    yield ThreadItemAddedEvent(item=item)
    yield ThreadItemDoneEvent(item=item)
    yield ThreadItemReplacedEvent(item=item.model_copy(update={"content": "There is no password."}))


def _base(context: Context, item_id: str, seconds: int) -> dict[str, Any]:
    created_at = context.thread.created_at + timedelta(seconds=seconds)
    return {"id": item_id, "thread_id": context.thread.id, "created_at": created_at}


SUBMITTED = {
    "status": "answered",
    "answers": {"size": {"values": ["M", "L"]}, "name": {"values": ["Ada"]}},
}

SCENARIOS = (
    Scenario("client-tool-call", (first(client_tool_call),)),
    Scenario(
        "client-tool-output",
        (
            first(client_tool_call),
            request(
                "threads.add_client_tool_output", client_tool_output, result={"colour": "blue"}
            ),
        ),
    ),
    Scenario("structured-input", (first(structured_input),)),
    Scenario(
        "structured-input-answered",
        (
            first(structured_input),
            request(
                "threads.add_structured_input",
                structured_input_answered,
                item_id="form_1",
                input=SUBMITTED,
            ),
        ),
    ),
    Scenario(
        "retry-after-item",
        (first(answer_one), request("threads.retry_after_item", answer_two, item_id="msg_1")),
    ),
    Scenario("later-message", (first(answer_one), then(answer_two))),
    Scenario("thread-updated", (first(thread_updated),)),
    Scenario("notices-and-effects", (first(notices_and_effects),)),
    Scenario("hidden-context", (first(hidden_context),)),
    Scenario("hidden-context-exposed", (first(hidden_context_exposed),)),
)
