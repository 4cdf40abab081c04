"""One call for each thing that can go wrong: a server, a producer, a store, a policy.

    check_server(MyServer)              # stopped everywhere: what people saw is stored
    check_producer(answer)              # run to its end: the events say what is so
    check_commit(MyStore)               # written twice, cut in the middle: nothing is lost
    check_policy(my_policy)             # whatever the stream was: store and client agree

Each is called from a test, and from where no event loop runs. It says nothing if all is well, and
otherwise raises an AssertionError that says what is wrong, shows the shortest example of it, and
says what to do. docs/testing-your-server.md leads through all four.

`check_commit` and `check_policy` need Hypothesis, and `check_server` needs the SDK, unless it is
given an `Exchange`: see the extras `testing` and `openai-chatkit`. To import this module needs
neither.
"""

from chatkit_reducer.testing.checks._commit import StoreUnderTest, check_commit
from chatkit_reducer.testing.checks._flaws import Flaw
from chatkit_reducer.testing.checks._policy import check_policy
from chatkit_reducer.testing.checks._producer import check_producer
from chatkit_reducer.testing.checks._server import check_server

__all__ = [
    "Flaw",
    "StoreUnderTest",
    "check_commit",
    "check_policy",
    "check_producer",
    "check_server",
]
