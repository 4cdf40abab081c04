"""How wide an image may be: apart from `svg`, so that the options know it without drawing one."""

from __future__ import annotations

__all__ = ["NARROWEST", "WIDTH"]

WIDTH = 880
NARROWEST = 320
