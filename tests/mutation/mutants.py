"""Mutants: one small change each to the syntax tree of a module.

Not changed, because nothing that a test could see hangs on it, or because a type checker looks
after it: annotations, docstrings, `__all__`, `__slots__`, asserts, imports, decorators, the options
of classes, what is for type checkers only.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import CodeType
from typing import Any, Final, NamedTuple

__all__ = ["Mutant", "Source"]

_OTHER: Final[dict[type[Any], type[Any]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    #
    ast.And: ast.Or,
    ast.Or: ast.And,
    #
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_NOT_LOOKED_INTO = (ast.Import, ast.ImportFrom, ast.Assert)
_DECLARED = frozenset({"__all__", "__slots__"})
_TYPES_ONLY = frozenset({"TypeVar", "Generic"})


class _Edit(NamedTuple):
    """One change to the tree: other values in fields of a node.

    `top` is the line on which the innermost function begins.
    """

    node: Any
    changes: dict[str, Any]
    scope: str
    line: int
    top: int
    in_function: bool
    before: str
    after: str


class Mutant(NamedTuple):
    """One change to one module."""

    source: Source
    edit: _Edit
    nth: int
    """Which of the changes with the same words in the same function it is, from 1."""

    @property
    def name(self) -> str:
        """What was changed, the same wherever it stands in its function."""
        again = f" ({self.nth})" if self.nth > 1 else ""
        changed = f"{_code(self.edit.before)} becomes {_code(self.edit.after)}"
        return f"{_code(self.where)}: {changed}{again}"

    @property
    def where(self) -> str:
        """The function, or the module."""
        _, _, module = self.source.module.partition(".")
        return ".".join(filter(None, (module, self.edit.scope)))

    @property
    def lines(self) -> range:
        """The line that was changed, and those before it in its function, backwards."""
        return range(self.edit.line, self.edit.top, -1)

    @property
    def is_in_function(self) -> bool:
        """Whether it only is what a function does, and not what a module holds."""
        return self.edit.in_function

    def compiled(self) -> CodeType:
        """The code of the whole module."""
        edit = self.edit
        kept = {field: getattr(edit.node, field) for field in edit.changes}
        vars(edit.node).update(edit.changes)
        try:
            return self.source.compiled()
        finally:
            vars(edit.node).update(kept)


class Source:
    """A module, and all its mutants."""

    def __init__(self, path: Path, root: Path) -> None:
        self.module = ".".join(path.relative_to(root).with_suffix("").parts)
        self.module = self.module.removesuffix(".__init__")
        self.path = path
        self.tree = ast.parse(path.read_text(encoding="utf-8"))
        counts: Counter[tuple[str, str, str]] = Counter()
        self.mutants: list[Mutant] = []
        for edit in _Edits(self.tree):
            words = (edit.scope, edit.before, edit.after)
            counts[words] += 1
            self.mutants.append(Mutant(self, edit, counts[words]))

    def compiled(self) -> CodeType:
        """The code of the tree as it is now."""
        code: CodeType = compile(
            ast.fix_missing_locations(self.tree), self.path, "exec", dont_inherit=True
        )
        return code


def _code(text: str) -> str:
    text = " ".join(text.split())
    return f"`` {text} ``" if "`" in text else f"`{text}`"


class _Edits:
    """All edits of a tree, in the order of its lines."""

    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree
        self._scope: list[str] = []
        self._tops = [0]
        self._line = 1

    def __iter__(self) -> Iterator[_Edit]:
        return self._body(self._tree)

    def _edit(
        self, node: Any, changes: dict[str, Any], before: ast.AST | str, after: ast.AST | str
    ) -> _Edit:
        place = before.target if isinstance(before, ast.comprehension) else before
        self._line = getattr(place, "lineno", getattr(node, "lineno", self._line))
        return _Edit(
            node,
            changes,
            ".".join(self._scope),
            self._line,
            self._tops[-1],
            len(self._tops) > 1,
            _text(before),
            _text(after),
        )

    # --- statements ------------------------------------------------------------------------------

    def _body(self, node: Any) -> Iterator[_Edit]:
        for field in ("body", "handlers", "orelse", "finalbody"):
            block = getattr(node, field, [])
            for index, statement in enumerate(block):
                yield from self._statement(node, field, block, index, statement)

    def _statement(
        self, node: Any, field: str, block: list[Any], index: int, statement: Any
    ) -> Iterator[_Edit]:
        if isinstance(statement, _NOT_LOOKED_INTO) or _is_declaration(statement):
            return
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            yield from self._definition(statement)
            return
        for verdict in _other_verdicts(statement):
            yield self._edit(statement, {"test": verdict}, statement.test, verdict)
        for other in _other_statements(statement):
            changed = [*block[:index], other, *block[index + 1 :]]
            yield self._edit(node, {field: changed}, statement, other)
        yield from self._fields(statement)
        yield from self._body(statement)

    def _definition(self, statement: ast.FunctionDef | ast.ClassDef) -> Iterator[_Edit]:
        self._scope.append(statement.name)
        if isinstance(statement, ast.FunctionDef):
            yield from self._fields(statement.args)
            self._tops.append(statement.lineno)
            yield from self._body(statement)
            self._tops.pop()
        else:
            yield from self._body(statement)
        self._scope.pop()

    # --- expressions -----------------------------------------------------------------------------

    def _fields(self, node: Any) -> Iterator[_Edit]:
        """The expressions in the fields of a node."""
        for field, value in ast.iter_fields(node):
            if field in {"annotation", "ctx", "slice"} and not isinstance(node, ast.Subscript):
                continue
            if isinstance(value, ast.AST):
                yield from self._expression(node, field, value)
            elif isinstance(value, list) and field not in {"body", "orelse", "finalbody"}:
                for index, one in enumerate(value):
                    if isinstance(one, ast.AST) and not isinstance(one, ast.ExceptHandler):
                        yield from self._element(node, field, value, index, one)

    def _element(
        self, node: Any, field: str, values: list[Any], index: int, one: Any
    ) -> Iterator[_Edit]:
        for other in _other_expressions(one):
            changed = [*values[:index], other, *values[index + 1 :]]
            yield self._edit(node, {field: changed}, one, other)
        yield from self._removals(one)
        yield from self._inside(one)

    def _expression(self, node: Any, field: str, one: Any) -> Iterator[_Edit]:
        for other in _other_expressions(one):
            yield self._edit(node, {field: other}, one, other)
        yield from self._removals(one)
        yield from self._inside(one)

    def _inside(self, one: Any) -> Iterator[_Edit]:
        if isinstance(one, ast.JoinedStr):
            for value in one.values:
                if isinstance(value, ast.FormattedValue):
                    yield from self._fields(value)
        elif isinstance(one, ast.Call) and _name(one.func) in _TYPES_ONLY:
            return
        elif isinstance(one, ast.Call) and _name(one.func) == "cast":
            yield from self._element(one, "args", one.args, 1, one.args[1])
        elif isinstance(one, ast.Subscript) and _name(one.value) in {"list", "dict", "frozenset"}:
            return
        else:
            yield from self._fields(one)
            if isinstance(one, ast.Lambda):
                yield from self._expression(one, "body", one.body)

    def _removals(self, one: Any) -> Iterator[_Edit]:
        """Something less in it: an argument, an element of a list, the row of a table."""
        if isinstance(one, ast.Call) and _name(one.func) not in {"cast", *_TYPES_ONLY}:
            yield from self._one_less(one, "args", _last(one.args))
            yield from self._one_less(one, "keywords", [k for k in one.keywords if k.arg])
        elif self._is_collection(one):
            yield from self._one_less(one, "elts", one.elts)
        elif isinstance(one, ast.Dict):
            yield from self._rows(one)
        elif isinstance(one, ast.comprehension):
            yield from self._one_less(one, "ifs", one.ifs)
        elif isinstance(one, ast.Slice):
            for end in ("lower", "upper"):
                if getattr(one, end) is not None:
                    other = ast.Slice(one.lower, one.upper, one.step)
                    setattr(other, end, None)
                    yield self._edit(one, {end: None}, one, other)

    def _is_collection(self, one: Any) -> bool:
        """Whether it is a set, a list that is not assigned to, or a tuple in a table."""
        if isinstance(one, (ast.List, ast.Tuple)) and isinstance(one.ctx, ast.Store):
            return False
        return isinstance(one, (ast.Set, ast.List, ast.Tuple)[: 2 if len(self._tops) > 1 else 3])

    def _one_less(self, node: Any, field: str, removable: Sequence[Any]) -> Iterator[_Edit]:
        values = getattr(node, field)
        for one in removable:
            left = [value for value in values if value is not one]
            other = type(node)(**{**dict(ast.iter_fields(node)), field: left})
            yield self._edit(node, {field: left}, node, other)

    def _rows(self, table: ast.Dict) -> Iterator[_Edit]:
        """Each row left out, and, in a table of the module, each with that of another."""
        rows = list(zip(table.keys, table.values, strict=True))
        for index, (key, value) in enumerate(rows):
            row = ast.Dict([key], [value])
            others: list[ast.Dict] = []
            if key is not None and len(self._tops) == 1:
                around = [other for _, other in rows[index:] + rows[:index]]
                different = [v for v in around if ast.dump(v) != ast.dump(value)]
                others = [ast.Dict([key], [other]) for other in different[:1]]
            for other in (ast.Dict([], []), *others):
                keys = [*table.keys[:index], *other.keys, *table.keys[index + 1 :]]
                values = [*table.values[:index], *other.values, *table.values[index + 1 :]]
                yield self._edit(table, {"keys": keys, "values": values}, row, other)


def _other_statements(statement: Any) -> Iterator[ast.stmt]:
    match statement:
        case ast.Expr() | ast.Raise() | ast.Delete() | ast.AugAssign():
            yield ast.Pass()
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield ast.Pass()
        case ast.Break():
            yield ast.Continue()
        case ast.Continue():
            yield ast.Break()
        case ast.Return(value=ast.expr() as value):
            if not (isinstance(value, ast.Constant) and value.value in {None, True, False}):
                yield ast.Return(ast.Constant(None))
        case _:
            return


def _other_verdicts(statement: ast.stmt) -> Iterator[ast.expr]:
    if isinstance(statement, ast.If):
        yield ast.Constant(True)
    if isinstance(statement, (ast.If, ast.While)):  # a loop without an end is found out anyway
        yield ast.Constant(False)


def _other_expressions(one: Any) -> Iterator[ast.expr]:  # noqa: C901  # one case for each kind
    match one:
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            for index, op in enumerate(ops):
                other = [*ops[:index], _OTHER[type(op)](), *ops[index + 1 :]]
                yield ast.Compare(left, other, comparators)
        case ast.BoolOp(op=op, values=values):
            yield ast.BoolOp(_OTHER[type(op)](), values)
            for index in range(len(values)):
                left_over = [*values[:index], *values[index + 1 :]]
                yield left_over[0] if len(left_over) == 1 else ast.BoolOp(op, left_over)
        case ast.UnaryOp(operand=operand):
            yield operand
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OTHER:
            yield ast.BinOp(left, _OTHER[type(op)](), right)
        case ast.IfExp(body=body, orelse=orelse):
            yield body
            yield orelse
        case ast.JoinedStr(values=values):
            texts = [value for value in values if isinstance(value, ast.Constant)]
            longest = max(texts, key=lambda text: len(str(text.value)), default=None)
            changed = [_another(value) if value is longest else value for value in values]
            yield from [ast.JoinedStr(changed)] if texts else []
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value)):
            yield ast.Constant(value + 1)
        case ast.Constant(value=str()):
            yield _another(one)
        case _:
            return


def _another(text: Any) -> ast.Constant:
    """A text that does not contain the first one."""
    half = len(text.value) // 2
    return ast.Constant(f"{text.value[:half]}XX{text.value[half:]}")


def _is_declaration(statement: Any) -> bool:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            annotation = getattr(statement, "annotation", None)
            return name in _DECLARED or _name(annotation) == "TypeAlias"
        case ast.If(test=ast.Name(id="TYPE_CHECKING")) | ast.Expr(value=ast.Constant()):
            return True
        case _:
            return False


def _name(node: Any) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _last(arguments: list[ast.expr]) -> list[ast.expr]:
    """The one that may have a default: without any of the others a call fails at once."""
    return [last for last in arguments[1:][-1:] if not isinstance(last, ast.Starred)]


def _text(node: ast.AST | str) -> str:
    if isinstance(node, str):
        return node
    text = ast.unparse(ast.fix_missing_locations(node))
    return text.partition("\n")[0]
