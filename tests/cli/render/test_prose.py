"""Texts on a terminal: Markdown is drawn, nothing of it is lost, and long texts are cut."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console

from chatkit_reducer import fold, policies, settle
from chatkit_reducer.cli.output import people_console
from chatkit_reducer.cli.render.prose import Prose
from chatkit_reducer.cli.render.settlement import show_settlement
from chatkit_reducer.cli.render.thread import show_thread
from chatkit_reducer.events import Event
from chatkit_reducer.testing.examples import added, citation, done, message, part, widget, workflow
from tests.support import cli
from tests.support.cli import UNSAFE, log_of


class Terminal(io.StringIO):
    """A file that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


Show = Callable[..., str]


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Show:
    """What `replay` sends to a terminal, without the header."""

    def show(*events: Event, columns: int = 80, colours: bool = False) -> str:
        screen = Terminal()
        monkeypatch.setattr(sys, "stdout", screen)
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("TERM", "xterm-256color" if colours else "dumb")
        monkeypatch.delenv("NO_COLOR", raising=False)
        show_thread(people_console(), fold(events), thread_id="thr_1")
        return screen.getvalue().partition("\n\n")[2].strip("\n")

    return show


def drawn(text: str, *, columns: int = 60, screen: io.StringIO | None = None) -> str:
    """What a terminal without colours is sent."""
    file = Terminal() if screen is None else screen
    console = Console(file=file, force_terminal=True, color_system=None, width=columns)
    console.print(Prose(text, is_markdown=True))
    return file.getvalue()


TEXT = "# Moon\n\nIt is **far**, see `orbit` and [m](https://m.example).\n\n- a\n- b\n"


def test_markdown_is_drawn_on_a_terminal(show: Show) -> None:
    assert [line.rstrip() for line in show(done(message("m", TEXT))).splitlines()] == [
        "assistant  m",
        "  Moon",
        "",
        "  It is far, see orbit and m (https://m.example).",
        "",
        "   \u2022 a",
        "   \u2022 b",
    ]


def test_blank_lines_stand_between_blocks_alone() -> None:
    text = "- a\n- b\n\n| c |\n|---|\n| d |\n\n\n```\ne\n```\n\n---\n"

    lines = [line.strip(" -\u2500\u2501") for line in drawn(text).splitlines()]

    assert lines == ["\u2022 a", "\u2022 b", "", "c", "", "d", "", "e", "", ""]


def test_the_language_of_code_stands_above_it() -> None:
    assert [line.rstrip() for line in drawn("```py x\na\n```").splitlines()] == ["  py x", "  a"]


def test_a_pipe_gets_the_text_as_it_is() -> None:
    output = cli.shown("replay", "-", stdin=log_of(done(message("m", TEXT))))

    assert "\n  # Moon\n\n  It is **far**, see `orbit` and [m](https://m.example).\n" in output


def test_what_is_strong_is_bold(show: Show) -> None:
    thought = {"type": "thought", "content": "**Reading** the question"}
    item = workflow("w")
    item["workflow"]["tasks"] = [thought]

    output = show(done(item), colours=True)

    assert "\x1b[1mReading\x1b[0m the question" in output
    assert "**" not in output


def test_clients_draw_markdown_in_components_of_that_name_alone(show: Show) -> None:
    root = {
        "type": "Card",
        "children": [
            {"type": "Markdown", "value": "*so*"},
            {"type": "Text", "value": "*so*"},
        ],
    }

    lines = [line.rstrip() for line in show(done(widget("g", root))).splitlines()]

    assert lines[-3:] == [
        "  \u251c\u2500\u2500 Markdown",
        "  \u2502   so",
        "  \u2514\u2500\u2500 Text  *so*",
    ]


def test_citations_keep_their_numbers(show: Show) -> None:
    item = message("m")
    item["content"] = [part("It is **far**.", citation("near", at=14))]

    assert "  It is far.[1]" in show(done(item))


@pytest.mark.parametrize(
    "text",
    [
        "a <b>bold</b> c",
        "<div>\nb\n</div>",
        "![b](https://c.example)",
        "[b]: https://c.example",
        "[b](javascript:c)",
    ],
)
def test_what_a_terminal_does_not_draw_stays_text(text: str) -> None:
    shown = "".join(drawn(text).split())

    assert letters(shown) == letters(text)


def letters(text: str) -> str:
    """The letters of a text, in order."""
    return "".join([char for char in text if char.isalpha()])


@given(st.text("abc  \n\n*_#>-+[]()!<~\\:\t"), st.integers(1, 90))
@example("> " * 50 + "a", 400)
@example("> " * 5 + "a", 10)
@example("- " * 50 + "a", 10)
def test_no_letter_is_lost(text: str, columns: int) -> None:
    screen = io.StringIO()  # of which nothing is cut

    assert letters(drawn(text, columns=columns, screen=screen)) == letters(text)


def test_neither_escape_sequences_nor_entities_are_obeyed(show: Show) -> None:
    text = "\x1b[31m &#27;[31m &#x202e; `\x9b2J` [x](https://a.example/\x1b]8;;)"

    output = show(done(message("m", text)))

    assert UNSAFE.search(output) is None
    assert "\u241b[31m" in output


# --- long texts -----------------------------------------------------------------------------------

LONG = "\n\n".join(f"Paragraph {number}." for number in range(3000))


def test_of_a_long_answer_a_terminal_shows_the_end(show: Show) -> None:
    lines = [line.rstrip() for line in show(added(message("m", LONG))).splitlines()]

    size = f"{len(LONG):,} characters"
    assert lines[1] == f"  \u2026 the end of {size}: a pipe gets all of it"
    assert lines[-1] == "  Paragraph 2999."
    assert len(lines) == 2 + 20


def test_a_pipe_gets_all_of_a_long_answer() -> None:
    output = cli.shown("replay", "-", stdin=log_of(added(message("m", LONG))))

    assert output.count("Paragraph") == 3000
    assert "\u2026" not in output


def test_the_writes_of_a_settlement_are_shown_as_they_are_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    state = fold([added(message("m", f"**a**\n\n{LONG}"))])
    settlement = settle(state, policy=policies.KEEP, cause="cancelled")

    show_settlement(people_console(), state, settlement, thread_id="thr_1", at=1)

    assert "\n    **a**\n\n    Paragraph 0.\n" in screen.getvalue()
    assert "the end of" not in screen.getvalue()


def test_a_text_of_twenty_lines_is_whole() -> None:
    text = "\n\n".join("x" * 10)[:-1]  # ten paragraphs are 19 lines

    assert "\u2026" not in drawn(f"{text}x")
    assert "\u2026 the end of 31 characters" in drawn("\n\n".join("x" * 11))


def test_one_line_without_an_end_is_cut_as_well() -> None:
    lines = drawn("word " * 50_000).splitlines()

    assert len(lines) == 21


def test_the_end_of_a_block_of_code_is_code() -> None:
    code = "\n".join(f"#{number}_a_" for number in range(9000))

    output = drawn(f"Look:\n```python\n{code}\n```\nSo it is.")

    assert "\n  #8999_a_" in output
    assert output.endswith("\n\nSo it is." + " " * 51 + "\n")
