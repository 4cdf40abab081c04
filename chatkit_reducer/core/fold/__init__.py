"""The fast lane: fold many events at once, with the result of `reduce` one by one.

Nothing here decides anything: the effect of an event is defined in `core.thread` and `core.items`.
Delete a draft, with its line in `folder.DRAFTS`, and `fold` is slower and nothing else. Law 2
(`fold` equals `reduce` one by one) is the test of this room.
"""
