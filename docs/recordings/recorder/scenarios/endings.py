"""Answers that do not end well: guardrails, errors, a client that leaves, an early return."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from agents import (
    Agent,
    GuardrailFunctionOutput,
    OutputGuardrailTripwireTriggered,
    RunContextWrapper,
    function_tool,
    input_guardrail,
    output_guardrail,
)
from chatkit.errors import CustomStreamError
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    CustomTask,
    ThreadItemDoneEvent,
    ThreadItemUpdatedEvent,
    ThreadStreamEvent,
    Workflow,
)

from recorder.client import Stop
from recorder.scenario import INSTANT_STORE, Scenario, first
from recorder.scripted_model import (
    FOREVER,
    Fail,
    Pause,
    Text,
    answer,
    function_call,
    message,
    reasoning,
)
from recorder.server import Context

TRIPPED = GuardrailFunctionOutput(output_info=None, tripwire_triggered=True)


@output_guardrail
async def refuse_output(
    wrapper: RunContextWrapper[Context], agent: Agent[Context], output: Any
) -> GuardrailFunctionOutput:
    """Trips when the answer is complete and stored."""
    return TRIPPED


@input_guardrail
async def refuse_input(
    wrapper: RunContextWrapper[Context], agent: Agent[Context], said: Any
) -> GuardrailFunctionOutput:
    """Trips while the answer is being streamed."""
    await asyncio.sleep(0.1)
    return TRIPPED


async def guardrail_after_the_answer(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    """The application catches what the SDK raises, and says something else instead."""
    secret = [
        *reasoning("rs_1", ["Should I ", "say it?"]),
        *message("msg_model_1", Text("The secret ", "is 7.")),
        # A failed run drops what is still in its queue. So let the queue run empty first.
        Pause(),
    ]
    try:
        async for event in answer(context, secret, output_guardrails=[refuse_output]):
            yield event
    except OutputGuardrailTripwireTriggered:
        content = [AssistantMessageContent(text="I must not say that.")]
        yield ThreadItemDoneEvent(
            item=AssistantMessageItem(
                id=context.generate_id("message"),
                thread_id=context.thread.id,
                created_at=context.thread.created_at,
                content=content,
            )
        )


def guardrail_in_mid_answer(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    return answer(
        context,
        [
            *reasoning("rs_1", ["Should I ", "say it?"]),
            *message("msg_model_1", Text("The secret ", "is ", Pause(0.3), "7.")),
        ],
        input_guardrails=[refuse_input],
    )


def error_in_mid_answer(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    broken = Fail(ConnectionError("the model went away"))
    return answer(context, message("msg_model_1", Text("Once upon ", "a time", Pause(), broken)))


def error_at_once(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    """No pause before the failure.

    The run drops all that the model has said and that is still in its queue.
    """
    broken = Fail(ConnectionError("the model went away"))
    return answer(context, message("msg_model_1", Text("Once upon ", "a time", broken)))


async def custom_error_in_mid_answer(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    async for event in answer(
        context, message("msg_model_1", Text("Once upon ", "a time", FOREVER))
    ):
        yield event
        if _is_text(event, "a time"):
            raise CustomStreamError("You have used up your stories.", allow_retry=False)


async def timeout_in_mid_answer(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    async with asyncio.timeout(0.3):
        async for event in answer(
            context, message("msg_model_1", Text("Once upon ", "a time", FOREVER))
        ):
            yield event


async def return_in_mid_answer(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    async for event in answer(
        context, message("msg_model_1", Text("Once upon ", "a time", FOREVER))
    ):
        yield event
        if _is_text(event, "a time"):
            return


def _is_text(event: ThreadStreamEvent, delta: str) -> bool:
    return (
        isinstance(event, ThreadItemUpdatedEvent) and getattr(event.update, "delta", None) == delta
    )


def stopped_in_mid_answer(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    return answer(
        context, message("msg_model_1", Text("Once upon ", "a time", FOREVER, " there was"))
    )


def stopped_in_mid_write(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    """The answer is complete, and the write that its `done` is waiting for is cut off."""
    return answer(context, message("msg_model_1", Text("Once upon ", "a time")))


def stopped_behind_citations(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    """The first part is done, the second one is not: the message is still pending."""
    citation = {
        "type": "url_citation",
        "url": "https://tales.example",
        "title": "Tales",
        "start_index": 0,
        "end_index": 9,
    }
    return answer(
        context,
        message("msg_model_1", Text("Once upon", citation, " a time"), Text("there", FOREVER)),
    )


@function_tool
async def research_forever(wrapper: RunContextWrapper[Context]) -> str:
    """A workflow whose second task never ends."""
    context = wrapper.context
    await context.start_workflow(Workflow(type="custom", tasks=[]))
    for title in ("Plan", "Search"):
        await context.add_workflow_task(CustomTask(title=title, status_indicator="loading"))
        await asyncio.sleep(0.1)
    await context.update_workflow_task(CustomTask(title="Plan", status_indicator="complete"), 0)
    await asyncio.sleep(3600)
    return "never"


def stopped_in_mid_workflow(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    return answer(
        context,
        [
            *message("msg_model_1", Text("Let me ", "look.")),
            Pause(),
            *function_call(1, "research_forever"),
        ],
        tools=[research_forever],
    )


MID_ANSWER = Stop(events=7)
VERY_SLOW_STORE = 0.3

SCENARIOS = (
    Scenario("guardrail-after-the-answer", (first(guardrail_after_the_answer),)),
    Scenario("guardrail-in-mid-answer", (first(guardrail_in_mid_answer),)),
    Scenario("error-in-mid-answer", (first(error_in_mid_answer),)),
    Scenario("error-at-once", (first(error_at_once),)),
    Scenario("custom-error-in-mid-answer", (first(custom_error_in_mid_answer),)),
    Scenario("timeout-in-mid-answer", (first(timeout_in_mid_answer),)),
    Scenario("return-in-mid-answer", (first(return_in_mid_answer),)),
    Scenario("stopped-in-mid-answer", (first(stopped_in_mid_answer),), MID_ANSWER),
    Scenario(
        "stopped-in-mid-answer-instant-store",
        (first(stopped_in_mid_answer),),
        MID_ANSWER,
        INSTANT_STORE,
    ),
    Scenario("stopped-in-mid-event", (first(stopped_in_mid_answer),), Stop(events=6, bytes=60)),
    Scenario(
        "stopped-in-mid-write", (first(stopped_in_mid_write),), Stop(events=8), VERY_SLOW_STORE
    ),
    Scenario(
        "stopped-behind-citations-instant-store",
        (first(stopped_behind_citations),),
        Stop(events=11),
        INSTANT_STORE,
    ),
    Scenario("stopped-in-mid-workflow", (first(stopped_in_mid_workflow),), Stop(events=12)),
    Scenario(
        "stopped-in-mid-workflow-instant-store",
        (first(stopped_in_mid_workflow),),
        Stop(events=12),
        INSTANT_STORE,
    ),
)
