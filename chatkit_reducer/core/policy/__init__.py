"""Decide what survives the end of a stream: the table, and the settlement that it gives."""
