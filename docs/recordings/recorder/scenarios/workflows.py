"""Workflows that a tool builds, quickly or slowly, and workflows that are left open."""

import asyncio
from collections.abc import AsyncIterator

from agents import RunContextWrapper, StopAtTools, function_tool
from chatkit.agents import ClientToolCall
from chatkit.types import (
    CustomSummary,
    CustomTask,
    SearchTask,
    ThreadStreamEvent,
    URLSource,
    Workflow,
)

from recorder.scenario import Scenario, first, request, then
from recorder.scripted_model import Pause, Text, answer, function_call, message, reasoning
from recorder.server import Context

DRAINED = 0.1
"""Seconds after which all that a tool has sent is on the wire."""


async def no_pause() -> None:
    """Leave everything in the queue: `AgentContext.stream` alone never gives up control."""


async def pause() -> None:
    await asyncio.sleep(DRAINED)


@function_tool
async def research_slowly(wrapper: RunContextWrapper[Context]) -> str:
    """Each event is on the wire before the next one is made."""
    await _research(wrapper.context, between_adds=True, before_end=True)
    return "done"


@function_tool
async def research(wrapper: RunContextWrapper[Context]) -> str:
    """The tasks are added back to back."""
    await _research(wrapper.context, between_adds=False, before_end=True)
    return "done"


@function_tool
async def research_in_one_breath(wrapper: RunContextWrapper[Context]) -> str:
    """The tasks are added, updated and the workflow ended, all back to back."""
    await _research(wrapper.context, between_adds=False, before_end=False)
    return "done"


async def _research(context: Context, *, between_adds: bool, before_end: bool) -> None:
    between = pause if between_adds else no_pause
    later = pause if before_end else no_pause
    await context.start_workflow(Workflow(type="custom", tasks=[]))
    await context.add_workflow_task(CustomTask(title="Plan", status_indicator="loading"))
    await between()
    await context.add_workflow_task(
        SearchTask(title="Search", queries=["moon"], status_indicator="loading")
    )
    await between()
    await context.add_workflow_task(CustomTask(title="Write", status_indicator="loading"))
    await later()
    await context.update_workflow_task(CustomTask(title="Plan", status_indicator="complete"), 0)
    await later()
    await context.update_workflow_task(_found(), 1)
    await later()
    await context.end_workflow(CustomSummary(title="Researched"), expanded=True)


def _found() -> SearchTask:
    source = URLSource(title="The moon", url="https://moon.example")
    return SearchTask(
        title="Search", queries=["moon"], sources=[source], status_indicator="complete"
    )


@function_tool
async def knock_twice(wrapper: RunContextWrapper[Context]) -> str:
    """Two tasks that are equal, one after the other, each with time to be sent."""
    for _ in range(2):
        await wrapper.context.add_workflow_task(CustomTask(title="Knock"))
        await asyncio.sleep(DRAINED)
    return "done"


@function_tool
async def ask_the_browser(wrapper: RunContextWrapper[Context]) -> str:
    """A tool of the client: the run stops, and goes on in the next request."""
    wrapper.context.client_tool_call = ClientToolCall(name="read_page", arguments={"depth": 2})
    return "asked"


def workflow_step_by_step(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    return answer(
        context,
        function_call(1, "research_slowly"),
        [Pause(), *message("msg_model_1", Text("Found ", "it."))],
        tools=[research_slowly],
    )


def workflow_back_to_back(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    return answer(
        context,
        function_call(1, "research"),
        [Pause(), *message("msg_model_1", Text("Found ", "it."))],
        tools=[research],
    )


def workflow_in_one_breath(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    return answer(
        context,
        function_call(1, "research_in_one_breath"),
        [Pause(), *message("msg_model_1", Text("Found ", "it."))],
        tools=[research_in_one_breath],
    )


def workflow_with_equal_tasks(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    return answer(
        context,
        function_call(1, "knock_twice"),
        [Pause(), *message("msg_model_1", Text("Nobody ", "there."))],
        tools=[knock_twice],
    )


def workflow_left_open(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    return answer(
        context,
        [*reasoning("rs_1", ["I should ", "read the page."]), *function_call(1, "ask_the_browser")],
        tools=[ask_the_browser],
        tool_use_behavior=StopAtTools(stop_at_tool_names=["ask_the_browser"]),
    )


def workflow_continued(context: Context) -> AsyncIterator[ThreadStreamEvent]:
    return answer(
        context,
        [
            *reasoning("rs_2", ["The page ", "says it all."]),
            *message("msg_model_1", Text("It says ", "yes.")),
        ],
    )


LEFT_OPEN = first(workflow_left_open)
PAGE_READ = request("threads.add_client_tool_output", workflow_continued, result={"text": "yes"})


SCENARIOS = (
    Scenario("workflow-step-by-step", (first(workflow_step_by_step),)),
    Scenario("workflow-back-to-back", (first(workflow_back_to_back),)),
    Scenario("workflow-in-one-breath", (first(workflow_in_one_breath),)),
    Scenario("workflow-with-equal-tasks", (first(workflow_with_equal_tasks),)),
    Scenario("workflow-left-open", (LEFT_OPEN,)),
    Scenario("workflow-continued", (LEFT_OPEN, PAGE_READ)),
    Scenario("workflow-not-continued", (LEFT_OPEN, then(workflow_continued, says="Never mind"))),
)
