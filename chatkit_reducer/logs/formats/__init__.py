"""The forms in which people have a log: the text around the events, taken off.

    encodings    UTF-16 and UTF-32
    chunked      HTTP headers and chunks
    har          the export of a browser's network tab
    json_array   JSON arrays, and values over several lines
    csv_rows     a table with a column of events
    mixed_lines  lines of any program: behind a prefix, in quotes, in a field of other JSON

`recognise` finds out by looking at whole lines which one a log is. A plain log, server-sent events
or JSON lines, is none of them: it goes straight to the decoder, and loads no file of this folder
but those that have no underscore.
"""

__all__ = ["TRIED"]

TRIED = (
    "server-sent events, JSON lines, JSON arrays and objects, HAR, CSV, "
    "events inside of other JSON, and lines with a prefix"
)
"""The forms that were tried on a log in which no event was found."""
