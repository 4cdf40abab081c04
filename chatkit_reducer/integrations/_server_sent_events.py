"""The headers of a response that is sent event by event."""

from __future__ import annotations

__all__ = ["HEADERS"]

HEADERS: dict[str, str] = {"cache-control": "no-cache", "x-accel-buffering": "no"}
"""No cache keeps the response, and nginx passes each event on at once."""
