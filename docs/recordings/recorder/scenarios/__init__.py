"""The table of scenarios, in the order of the README."""

from recorder.scenario import Scenario
from recorder.scenarios import endings, messages, requests, widgets, workflows

SCENARIOS: tuple[Scenario, ...] = (
    *messages.SCENARIOS,
    *workflows.SCENARIOS,
    *widgets.SCENARIOS,
    *requests.SCENARIOS,
    *endings.SCENARIOS,
)
