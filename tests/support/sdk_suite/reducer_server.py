"""A pytest plugin: tests that import `ChatKitServer` get `ReducerChatKitServer`."""

import chatkit.server

from chatkit_reducer.integrations.openai_chatkit import ReducerChatKitServer

chatkit.server.ChatKitServer = ReducerChatKitServer  # type: ignore[misc]
