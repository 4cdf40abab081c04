"""Test an engine against the laws: the laws, a state machine, a reference model."""
