"""Files are written completely or not at all, and never through a planted link."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path

import pytest

from chatkit_reducer.cli.errors import InputError
from chatkit_reducer.cli.files import new_folder, writing

posix = pytest.mark.skipif(os.name != "posix", reason="this needs POSIX")


def write(path: Path | str, data: bytes = b"new") -> None:
    """Write a file."""
    with writing(str(path)) as file:
        file.write(data)


def failed(path: Path | str) -> str:
    """The reason why a file cannot be written."""
    with pytest.raises(InputError) as caught:
        write(path)
    return caught.value.message.removeprefix(f"cannot write {str(path)!r}: ")


def test_a_new_file(tmp_path: Path) -> None:
    write(tmp_path / "x")

    assert (tmp_path / "x").read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


@posix
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_a_new_file_has_the_mode_of_any_other(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        write(tmp_path / "x")
        (tmp_path / "y").touch()
    finally:
        os.umask(before)

    assert (tmp_path / "x").stat().st_mode == (tmp_path / "y").stat().st_mode


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o755, 0o4755])
def test_the_mode_stays_but_for_setuid(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")
    path.chmod(mode)

    write(path)

    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"new", mode & 0o777)


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")

    with pytest.raises(RuntimeError), writing(str(path)) as file:
        file.write(b"half")
        raise RuntimeError

    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_disk_that_is_full_leaves_the_old_file(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os if step == "fsync" else Path, step, full)

    assert failed(path) == "No space left on device"
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["x"]


@posix
@pytest.mark.parametrize("target", ["secret", "nowhere", "."])
def test_a_link_is_refused_wherever_it_points(target: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "x").symlink_to(tmp_path / target)

    assert failed(tmp_path / "x") == "it is a symbolic link; give the file that it points to"
    assert (tmp_path / "secret").read_bytes() == b"secret"
    assert not (tmp_path / "nowhere").exists()


@posix
def test_a_link_that_is_planted_while_the_file_is_written(tmp_path: Path) -> None:
    """It is replaced, and the file that it points to stays as it was."""
    (tmp_path / "secret").write_bytes(b"secret")

    with writing(str(tmp_path / "x")) as file:
        file.write(b"new")
        (tmp_path / "x").symlink_to(tmp_path / "secret")

    assert (tmp_path / "secret").read_bytes() == b"secret"
    assert not (tmp_path / "x").is_symlink()
    assert (tmp_path / "x").read_bytes() == b"new"


@posix
def test_the_new_file_is_never_one_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "urandom", bytes)
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / ".chatkit-reducer-0000000000000000").symlink_to(tmp_path / "secret")

    assert failed(tmp_path / "x") == "File exists"
    assert (tmp_path / "secret").read_bytes() == b"secret"


@posix
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", "No such file or directory"),
        ("nowhere/x", "No such file or directory"),
        (".", "Is a directory"),
        ("file/x", "Not a directory"),
        ("loop/x", "Too many levels of symbolic links"),
        ("x" * 300, "File name too long"),
        ("a\0b", "a file name cannot have a NUL in it"),
    ],
)
def test_what_cannot_be_written(
    name: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")

    assert expected in failed(name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "loop"]


def test_a_name_as_long_as_names_can_be(tmp_path: Path) -> None:
    write(tmp_path / ("x" * 250))

    assert [len(path.name) for path in tmp_path.iterdir()] == [250]


@posix
def test_a_pipe_is_written_and_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    write(path)

    assert os.read(reader, 10) == b"new"
    assert path.is_fifo()
    os.close(reader)


@posix
def test_a_pipe_that_nobody_reads_any_more(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    with pytest.raises(BrokenPipeError), writing(str(path)) as file:
        assert isinstance(file, io.IOBase)
        os.close(reader)
        file.write(b"new")


@posix
@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="there is no /dev/fd")
def test_an_open_file_by_its_number(tmp_path: Path) -> None:
    """`/dev/stdout` and `>(...)` of a shell are such names, and links by nature."""
    with (tmp_path / "x").open("wb") as file:
        write(f"/dev/fd/{file.fileno()}")

    assert (tmp_path / "x").read_bytes() == b"new"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_device_that_is_full() -> None:
    assert failed("/dev/full") == "No space left on device"


def test_a_folder(tmp_path: Path) -> None:
    new_folder(str(tmp_path / "a" / "b"))
    new_folder(str(tmp_path / "a" / "b"))
    (tmp_path / "file").touch()

    assert (tmp_path / "a" / "b").is_dir()
    with pytest.raises(InputError, match="cannot write into"):
        new_folder(str(tmp_path / "file"))
