"""The parts of a Python source that can change a result, as a text that does not depend on wording and formatting.

Left out are comments, docstrings, formatting, type annotations that nothing reads, and texts for users: those of errors,
warnings, progress lines and `Field(description=...)`, and the descriptions in the file of a loss, a metric, a table or a figure
(`TEXTS`, and the descriptions of a table's columns). Of a message only the words are left out. The expressions in it are kept,
because they can have an effect. Code is left out only if it is known to have no effect: an unnecessary rerun is better than a
missed change.

The text is written from Python's syntax tree, but not by `ast.dump` or `ast.unparse`, whose output differs between versions of
Python. Known differences between the trees (pieces of f-strings, fields that are new and empty) are removed.
"""

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from workflow_lib.provenance.known import (
    BOUND,
    DESCRIBED,
    ERRORS,
    FAULTS,
    INDIFFERENT,
    MEMBERS,
    OUR_ERRORS,
    READERS,
    SAYING,
    STREAMS,
    TEXTS,
    TEXTS_OF_METRICS,
    TYPING,
    WARNING,
)

_UNSEEN = frozenset({"ctx", "kind", "type_comment", "type_ignores"})
"""Fields of the tree that are irrelevant or that repeat its other fields."""

_EFFECTS = (ast.Call, ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom)


def effective_source(source: str) -> str:
    """Return the parts of a Python source that can change a result, one line of text per top-level statement."""
    return effective_tree(ast.parse(source), source)


def effective_tree(tree: ast.Module, source: str) -> str:
    """Return the same for a source that is already parsed."""
    return _Writer(source).text(tree)


