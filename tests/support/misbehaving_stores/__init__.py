"""Stores of the SDK's kind, each of which breaks one promise. Its docstring says which.

`SoundStore` breaks none. `tests/testing/test_check_store.py` has what `check_store` says of each,
and `tests/integrations/openai_chatkit/test_misbehaving_stores.py` what `ReducerChatKitServer` keeps
over each.
"""

from tests.support.misbehaving_stores import failing, reading, writing
from tests.support.misbehaving_stores.failing import *  # noqa: F403
from tests.support.misbehaving_stores.reading import *  # noqa: F403
from tests.support.misbehaving_stores.sound import Row, SoundStore
from tests.support.misbehaving_stores.writing import *  # noqa: F403

MISBEHAVING: dict[str, type[SoundStore]] = {
    name: store
    for module in (failing, reading, writing)
    for name in module.__all__
    if isinstance(store := getattr(module, name), type) and issubclass(store, SoundStore)
}
"""All of them by name."""

__all__ = ["MISBEHAVING", "Row", "SoundStore"]
__all__ += failing.__all__
__all__ += reading.__all__
__all__ += writing.__all__
