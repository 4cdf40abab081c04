"""Fold the events of one thread: the life of its items, its contents, its state."""
