"""Fold events, hold the state, decide what survives: pure functions, no I/O, no clock, no ids.

Nothing here is public by itself: `chatkit_reducer`, `chatkit_reducer.core.errors` and
`chatkit_reducer.core.policy.presets` export the names for callers. The core imports no other room.
"""
