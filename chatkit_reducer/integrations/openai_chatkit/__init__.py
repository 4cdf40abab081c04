"""The official SDK, `openai-chatkit`: a server that loses nothing, and conversions.

Needs the extra `openai-chatkit`. Every release of the SDK from 1.4.0 on will do.
"""

from chatkit_reducer.integrations.openai_chatkit._conversion import (
    event_from_sdk,
    event_to_sdk,
    item_from_sdk,
    item_to_sdk,
    items_to_sdk,
    state_from_sdk,
)
from chatkit_reducer.integrations.openai_chatkit._server import ReducerChatKitServer
from chatkit_reducer.integrations.openai_chatkit._settings import CancellationHookWarning

__all__ = [
    "CancellationHookWarning",
    "ReducerChatKitServer",
    "event_from_sdk",
    "event_to_sdk",
    "item_from_sdk",
    "item_to_sdk",
    "items_to_sdk",
    "state_from_sdk",
]
