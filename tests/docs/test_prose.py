"""The prose of the package and of the pages keeps to the sheet in CONTRIBUTING.md.

Four constructions make a reader parse a sentence twice. For each there is a limit: how often it may
occur in 10,000 words of docstrings and comments, and of pages. Lower a limit, but never raise it.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

import chatkit_reducer

PACKAGE = Path(chatkit_reducer.__file__).parent
ROOT = Path(__file__).parents[2]
MODULES = sorted(PACKAGE.rglob("*.py"))
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]

VERBS = (
    "is|are|was|were|has|have|had|do|does|did|can|could|may|might|must|shall|should|will|would"
    "|come|comes|came|go|goes|went|follow|follows|followed|happen|happens|happened|stand|stands|stood"
    "|lie|lies|lay|hold|holds|held|make|makes|made|remain|remains|arrive|arrives|arrived"
)
NOUNS = (
    "the|a|an|it|its|he|they|their|this|that|these|those|there|we|you|your|each|some|other|others"
    "|one|no|not|people|users|clients|callers|code"
)


class Rule(NamedTuple):
    name: str
    pattern: re.Pattern[str]
    limit: int
    """How often the pattern may match in 10,000 words."""


def rule(name: str, pattern: str, limit: int) -> Rule:
    return Rule(name, re.compile(rf"\b(?:{pattern})\b".replace(" ", r"\s+"), re.IGNORECASE), limit)


RULES = (
    rule("write 'X that ...' for 'what ...'", f"what (?:{VERBS}|{NOUNS})", 10),
    rule("write 'is not a' for 'is no'", "(?:is|are|was|were|be|been) no(?! longer| more)", 5),
    rule("name the actor for 'nobody'", "nobody|somebody|everybody|anybody", 3),
    rule("name the case for 'whatever'", "whoever|whatever|wherever|whichever", 5),
)


class Prose(NamedTuple):
    """The lines of a file with all but its prose blanked out."""

    path: Path
    text: str

    @property
    def words(self) -> int:
        return len(self.text.split())

    def matches(self, rule: Rule) -> Iterator[str]:
        for found in rule.pattern.finditer(self.text):
            line = self.text.count("\n", 0, found.start())
            yield f"{self.path}:{line + 1}: {self.text.splitlines()[line].strip()}"


@cache
def prose_of_module(path: Path) -> Prose:
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines()
    prose = [""] * len(lines)
    for number in docstring_lines(source):
        prose[number - 1] = lines[number - 1]
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            prose[token.start[0] - 1] = token.string.strip("# ")
    return Prose(path, "\n".join(prose))


def docstring_lines(source: str) -> Iterator[int]:
    """The numbers of the lines of string statements, those below attributes too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield from range(node.lineno, (node.end_lineno or node.lineno) + 1)


@cache
def prose_of_page(path: Path) -> Prose:
    text = path.read_text(encoding="utf-8")
    for code in (r"^<!---? invisible.*?^-->$", r"^```.*?^```$", r"`[^`\n]*`"):
        text = re.sub(
            code, lambda found: "\n" * found[0].count("\n"), text, flags=re.MULTILINE | re.DOTALL
        )
    return Prose(path, text)


@pytest.mark.parametrize("rule", RULES, ids=[rule.name for rule in RULES])
@pytest.mark.parametrize(
    ("files", "read"),
    [
        pytest.param(MODULES, prose_of_module, id="package"),
        pytest.param(PAGES, prose_of_page, id="pages"),
    ],
)
def test_the_prose_keeps_to_the_sheet(
    files: list[Path], read: Callable[[Path], Prose], rule: Rule
) -> None:
    proses = [read(path) for path in files]
    found = [line for prose in proses for line in prose.matches(rule)]
    words = sum(prose.words for prose in proses)

    limit = rule.limit * words // 10_000
    head = f"{rule.name}: {len(found)} times, at most {limit} in these {words} words:"
    assert len(found) <= limit, "\n".join([head, *found])


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        (RULES[0], "It returns what is pending."),
        (RULES[0], "It returns what\n    the store holds."),
        (RULES[1], "This is no event."),
        (RULES[2], "Somebody asks for it."),
        (RULES[3], "Whatever comes is kept."),
    ],
)
def test_a_sentence_against_the_sheet_is_found(tmp_path: Path, rule: Rule, sentence: str) -> None:
    module, page = tmp_path / "module.py", tmp_path / "page.md"
    module.write_text(f'x = 1\n"""{sentence}"""\n', encoding="utf-8")
    page.write_text(f"# Page\n{sentence}\n", encoding="utf-8")

    for prose in (prose_of_module(module), prose_of_page(page)):
        (found,) = prose.matches(rule)
        assert found.startswith(f"{prose.path}:2: ")


def test_only_prose_is_counted(tmp_path: Path) -> None:
    module, page = tmp_path / "module.py", tmp_path / "page.md"
    module.write_text('x = "what is"  # it is no longer so\n', encoding="utf-8")
    page.write_text("Not `what is`,\n\n```\nwhat is\n```\n", encoding="utf-8")

    assert prose_of_module(module).text.split() == ["it", "is", "no", "longer", "so"]
    assert prose_of_page(page).text.split() == ["Not", ","]
    for rule in RULES:
        assert not list(prose_of_module(module).matches(rule))
