"""One call for each thing that can go wrong: a server, a producer, a store, a policy, a journal.

    check_server(MyServer)              # stopped everywhere: the store has all that people saw
    check_producer(answer)              # run to its end: the events agree with each other
    check_store(MyStore)                # a store of the SDK: its promises, and the cost of a stop
    check_commit(MyStore)               # written twice, cut in the middle: nothing is lost
    check_policy(my_policy)             # for any stream: store and client agree
    check_journal(MyJournal)            # a journal of your own: nothing lost, nothing twice

Call each from a test, where no event loop runs. It returns quietly if all is well, and otherwise
raises an AssertionError that names the problem, shows its shortest example, and says what to do.
docs/testing-your-server.md leads through the first five; docs/journal.md is about the last.

`check_commit` and `check_policy` need Hypothesis; `check_store` needs the SDK, and `check_server`
too, unless it is given an `Exchange`: see the extras `testing` and `openai-chatkit`. To import this
module needs neither.
"""

from chatkit_reducer.testing.checks._commit import StoreUnderTest, check_commit
from chatkit_reducer.testing.checks._findings import Flaw
from chatkit_reducer.testing.checks._journal import check_journal
from chatkit_reducer.testing.checks._policy import check_policy
from chatkit_reducer.testing.checks._producer import check_producer
from chatkit_reducer.testing.checks._server import check_server
from chatkit_reducer.testing.checks._store import (
    BrokenPromise,
    Promise,
    Question,
    StopCost,
    StoreReport,
    Trait,
    check_store,
)

__all__ = [
    "BrokenPromise",
    "Flaw",
    "Promise",
    "Question",
    "StopCost",
    "StoreReport",
    "StoreUnderTest",
    "Trait",
    "check_commit",
    "check_journal",
    "check_policy",
    "check_producer",
    "check_server",
    "check_store",
]