class _Writer:
    """Write one tree as text. Nodes that can differ in their effect get different texts."""

    def __init__(self, source: str) -> None:
        self._annotated = any(word in source for word in READERS)
        self._bound = {name for names in BOUND.findall(source) for name in names if name}
        self._in_class = self._in_faults = False
        self._used: set[str] = set()
        self._typing: dict[str, str] = {}
        self._special: dict[type, Callable[[Any], str]] = {
            ast.AnnAssign: self._annotated_assignment,
            ast.Assert: lambda node: f"Assert({self._of(node.test)},{self._message(node.msg)})",
            ast.AsyncFunctionDef: self._function,
            ast.Call: self._call,
            ast.ClassDef: self._class,
            ast.Constant: lambda node: _constant(node.value),
            ast.FunctionDef: self._function,
            ast.ImportFrom: self._import,
            ast.JoinedStr: self._f_string,
            ast.Name: self._name,
        }

    def text(self, tree: ast.Module) -> str:
        """Return the text of a whole source."""
        assigned = {name: node for node in tree.body for name in _assigned(node)}
        member = any(names <= set(assigned) for names in MEMBERS)
        texts, columns = (_texts(tree, assigned), assigned.get("COLUMNS")) if member else (set(), None)
        lines = [
            text
            for node in tree.body
            if node not in texts and (text := self._columns(node) if node is columns else self._statement(node))
        ]
        return "\n".join([*lines, *(text for name, text in sorted(self._typing.items()) if name in self._used)])

    def _columns(self, node: ast.stmt) -> str:
        """Return the columns of a member's table, in their order, without their descriptions."""
        value = getattr(node, "value", None)
        if not isinstance(value, ast.Dict) or not all(isinstance(words, ast.Constant) for words in value.values):
            return self._statement(node)
        return f"Columns({','.join(self._of(key) for key in value.keys)})"

    def _of(self, node: ast.AST | None) -> str:
        if node is None:
            return "None"
        kind = type(node)
        special = self._special.get(kind)
        return special(node) if special is not None else self._plain(node)

    def _plain(self, node: ast.AST, without: tuple[str, ...] = ()) -> str:
        parts = []
        for field in node._fields:
            value = getattr(node, field, None)
            # A field that a version of Python added is empty unless its syntax is used.
            if value is None or value == [] or field in _UNSEEN or field in without:
                continue
            if isinstance(value, list):
                texts = self._statements(value) if isinstance(value[0], ast.stmt) else map(self._item, value)
                parts.append(f"{field}=[{','.join(texts)}]")
            else:
                parts.append(f"{field}={self._item(value)}")
        return f"{type(node).__name__}({' '.join(parts)})"

    def _item(self, value: Any) -> str:
        return self._of(value) if isinstance(value, ast.AST) else _constant(value)

    def _statements(self, nodes: Iterable[ast.stmt]) -> list[str]:
        """Return the texts of the statements that have an effect."""
        return [text for node in nodes if (text := self._statement(node))]

    def _statement(self, node: ast.stmt) -> str:
        if isinstance(node, ast.Pass):
            return ""
        if isinstance(node, ast.If) and _last_name(node.test) == "TYPE_CHECKING" not in self._bound:
            return ",".join(self._statements(node.orelse))
        if isinstance(node, ast.Expr):
            if isinstance(node.value, ast.Constant):
                return ""
            if isinstance(node.value, ast.Call) and self._is_saying(node.value):
                kept = self._said(node.value)
                return f"Expr({kept})" if kept else ""
        return (self._in_faults and self._fault(node)) or self._of(node)

    def _fault(self, node: ast.stmt) -> str:
        """Return the text of a statement that passes a fault to the caller; empty for other statements."""
        match node:
            case ast.Return(value=ast.expr() as value):
                return f"Return({self._sentence(value)})"
            case ast.Expr(value=ast.Yield(value=ast.expr() as value)):
                return f"Yield({self._sentence(value)})"
            case ast.Expr(
                value=ast.Call(func=ast.Attribute(value=ast.Name(), attr="append") as append, args=[value], keywords=[])
            ):
                return f"Call({self._of(append)} {self._sentence(value)})"
            case ast.AugAssign(target=target, op=ast.Add(), value=value):
                return f"AugAssign({self._of(target)} {self._sentence(value)})"
        return ""

    def _sentence(self, node: ast.expr) -> str:
        """Return a text without its words, but record whether it has any: an empty text is not a fault."""
        match node:
            case ast.Constant(value=str(words)):
                return "words" if words else "none"
            case ast.JoinedStr(values=pieces) if any(isinstance(piece, ast.Constant) and piece.value for piece in pieces):
                return f"words({self._message(node)})"
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return f"Add({self._sentence(left)} {self._sentence(right)})"
            case ast.IfExp(test=test, body=body, orelse=other):
                return f"IfExp({self._of(test)} {self._sentence(body)} {self._sentence(other)})"
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                # A fault may be a pair of place and sentence.
                return f"List({','.join(map(self._sentence, elements))})"
            case ast.ListComp(elt=element, generators=loops):
                return f"each({self._sentence(element)} {','.join(map(self._of, loops))})"
        return self._of(node)

    def _name(self, node: ast.Name) -> str:
        self._used.add(node.id)
        return f"Name({_constant(node.id)})"

    def _import(self, node: ast.ImportFrom) -> str:
        if node.level or node.module not in TYPING:
            return self._plain(node)
        for alias in node.names:
            self._typing[alias.asname or alias.name] = f"ImportFrom({node.module} {alias.name} {alias.asname})"
        return ""

    def _f_string(self, node: ast.JoinedStr) -> str:
        """Versions of Python divide the constant pieces of an f-string differently; some add an empty format."""
        parts: list[str] = []
        constant = ""
        for piece in node.values:
            if isinstance(piece, ast.Constant):
                constant += str(piece.value)
                continue
            if constant:
                parts.append(_constant(constant))
            constant = ""
            assert isinstance(piece, ast.FormattedValue)
            form = "" if piece.format_spec is None else self._of(piece.format_spec)
            parts.append(f"({self._of(piece.value)} {piece.conversion} {'' if form == 'JoinedStr()' else form})")
        if constant:
            parts.append(_constant(constant))
        return f"JoinedStr({','.join(parts)})"

    # Annotations.

    def _annotated_assignment(self, node: ast.AnnAssign) -> str:
        if self._in_class or self._annotated or _has_effect(node.annotation):
            return self._plain(node)
        if node.value is None:
            # The annotation makes the name local.
            return self._plain(node, without=("annotation",))
        return f"Assign(targets=[{self._of(node.target)}] value={self._of(node.value)})"

    def _class(self, node: ast.ClassDef) -> str:
        before, self._in_class = self._in_class, True
        text = self._plain(node)
        self._in_class = before
        return text

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
        read = self._annotated or any(_last_name(decorator) not in INDIFFERENT for decorator in node.decorator_list)
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        starred = [argument for argument in (node.args.vararg, node.args.kwarg) if argument is not None]
        annotations = [*(argument.annotation for argument in (*arguments, *starred)), node.returns]
        counted = [f"{place}={self._of(a)}" for place, a in enumerate(annotations) if a is not None and (read or _has_effect(a))]
        before = self._in_class, self._in_faults
        self._in_class, self._in_faults = False, FAULTS.search(node.name) is not None
        names = {
            field: ",".join(argument.arg for argument in getattr(node.args, field))
            for field in ("posonlyargs", "args", "kwonlyargs")
        }
        signature = self._plain(node.args, without=("posonlyargs", "args", "kwonlyargs", "vararg", "kwarg"))
        stars = [node.args.vararg and node.args.vararg.arg, node.args.kwarg and node.args.kwarg.arg]
        rest = self._plain(node, without=("args", "returns"))
        self._in_class, self._in_faults = before
        return f"{rest}{names!a}{stars!a}{signature}{counted}"

    # Texts for users.

    def _call(self, node: ast.Call) -> str:
        called = _dotted(node.func)
        if called in self._bound:
            return self._plain(node)
        if called in ERRORS or called.rpartition(".")[2] in OUR_ERRORS or called in WARNING:
            return f"Call({self._of(node.func)} {self._messages(node.args)} {self._keywords(node)})"
        if self._is_saying(node):
            return f"Say({self._said(node)})"
        described = DESCRIBED.get(_last_name(node))
        if described:
            return f"Call({self._of(node.func)} {','.join(map(self._of, node.args))} {self._keywords(node, described)})"
        return self._plain(node)

    def _keywords(self, node: ast.Call, described: tuple[str, ...] = ()) -> str:
        texts = (
            f"{keyword.arg}={self._message(keyword.value) if keyword.arg in described else self._of(keyword.value)}"
            for keyword in node.keywords
        )
        return ",".join(texts)

    def _is_saying(self, node: ast.Call) -> bool:
        if (called := _dotted(node.func)) not in SAYING or called in self._bound:
            return False
        files = [keyword.value for keyword in node.keywords if keyword.arg in ("file", None)]
        return all(_dotted(file) in STREAMS for file in files)

    def _said(self, node: ast.Call) -> str:
        """Return the expressions in a printed line, except those that are only a variable."""
        values = [*node.args, *(keyword.value for keyword in node.keywords if keyword.arg != "file")]
        return self._messages(value for value in values if not isinstance(value, ast.Name | ast.Constant))

    def _messages(self, nodes: Iterable[ast.expr]) -> str:
        return ",".join(text for node in nodes if (text := self._message(node)))

    def _message(self, node: ast.expr | None) -> str:
        """Return the expressions in a text, without its words."""
        match node:
            case None | ast.Constant(value=str()):
                return ""
            case ast.JoinedStr():
                return self._messages(_pieces(node))
            case ast.BinOp(left=left, op=ast.Add() | ast.Mult(), right=right):
                return self._messages([left, right])
            case ast.BinOp(left=ast.Constant(value=str()), op=ast.Mod(), right=right):
                return self._message(right)
            case ast.IfExp(test=test, body=body, orelse=other):
                return f"IfExp({self._of(test)} {self._message(body)} {self._message(other)})"
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                return f"[{self._messages(elements)}]"
            case ast.ListComp(elt=element, generators=loops) | ast.GeneratorExp(elt=element, generators=loops):
                return f"each({self._message(element)} {','.join(map(self._of, loops))})"
            case ast.Starred(value=value):
                return self._message(value)
            case ast.Call(func=ast.Attribute(value=ast.Constant(value=str()), attr="join"), args=[joined], keywords=[]):
                return self._message(joined)
        return self._of(node)


