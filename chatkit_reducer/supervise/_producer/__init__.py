"""The producer of a stream: asked for events one by one, interrupted, and closed at the end.

Files, in the order to read them:

* `protocol`: the interface that the stream uses, and `Interrupted`;
* `choice`: which of the two ways below a stream takes;
* `in_task`: the producer runs in the consumer's task (asyncio);
* `steps`: how `in_task` stays in control of a coroutine that is suspended;
* `own_task`: the producer runs in a task of its own (Trio, or by request);
* `held`: the events of such a producer can be held back while nobody watches;
* `closing`: how to find the method that closes a producer, and how to log that it failed.
"""
