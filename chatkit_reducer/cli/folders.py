"""The logs in a folder, found by their content."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from chatkit_reducer.cli.errors import InputError, cannot_read
from chatkit_reducer.cli.limits import Limits
from chatkit_reducer.cli.render.text import file_name
from chatkit_reducer.errors import LogError
from chatkit_reducer.events import UPDATE_TYPES, Event, UnknownEvent, Unreadable
from chatkit_reducer.logs import read_records

__all__ = ["Folder", "is_folder"]

_LOOKED_AT = 1000
"""A file of a folder is a log if one of so many entries at its beginning is a ChatKit event."""
_NAMED = 3
"""So many files that were left out are named; the others are counted."""


class Folder:
    """The logs below a folder, and the other entries.

    Args:
        name: the folder.
        limits: how much is read of a file, to find out whether it is a log.
        leave_out: a folder to pass over, because the output goes there.
    """

    def __init__(self, name: str, limits: Limits, leave_out: str | None) -> None:
        self._name = name
        self._limits = limits
        self._output = None if leave_out is None else _identity(leave_out)
        self._hidden = 0
        self._odd: list[str] = []
        self._other: list[str] = []
        self.logs: list[tuple[str, str]] = []
        """Each log as it is opened, and its path below the folder."""
        self.failed: list[InputError] = []
        for path in self._files():
            place = str(path.relative_to(name))
            if self._is_log(path):
                self.logs.append((str(path), place))
            else:
                self._other.append(place)

    def _files(self) -> Iterator[Path]:
        """Yield all files that are not hidden, folder by folder, in the order of their names."""
        folders = [Path(self._name)]
        while folders:
            inner = []
            for path in self._entries(folders.pop()):
                if path.name.startswith("."):
                    self._hidden += 1
                elif is_folder(path) and not path.is_symlink():
                    inner.append(path)
                elif _is_file(path):
                    yield path
                else:  # a link to a folder or to nowhere, a pipe, a device
                    self._odd.append(str(path.relative_to(self._name)))
            folders += [path for path in reversed(inner) if not self._is_output(path)]

    def _entries(self, folder: Path) -> list[Path]:
        try:
            return sorted(folder.iterdir())
        except OSError as error:
            self.failed.append(cannot_read(str(folder), error.strerror or str(error)))
            return []

    def _is_output(self, folder: Path) -> bool:
        return self._output is not None and _identity(folder) == self._output

    def _is_log(self, path: Path) -> bool:
        """Whether it begins with a ChatKit event; a file that cannot be read counts as a log."""
        try:
            records = read_records(path, **self._limits.arguments)
            return any(_is_chatkit(record.event) for record in islice(records, _LOOKED_AT))
        except (OSError, LogError):
            return True

    @property
    def left_out(self) -> str:
        """The entries that are not logs, in words; empty if all are logs."""
        told = [
            _listed(self._other, "without a ChatKit event"),
            _listed(self._odd, "not a file"),
            f"{self._hidden:,} hidden" if self._hidden else "",
        ]
        return ", ".join(filter(None, told))


def _status(path: str | Path) -> os.stat_result | None:
    try:
        return Path(path).stat() if path != "" else None
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return None


def is_folder(path: str | Path) -> bool:
    """Whether this is a folder, or a link to one."""
    status = _status(path)
    return status is not None and stat.S_ISDIR(status.st_mode)


def _is_file(path: Path) -> bool:
    status = _status(path)
    return status is not None and stat.S_ISREG(status.st_mode)


def _identity(folder: str | Path) -> tuple[int, int] | None:
    status = _status(folder)
    return None if status is None else (status.st_dev, status.st_ino)


def _is_chatkit(event: Event | Unreadable) -> bool:
    if isinstance(event, UnknownEvent):  # any JSON object with a `type` is one
        return event.type in UPDATE_TYPES
    return not isinstance(event, Unreadable)


def _listed(names: Sequence[str], what: str) -> str:
    if not names:
        return ""
    shown = ", ".join([file_name(name) for name in names[:_NAMED]])
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return f"{len(names):,} {what} ({shown}{more})"
