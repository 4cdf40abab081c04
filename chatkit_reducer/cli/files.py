"""Read a small file whole; write a file completely or not at all, and never through a planted link.

A written text goes to a new file in the same folder, which then takes the place of the old one. A
symbolic link is refused: its owner may have meant another file than the user does. A device or a
pipe is written as it stands, and so are `/dev/stdout` and its kind, which are links by nature.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from chatkit_reducer.cli.errors import InputError, cannot_read
from chatkit_reducer.cli.render.text import size_text

__all__ = ["new_folder", "read_whole", "refuse_odd_name", "writing"]

_NUL_IN_NAME = "a file name cannot have a NUL in it"

_OPEN_ALREADY = re.compile(r"/dev/(stdout|stderr|fd/\d+)|/proc/self/fd/\d+").fullmatch
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


def read_whole(name: str, most: int) -> bytes:
    """Read a file that is not large.

    Raises:
        InputError: it cannot be read, or has more than so many bytes.
    """
    try:
        refuse_odd_name(name)
        with Path(name).open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise cannot_read(name, _why(error)) from error
    if len(data) > most:
        raise cannot_read(name, f"it has more than {size_text(most)}")
    return data


def refuse_odd_name(name: str) -> None:
    """Refuse the name of a file that Python would refuse in other words, or take for a folder.

    Raises:
        OSError: it is such a name.
    """
    _refuse_nul(name)
    if not name:  # to `Path` it is the folder that we are in
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))


@contextmanager
def writing(name: str) -> Iterator[BinaryIO]:
    """Write a file. It takes its place at the end, if nothing was raised.

    Raises:
        InputError: it cannot be written.
    """
    try:
        status = _status(name)
        if _OPEN_ALREADY(name) or (status is not None and _is_in_place(status)):
            with Path(name).open("wb") as file:
                yield file
        else:
            with _beside(Path(name), status) as file:
                yield file
    except BrokenPipeError:
        raise
    except OSError as error:
        raise InputError(f"cannot write {name!r}: {_why(error)}") from None


def new_folder(name: str) -> None:
    """Make a folder, if it is not there.

    Raises:
        InputError: it cannot be made.
    """
    try:
        _refuse_nul(name)
        Path(name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write into {name!r}: {_why(error)}") from None


def _why(error: OSError) -> str:
    return error.strerror or str(error)


def _refuse_nul(name: str) -> None:
    if "\0" in name:
        raise OSError(_NUL_IN_NAME)


def _status(name: str) -> os.stat_result | None:
    """Look at the file that is there now; None if there is nothing.

    Raises:
        OSError: a link or a folder stands there, or nothing can.
    """
    refuse_odd_name(name)
    if _OPEN_ALREADY(name):
        return None
    try:
        status = Path(name).lstat()
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(status.st_mode):
        raise OSError("it is a symbolic link; give the file that it points to")
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    return status


def _is_in_place(status: os.stat_result) -> bool:
    return not stat.S_ISREG(status.st_mode)


@contextmanager
def _beside(path: Path, old: os.stat_result | None) -> Iterator[BinaryIO]:
    """Write a new file in the same folder, and put it into the place of the old one."""
    new = path.with_name(f".chatkit-reducer-{os.urandom(8).hex()}")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINKS, 0o666)
    try:
        with open(handle, "wb") as file:  # noqa: PTH123  # it is open already
            yield file
            file.flush()
            if old is not None:
                _keep_mode(file, new, stat.S_IMODE(old.st_mode) & 0o777)
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        with suppress(OSError):
            new.unlink()


def _keep_mode(file: BinaryIO, path: Path, mode: int) -> None:
    if hasattr(os, "fchmod"):
        os.fchmod(file.fileno(), mode)
    else:
        path.chmod(mode)
