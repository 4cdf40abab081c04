"""What this package is tested with, for the tests of everybody who builds on it.

* `chatkit_reducer.testing.strategies`: Hypothesis strategies for items, widgets, events and whole
  streams, sound and hostile (needs the extra `testing`);
* `chatkit_reducer.testing.naive`: a second, naive fold to compare results with.

Import the module you need: this one imports none of them.
"""

from __future__ import annotations

__all__: list[str] = []
