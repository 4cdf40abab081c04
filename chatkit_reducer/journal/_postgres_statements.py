"""The tables of `PostgresJournal`, and its statements.

The time in them is the server's.
"""

from __future__ import annotations

from typing import LiteralString

from psycopg.sql import SQL, Identifier

__all__ = ["Statements"]

# `leased_until` and `finish` change with each batch, and are in no index: such a change stays in
# its page, if there is room.
_CREATE: LiteralString = """
DO $$ BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('chatkit_reducer.journal'));
    CREATE TABLE IF NOT EXISTS {responses} (
        response text PRIMARY KEY,
        thread text NOT NULL,
        started timestamptz NOT NULL,
        meta bytea NOT NULL,
        format integer NOT NULL,
        protocol text NOT NULL,
        finish bigint NOT NULL DEFAULT 0,
        closed timestamptz,
        stopping boolean NOT NULL DEFAULT false,
        recalled boolean NOT NULL DEFAULT false,
        holder text NOT NULL,
        ticket text NOT NULL,
        leased_until timestamptz NOT NULL
    ) WITH (fillfactor = 50);
    CREATE TABLE IF NOT EXISTS {records} (
        response text NOT NULL,
        first bigint NOT NULL,
        text bytea NOT NULL,
        PRIMARY KEY (response, first)
    );
    CREATE INDEX IF NOT EXISTS {by_thread} ON {responses} (thread);
    CREATE INDEX IF NOT EXISTS {by_closed} ON {responses} (closed) WHERE closed IS NOT NULL;
    CREATE INDEX IF NOT EXISTS {by_started} ON {responses} (started) WHERE closed IS NULL;
END $$
"""

# A ticket is of one call of `begin` or `claim`, and tells it when it comes again.
_BEGIN: LiteralString = """
INSERT INTO {responses} AS known (
    response, thread, started, meta, format, protocol, holder, ticket, leased_until
) VALUES (
    %(response)s, %(thread)s, %(started)s, %(meta)b, %(format)s, %(protocol)s, %(holder)s,
    %(ticket)s, clock_timestamp() + make_interval(secs => %(lease)s)
)
ON CONFLICT (response) DO UPDATE SET ticket = excluded.ticket WHERE known.ticket = excluded.ticket
RETURNING response
"""

# The part `moved` is the fence. A second writer waits for the row, and finds its end elsewhere.
# With `closed IS NULL` as it stands, a planner whose statistics are old would go through the index
# of all responses that are not closed, and not through that of the primary key.
_APPEND: LiteralString = """
WITH batch AS MATERIALIZED (
    SELECT * FROM unnest(
        %(responses)s::text[], %(ats)s::bigint[], %(lasts)s::bigint[], %(texts)b::bytea[],
        %(closes)s::boolean[]
    ) AS batch (response, at, last, text, closes)
), moved AS (
    UPDATE {responses} AS known SET
        finish = batch.last,
        closed = CASE WHEN batch.closes THEN clock_timestamp() END,
        leased_until = CASE WHEN holder = %(holder)s
            THEN greatest(leased_until, clock_timestamp() + make_interval(secs => %(lease)s))
            ELSE leased_until END
    FROM batch
    WHERE known.response = batch.response AND finish = batch.at AND (closed IS NULL) IS TRUE
    RETURNING known.response
), written AS (
    INSERT INTO {records} SELECT response, at + 1, text FROM batch JOIN moved USING (response)
    RETURNING response
)
SELECT
    ARRAY(SELECT response FROM written)
FROM (
    SELECT
        set_config('synchronous_commit', CASE
            WHEN NOT %(durable)s THEN 'off'
            WHEN current_setting('synchronous_commit') = 'off' THEN 'on'
            ELSE current_setting('synchronous_commit')
        END, true),
        (SELECT count(pg_notify(%(name)s, hint)) FROM unnest(%(hints)s::text[]) AS hint)
    OFFSET 0
) AS effects (setting, hints)
WHERE effects.setting IS NOT NULL AND effects.hints IS NOT NULL
"""

_HINT: LiteralString = """
SELECT count(pg_notify(%(name)s, hint)) FROM unnest(%(hints)s::text[]) AS hint
"""

