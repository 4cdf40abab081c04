"""The tools that test this package, for the tests of applications that build on it.

* `chatkit_reducer.testing.checks`: one call for each thing that can go wrong: a server, a producer
  of events, the `commit` of a store, a policy. Begin here;
* `chatkit_reducer.testing.strategies`: Hypothesis strategies for items, widgets, events and whole
  streams, sound and adversarial (needs the extra `testing`);
* `chatkit_reducer.testing.conformance.laws`: the eight laws as functions, for any reducer, fold,
  codec or settle of the same shape;
* `chatkit_reducer.testing.conformance.machine`: a state machine for Hypothesis that drives an
  engine and a naive model side by side;
* `chatkit_reducer.testing.cancellation`: a harness that stops an exchange at every point in turn,
  and `chatkit_reducer.testing.chatkit_server`, which makes one of a server of the SDK;
* `chatkit_reducer.testing.given`: given / when / then;
* `chatkit_reducer.testing.conformance.reference_model`: a second, naive fold to compare with;
* `chatkit_reducer.testing.examples`: small items and events.

Import the module that you need: this one imports none of them.
"""

from __future__ import annotations

__all__: list[str] = []