def _pieces(node: ast.JoinedStr) -> Iterator[ast.expr]:
    """Yield the expressions in an f-string, except those that are only a variable."""
    for piece in node.values:
        if isinstance(piece, ast.FormattedValue):
            if not isinstance(piece.value, ast.Name):
                yield piece.value
            if isinstance(piece.format_spec, ast.JoinedStr):
                yield from _pieces(piece.format_spec)


def _constant(value: object) -> str:
    """Return a constant in ASCII: the printable characters differ between versions of Python."""
    if isinstance(value, int) and not isinstance(value, bool):
        return hex(value)
    return ascii(value)


def _dotted(node: ast.expr) -> str:
    """Return `a.b.c` of names and attributes, empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return ""


def _last_name(node: ast.expr) -> str:
    """Return the last part of the name of a called function, or of a decorator with or without arguments."""
    if isinstance(node, ast.Call):
        node = node.func
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _has_effect(node: ast.AST) -> bool:
    return any(isinstance(part, _EFFECTS) for part in ast.walk(node))


def _texts(tree: ast.Module, assigned: Mapping[str, ast.stmt]) -> set[ast.stmt]:
    """Return the assignments of a member's descriptions (`TEXTS`) that are not used elsewhere in its file."""
    texts = TEXTS_OF_METRICS if "MEASURED" in assigned else TEXTS
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return {node for name, node in assigned.items() if name in texts - used and not _has_effect(node)}


def _assigned(node: ast.stmt) -> list[str]:
    """Return the name that a statement assigns to, if it is the only target."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [targets[0].id] if len(targets) == 1 and isinstance(targets[0], ast.Name) else []
