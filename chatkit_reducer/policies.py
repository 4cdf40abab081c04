"""The preset policies, policies in TOML, and the rows that stand above every policy."""

from chatkit_reducer.core.policy.presets import DROP, KEEP, PRESETS, SDK, SDK_MARKER
from chatkit_reducer.core.policy.store_rows import (
    CHANGED,
    GONE,
    NO_NEWS,
    OTHER_COPY,
    REFUSED,
    STORE_ROWS,
    STORED_ALREADY,
)
from chatkit_reducer.core.policy.toml import from_toml, to_toml

__all__ = [
    "CHANGED",
    "DROP",
    "GONE",
    "KEEP",
    "NO_NEWS",
    "OTHER_COPY",
    "PRESETS",
    "REFUSED",
    "SDK",
    "SDK_MARKER",
    "STORED_ALREADY",
    "STORE_ROWS",
    "from_toml",
    "to_toml",
]
