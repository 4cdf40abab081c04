"""The scripts of `RedisJournal`, in Lua: each reads and writes in one step.

WATCH and MULTI could do the same. But they take two trips for each batch where a script takes one
for a group, need a connection for as long as they watch, and let all batches of a group fail when
one of their keys was written. A script that failed in its middle would leave half a group, so that
the first write of a batch, which alone can fail, is a `pcall`.

All keys begin with one prefix in braces, so that a cluster keeps them in one place. `about`, the
header of a response as JSON, is read here by none of the scripts. Time is the server's, in
milliseconds.
"""

from __future__ import annotations

import hashlib

import attrs

__all__ = [
    "ALIVE",
    "APPEND",
    "BEGIN",
    "CLAIM",
    "FIND",
    "FORGET",
    "PAGE",
    "RELEASE",
    "STOP",
    "Script",
]


@attrs.frozen
class Script:
    """A script, and the name that a server keeps it under."""

    text: str
    sha: str

    @classmethod
    def of(cls, body: str) -> Script:
        """Put before a script what all of them need: the time, and the names of the keys."""
        text = _PRELUDE + body
        return cls(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


# KEYS[1] is the prefix: the other keys follow from it.
_PRELUDE = """
local prefix = KEYS[1]
local open, closed, leases = prefix .. ':open', prefix .. ':closed', prefix .. ':leases'
local function header(response) return prefix .. ':response:' .. response end
local function stream(response) return prefix .. ':records:' .. response end
local function thread(name) return prefix .. ':thread:' .. name end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

# ARGV: response, thread, about, started, holder, ticket, lease.
BEGIN = Script.of("""
local response, ticket = ARGV[1], ARGV[6]
local known = redis.call('HGET', header(response), 'ticket')
if known then return known == ticket and 1 or 0 end
redis.call('HSET', header(response), 'thread', ARGV[2], 'about', ARGV[3], 'holder', ARGV[5],
    'ticket', ticket, 'finish', '0')
redis.call('ZADD', open, ARGV[4], response)
redis.call('ZADD', leases, now + ARGV[7], response)
redis.call('SADD', thread(ARGV[2]), response)
return 1
""")

# ARGV: holder, lease, and for each batch: response, at, last, id, closes, text.
# The id of an entry is `<position of its last record>-<number of its records>`.
APPEND = Script.of("""
local holder, lease, results = ARGV[1], ARGV[2], {}
for i = 3, #ARGV, 6 do
    local response, at, last, closes = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 4]
    local known = redis.call('HMGET', header(response), 'finish', 'closed', 'holder')
    local result = 0
    if known[1] == at and not known[2] then
        local added = redis.pcall('XADD', stream(response), ARGV[i + 3], 'text', ARGV[i + 5])
        if type(added) == 'table' and added.err then
            result = added.err
        else
            result = 1
            redis.call('HSET', header(response), 'finish', last)
            if closes == '1' then
                redis.call('HSET', header(response), 'closed', now)
                redis.call('ZADD', closed, now, response)
                redis.call('ZREM', open, response)
                redis.call('ZREM', leases, response)
            elseif known[3] == holder then
                redis.call('ZADD', leases, 'GT', now + lease, response)
            end
        end
    end
    results[#results + 1] = result
end
return results
""")

# ARGV: response, the smallest id, how many.
PAGE = Script.of("""
local known = redis.call('HMGET', header(ARGV[1]), 'finish', 'closed')
if not known[1] then return {} end
local entries = redis.call('XRANGE', stream(ARGV[1]), ARGV[2], '+', 'COUNT', ARGV[3])
return {known[1], known[2] and 1 or 0, entries}
""")

# ARGV: orphaned, thread.
FIND = Script.of("""
local responses, found = {}, {}
if ARGV[1] == '1' then
    responses = redis.call('ZRANGE', leases, '-inf', now, 'BYSCORE')
elseif ARGV[2] then
    responses = redis.call('SMEMBERS', thread(ARGV[2]))
else
    responses = redis.call('ZRANGE', open, 0, -1)
end
for _, response in ipairs(responses) do
    local known = redis.call('HMGET', header(response), 'about', 'closed', 'thread')
    if known[1] and not known[2] and (not ARGV[2] or known[3] == ARGV[2]) then
        found[#found + 1] = known[1]
    end
end
return found
""")

# ARGV: response, holder, ticket, lease.
CLAIM = Script.of("""
local response, ticket = ARGV[1], ARGV[3]
local known = redis.call('HMGET', header(response), 'ticket', 'closed')
if not known[1] or known[2] then return 0 end
local held = redis.call('ZSCORE', leases, response)
if held and tonumber(held) > now and known[1] ~= ticket then return 0 end
redis.call('HSET', header(response), 'holder', ARGV[2], 'ticket', ticket)
redis.call('ZADD', leases, now + ARGV[4], response)
return 1
""")

# ARGV: holder, lease, responses.
ALIVE = Script.of("""
local stopping = {}
for i = 3, #ARGV do
    local known = redis.call('HMGET', header(ARGV[i]), 'holder', 'closed', 'stopping')
    if known[1] and not known[2] then
        if known[1] == ARGV[1] then redis.call('ZADD', leases, 'GT', now + ARGV[2], ARGV[i]) end
        if known[3] then stopping[#stopping + 1] = ARGV[i] end
    end
end
return stopping
""")

# ARGV: response.
STOP = Script.of("""
local known = redis.call('HMGET', header(ARGV[1]), 'ticket', 'closed')
if known[1] and not known[2] then redis.call('HSET', header(ARGV[1]), 'stopping', 1) end
return 1
""")

# ARGV: response.
RECALL = Script.of("""
local known = redis.call('HMGET', header(ARGV[1]), 'ticket', 'closed')
if known[1] and not known[2] then redis.call('HSET', header(ARGV[1]), 'recalled', 1) end
return 1
""")

# ARGV: responses.
RECALLED = Script.of("""
local found = {}
for i = 1, #ARGV do
    if redis.call('HDEL', header(ARGV[i]), 'recalled') == 1 then found[#found + 1] = ARGV[i] end
end
return found
""")

# ARGV: closed before (or empty), thread.
FORGET = Script.of("""
local responses, gone = {}, {}
if ARGV[1] ~= '' then
    responses = redis.call('ZRANGE', closed, '-inf', '(' .. ARGV[1], 'BYSCORE')
else
    responses = redis.call('SMEMBERS', thread(ARGV[2]))
end
for _, response in ipairs(responses) do
    local its = redis.call('HGET', header(response), 'thread')
    if not ARGV[2] or its == ARGV[2] then
        redis.call('UNLINK', header(response), stream(response))
        for _, set in ipairs({open, closed, leases}) do redis.call('ZREM', set, response) end
        if its then redis.call('SREM', thread(its), response) end
        gone[#gone + 1] = response
    end
end
return gone
""")

# ARGV: holder, response (or none: all).
RELEASE = Script.of("""
local responses = ARGV[2] and {ARGV[2]} or redis.call('ZRANGE', leases, now, '+inf', 'BYSCORE')
for _, response in ipairs(responses) do
    if redis.call('HGET', header(response), 'holder') == ARGV[1] then
        redis.call('ZADD', leases, 'XX', 'LT', now, response)
    end
end
return 1
""")
