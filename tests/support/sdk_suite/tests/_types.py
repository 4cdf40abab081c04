"""What the SDK's tests import as `tests._types`; its source distribution leaves it out."""

from dataclasses import dataclass


@dataclass
class RequestContext:
    """Whose request it is."""

    user_id: str
