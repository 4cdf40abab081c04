"""The palette: seen on any background, told apart without colours, and the only one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from rich.color import Color
from rich.console import Console
from rich.default_styles import DEFAULT_STYLES
from rich.theme import Theme

import chatkit_reducer
from chatkit_reducer.cli.render.styles import terminal_styles
from chatkit_reducer.palette import DARK, FATES, LIGHT, WORST_FIRST


def luminance(colour: str) -> float:
    """How bright a colour is, as WCAG 2 defines it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, from 1 to 21."""
    bright, dark = sorted([luminance(one), luminance(other)], reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("name", FATES)
@pytest.mark.parametrize("background", ["#000000", "#1e1e1e", "#ffffff", "#fdf6e3"])
def test_a_terminal_shows_each_fate_on_any_background(name: str, background: str) -> None:
    shown = Color.parse(f"color({FATES[name].terminal})").get_truecolor().hex

    assert contrast(shown, background) >= 3


@pytest.mark.parametrize("name", FATES)
def test_a_dark_page_shows_each_fate(name: str) -> None:
    assert contrast(FATES[name].dark, "#0d1117") >= 4.5


@pytest.mark.parametrize("name", FATES)
@pytest.mark.parametrize(
    ("colours", "background"), [(LIGHT, "#ffffff"), (LIGHT, "#f5f4f1"), (DARK, "#16181c")]
)
def test_text_of_each_fate_can_be_read_on_a_page(
    colours: Mapping[str, str], background: str, name: str
) -> None:
    assert contrast(colours[f"{name}-t"], background) >= 4.5


def test_markdown_leaves_the_colours_of_the_fates_alone() -> None:
    taken = {"blue", "bright_blue", "yellow", "bright_yellow", "red", "bright_red"}
    console = Console(theme=Theme(terminal_styles("256")))
    names = [name for name in DEFAULT_STYLES if name.startswith("markdown.") and "kbd" not in name]

    styles = {name: console.get_style(name) for name in names}

    assert len(styles) > 20
    assert [n for n, s in styles.items() if s.color is not None and s.color.name in taken] == []
    assert styles["markdown.code"].bgcolor is None


def test_css_variables_are_named_after_the_fates() -> None:
    assert list(LIGHT) == list(DARK) == ["kept", "stale", "lost", "kept-t", "stale-t", "lost-t"]
    assert (LIGHT["lost"], DARK["lost"]) == (FATES["lost"].light, FATES["lost"].dark)


def test_without_colours_the_signs_tell_the_fates() -> None:
    for field in ("block", "ascii", "letter", "meaning"):
        assert len({getattr(shade, field) for shade in FATES.values()}) == len(FATES)
    weights = [("\u2591", "\u2592", "\u2593", "\u2588").index(s.block) for s in FATES.values()]
    assert weights == sorted(weights)
    assert WORST_FIRST == ("lost", "stale", "kept")


@pytest.mark.parametrize("system", [None, "standard", "256", "truecolor", "windows"])
def test_styles_of_each_terminal(system: str | None) -> None:
    every = terminal_styles(system)
    styles = {name: style for name, style in every.items() if name.startswith("fate.")}

    assert set(styles) == {f"fate.{name}{bold}" for name in FATES for bold in ("", ".bold")}
    assert len(set(styles.values())) == len(styles)
    assert ("color(" in styles["fate.lost"]) == (system in ("256", "truecolor"))


def test_no_other_module_has_colours_of_its_own_for_fates() -> None:
    folder = Path(chatkit_reducer.__file__).parent
    palette = {*LIGHT.values(), *DARK.values()}
    holders = [
        path.name
        for path in folder.rglob("*.py")
        if set(re.findall(r"#[0-9a-f]{6}", path.read_text(encoding="utf-8"))) & palette
    ]

    assert holders == ["palette.py"]
