"""Report a commit that failed, to the application's hook or else to the log."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterable, Mapping
from contextvars import Context
from typing import Any, TypeAlias

from chatkit_reducer.core.policy.disclosure import discloses, texts_of
from chatkit_reducer.core.policy.settlement import Settlement
from chatkit_reducer.core.policy.store_rows import OTHER_COPY, REFUSED
from chatkit_reducer.core.policy.table import Origin
from chatkit_reducer.core.policy.verdict import Verdict
from chatkit_reducer.errors import CommitError
from chatkit_reducer.supervise.commit.attempts import call_and_await
from chatkit_reducer.supervise.shield import run_shielded

__all__ = ["OnFailure", "log_error", "log_failure", "report", "warn_of_taken_ids"]

OnFailure: TypeAlias = Callable[[CommitError], object]
"""Called with the error of a failed commit; an awaitable that it returns is awaited."""

logger: logging.Logger = logging.getLogger("chatkit_reducer.supervise")


async def report(
    failure: CommitError, hook: OnFailure | None, seconds: float | None, context: Context
) -> bool:
    """Call the hook, in spite of any cancellation, for so long; log the failure if that fails.

    Returns:
        Whether a cancellation was kept out: the caller has to raise it.
    """
    if hook is None:
        log_failure(failure)
        return False
    outcome = await run_shielded(lambda: call_and_await(hook, failure), seconds, context=context)
    if outcome.error is not None:
        said = "`on_failure` failed itself, and so the failure is logged, too."
        log_error(said, outcome.error, _texts(failure))
        log_failure(failure)
    return outcome.cancelled


def log_failure(failure: CommitError) -> None:
    """Log a commit that failed."""
    unwritten = [(write.op, write.item.get("id")) for write in failure.unwritten]
    extra = {"failure": failure, "unwritten": unwritten}
    log_error(str(failure), failure.__cause__, _texts(failure), extra)


def _texts(failure: CommitError) -> Iterable[str]:
    return texts_of(failure.settlement, failure.unwritten)


def log_error(
    said: str,
    error: BaseException | None,
    texts: Iterable[str],
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Log an error; leave its words out if they quote the conversation.

    Args:
        said: the message.
        error: the error, if there is one.
        texts: the texts of the conversation.
        extra: more for the log record.
    """
    printed = "" if error is None else "".join(traceback.format_exception(error))
    if error is None or not discloses(printed, texts):
        logger.error("%s", said, exc_info=error, extra=extra)
        return
    places = "".join(traceback.format_tb(error.__traceback__))
    logger.error(
        "%s The error quotes the conversation, and is left out. It was raised here:\n%s",
        said,
        places,
        extra=extra,
    )


def warn_of_taken_ids(settlement: Settlement) -> None:
    """Log the ids of new items under which the store has other items, which stay."""
    taken = [verdict.item.id for verdict in settlement.verdicts if _has_taken_id(verdict)]
    if taken:
        logger.warning(
            "The store has another item under the id of a new one, and keeps it; the new one is "
            "not stored: %s. Give each item an id of its own, for example with "
            "`store.generate_item_id` of ChatKit.",
            ", ".join(map(ascii, taken)),
        )


def _has_taken_id(verdict: Verdict) -> bool:
    if verdict.stored is None or verdict.case.origin is not Origin.NEW:
        return False
    return verdict.row is OTHER_COPY or (
        verdict.row is REFUSED and not verdict.sealed.extends(verdict.stored)
    )