_PAGE: LiteralString = """
SELECT finish, closed IS NOT NULL, batch.first, batch.text
FROM {responses} LEFT JOIN LATERAL (
    SELECT first, text FROM {records} AS batch
    WHERE batch.response = %(response)s AND first >= coalesce((
        SELECT max(first) FROM {records}
        WHERE response = %(response)s AND first <= %(after)s::bigint + 1
    ), 0) AND finish > %(after)s::bigint
    ORDER BY first LIMIT 500
) AS batch ON true
WHERE {responses}.response = %(response)s
ORDER BY batch.first
"""

_FIND: LiteralString = """
SELECT response, thread, started, meta, format, protocol FROM {responses}
WHERE closed IS NULL
    AND (%(thread)s::text IS NULL OR thread = %(thread)s)
    AND (NOT %(orphaned)s OR leased_until <= clock_timestamp())
ORDER BY started, response
"""

_CLAIM: LiteralString = """
UPDATE {responses} SET
    holder = %(holder)s, ticket = %(ticket)s,
    leased_until = clock_timestamp() + make_interval(secs => %(lease)s)
WHERE response = %(response)s AND closed IS NULL
    AND (leased_until <= clock_timestamp() OR ticket = %(ticket)s)
RETURNING response
"""

# A row that is locked belongs to a batch under way, which renews the lease itself.
_ALIVE: LiteralString = """
WITH renewed AS (
    UPDATE {responses} SET
        leased_until = greatest(
            leased_until, clock_timestamp() + make_interval(secs => %(lease)s)
        )
    WHERE response IN (
        SELECT response FROM {responses}
        WHERE response = ANY(%(responses)s::text[]) AND holder = %(holder)s AND closed IS NULL
        FOR UPDATE SKIP LOCKED
    )
)
SELECT response FROM {responses}
WHERE response = ANY(%(responses)s::text[]) AND stopping AND closed IS NULL
"""

_STOP: LiteralString = """
UPDATE {responses} SET stopping = true WHERE response = %(response)s AND closed IS NULL
"""

_RECALL: LiteralString = """
UPDATE {responses} SET recalled = true WHERE response = %(response)s AND closed IS NULL
"""

_RECALLED: LiteralString = """
UPDATE {responses} SET recalled = false
WHERE response = ANY(%(responses)s::text[]) AND recalled
RETURNING response
"""

# Two statements: the first one waits for a batch under way, and the second one sees its row.
_FORGET: tuple[LiteralString, LiteralString] = (
    """
    DELETE FROM {responses}
    WHERE (%(thread)s::text IS NULL OR thread = %(thread)s)
        AND (%(closed_before)s::timestamptz IS NULL OR closed < %(closed_before)s)
    RETURNING response
    """,
    """
    WITH emptied AS (DELETE FROM {records} WHERE response = ANY(%(found)s::text[]))
    SELECT unnest(%(found)s::text[])
    """,
)

_RELEASE: LiteralString = """
UPDATE {responses} SET leased_until = least(leased_until, clock_timestamp())
WHERE holder = %(holder)s AND closed IS NULL
    AND (%(response)s::text IS NULL OR response = %(response)s)
"""


class Statements:
    """The statements, for tables of a name: each is a list that one transaction runs."""

    def __init__(self, name: str) -> None:
        names = {
            "responses": Identifier(name),
            "records": Identifier(f"{name}_records"),
            "by_thread": Identifier(f"{name}_thread"),
            "by_closed": Identifier(f"{name}_closed"),
            "by_started": Identifier(f"{name}_started"),
        }

        def transaction(*texts: LiteralString) -> list[bytes]:
            return [SQL(text).format(**names).as_bytes() for text in texts]

        self.create = transaction(_CREATE)
        self.begin = transaction(_BEGIN)
        self.append = transaction(_APPEND)
        self.hint = transaction(_HINT)
        self.page = transaction(_PAGE)
        self.find = transaction(_FIND)
        self.claim = transaction(_CLAIM)
        self.alive = transaction(_ALIVE)
        self.stop = transaction(_STOP)
        self.recall = transaction(_RECALL)
        self.recalled = transaction(_RECALLED)
        self.forget = transaction(*_FORGET)
        self.release = transaction(_RELEASE)
