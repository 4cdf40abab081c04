"""Text of a log on a terminal: ids that look alike, JSON, and commands."""

from __future__ import annotations

import json
import shlex
import unicodedata
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import example, given
from hypothesis import strategies as st

from chatkit_reducer import encode
from chatkit_reducer.cli.program import program
from chatkit_reducer.cli.render.text import command_lines, file_name, id_text, json_line, safe
from chatkit_reducer.testing.examples import added, done, message, text_delta

HIDDEN = [
    *"\u200b\u200c\u200d\u200e\u200f\u2060\u2061\u2064\u180e\ufeff\u00ad\u034f\u061c\u00a0\u3000",
    *"\u202a\u202e\u2066\u2069\ufe00\ufe0f\U000e0001\U000e0041\U000e007f\U000e0100\u3164\uffa0",
    *"\u115f\u1160\u2800\u17b4\u180b\x00\x1b\x7f\x85\x9b\n\r\t\u2028\ud83d\udc00\u0301\ue000",
]
TEXTS = st.text(st.characters(codec=None) | st.sampled_from([*HIDDEN, "\\", " ", "u", "0"]))


@pytest.mark.parametrize("char", HIDDEN, ids=[f"{ord(char):04x}" for char in HIDDEN])
def test_what_nobody_sees_is_escaped_in_an_id(char: str) -> None:
    escape = f"\\x{ord(char):02x}" if char < "\x80" else char.encode("ascii", "backslashreplace")
    escape = escape if isinstance(escape, str) else escape.decode()

    assert id_text(f"msg{char}1") == f"msg{escape}1"


@given(TEXTS, TEXTS)
@example("a\\u200b", "a\u200b")
@example("a", "a ")
@example("a b", "a  b")
@example("\u212b", "\u00c5")
@example("e\u0301", "\u00e9")
@example("\u1100\u1161", "\uac00")
def test_two_ids_look_alike_only_if_they_are_equal(one: str, other: str) -> None:
    assert (id_text(one) == id_text(other)) == (one == other)


@given(TEXTS)
def test_each_character_of_an_id_that_is_shown_has_a_shape(text: str) -> None:
    shown = id_text(text)

    assert shown == shown.strip()
    for char in shown:
        assert char == " " or unicodedata.category(char)[0] in "LNPS"
        assert unicodedata.normalize("NFKC", char) == char or char.isascii()
    assert safe(shown) == shown


def test_ids_of_other_scripts_can_be_read() -> None:
    for text in ("msg_1", "naïve", "订单_7", "заказ", "👍", "a b", ""):
        assert id_text(text) == text


def test_a_file_name_may_have_bytes_that_are_not_text() -> None:
    assert file_name("log\udcff\u200b.sse") == r"log\xff\u200b.sse"
    assert file_name(r"C:\logs\a.sse") == r"C:\logs\a.sse"


def test_items_with_ids_that_differ_in_a_hidden_character() -> None:
    ids = ["m", "m\u200b", "m\U000e0041"]
    log = b"".join(encode(done(message(each, "x"))) + b"\n" for each in ids)
    log += encode(text_delta("m\u2060", "y")) + b"\n"

    output = CliRunner().invoke(program, ["replay", "-"], input=log).stdout

    for shown in ("  m\n", "  m\\u200b\n", "  m\\U000e0041\n", "  m\\u2060\n"):
        assert shown in output


# --- JSON -----------------------------------------------------------------------------------------


@given(st.recursive(TEXTS | st.integers() | st.none(), st.lists, max_leaves=5))
@example("\ud83d")
@example(["\x7f\x9b\u200b\U000e0041\ufe0f\u180e\u034f\ufeff\u202e\u00ad"])
def test_json_has_the_same_value_and_nothing_that_a_terminal_obeys(value: Any) -> None:
    line = json_line(value)

    assert json.loads(line) == value
    text = line.decode()
    assert safe(text) == text
    assert b"\n" not in line
    for char in text:
        hidden = unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        assert not hidden or ord(char) in _SEEN


_SEEN = {
    *range(0x600, 0x606),  # Arabic number signs, and their like, have a shape
    *(0x6DD, 0x70F, 0x8E2, 0x890, 0x891, 0x110BD, 0x110CD),
    *range(0x13430, 0x13460),
    *range(0x1BCA0, 0x1BCA4),
    *range(0x1D173, 0x1D17B),
}


@pytest.mark.parametrize("command", ["replay", "check", "cancel", "sweep"])
def test_json_of_each_command_is_plain(command: str) -> None:
    log = encode(added(message("m\x9b\u200b", "x\x9b"))) + b"\n"

    output = CliRunner().invoke(program, [command, "-", "--json"], input=log).stdout

    assert "\x9b" not in output
    assert "\u200b" not in output
    assert all(json.loads(line) for line in output.splitlines())


# --- commands -------------------------------------------------------------------------------------

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1)


@given(st.lists(WORDS, min_size=1), st.integers(10, 100))
def test_a_command_in_lines_is_the_command(words: list[str], width: int) -> None:
    lines = list(command_lines(words, width))

    assert shlex.split("\n".join(lines).replace("\\\n", "")) == words  # as a shell does
    for line in lines:
        assert len(line) <= width or len(line.split()) <= 2 or " " in shlex.quote(line.strip(" \\"))


def test_an_option_stays_with_its_value() -> None:
    words = ["chatkit-reducer", "cancel", "log.sse", "--at", "10", "--policy", "sdk"]

    assert list(command_lines(words, 40)) == [
        "  chatkit-reducer cancel log.sse \\",
        "    --at 10 --policy sdk",
    ]
