"""The signature of a function in a file of Python source, read from its syntax tree: the file is not run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Optional, Union

from kerasexp.config.code_reference import parsed
from kerasexp.errors import closest, listing

# What annotations may consist of; any other one is not checked.
_NAMES: dict[str, Any] = {
    "int": int, "float": float, "str": str, "bool": bool, "None": None, "list": list, "dict": dict, "tuple": list,
    "Any": Any, "Path": str, "Sequence": list, "Mapping": dict, "List": list, "Dict": dict, "Tuple": list,
}  # fmt: skip
_UNREADABLE = object()


@dataclass(frozen=True)
class Parameter:
    """A parameter of a function.

    Attributes:
        type: what its values are checked against; Any if it has no annotation, or one of other things than plain values.
        written: its annotation, as it is written.
        required: whether it has no default.
        default: plain values only; None if it is `required` or not `readable`.
        readable: whether the default could be read without running the file.
        is_path: whether the annotation is `Path`: a file or folder that is looked for as `data.path` is.
    """

    type: Any
    written: str
    required: bool
    default: Any
    readable: bool
    is_path: bool


@dataclass(frozen=True)
class Signature:
    """The parameters of a function in their order, and whether it takes any other by `**`.

    Of a class these are the parameters of its `__init__`, without `self`.
    """

    positional: tuple[str, ...]
    parameters: dict[str, Parameter]
    takes_any: bool

    def keys(self, leading: int) -> dict[str, Parameter]:
        """Return the parameters after the first ones, which an experiment may give as keys."""
        return {name: parameter for name, parameter in self.parameters.items() if name not in self.positional[:leading]}


def read_signature(source: bytes, file: Path, function: str) -> Signature:
    """Return the signature of a function or class that a file defines.

    Raises:
        ValueError: the file is not Python, or does not define it at its top level.
    """
    tree = parsed(source, file)
    defined = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    node = defined.get(function)
    if node is None:
        there = f"; it defines {listing(defined)}" if defined else ""
        raise ValueError(f"{file.name} defines no function {function!r}{closest(function, defined)}{there}")
    if not isinstance(node, ast.ClassDef):
        return _signature(node.args, _constants(tree), 0, node.args.kwarg is not None)
    made = next((n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)
    # The ** of a class of layers or losses takes what the base class has, such as a dtype.
    return Signature((), {}, False) if made is None else _signature(made.args, _constants(tree), 1, False)


def _signature(arguments: ast.arguments, constants: dict[str, Any], skipped: int, takes_any: bool) -> Signature:
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(positional) - len(arguments.defaults)) + arguments.defaults
    pairs = [*zip(positional, defaults, strict=True)][skipped:]
    pairs += zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    parameters = {argument.arg: _parameter(argument, default, constants) for argument, default in pairs}
    return Signature(tuple(argument.arg for argument in positional[skipped:]), parameters, takes_any)


def _parameter(argument: ast.arg, default: ast.expr | None, constants: dict[str, Any]) -> Parameter:
    annotation = argument.annotation
    value = None if default is None else _value(default, constants)
    readable = value is not _UNREADABLE
    return Parameter(
        Any if annotation is None else _type(annotation),
        "" if annotation is None else ast.unparse(annotation).strip("'\""),
        default is None,
        value if readable else None,
        readable,
        annotation is not None and any(_last_name(part) == "Path" for part in ast.walk(annotation)),
    )


def _constants(tree: ast.Module) -> dict[str, Any]:
    """Return the plain values that names of the module are set to."""
    found: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            value = _value(node.value, found)
            found |= {target.id: value for target in targets if isinstance(target, ast.Name)}
    return {name: value for name, value in found.items() if value is not _UNREADABLE}


def _value(node: ast.expr, constants: dict[str, Any]) -> Any:
    if isinstance(node, ast.Name):
        return constants.get(node.id, _UNREADABLE)
    try:
        return _plain(ast.literal_eval(node))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return _UNREADABLE


def _plain(value: Any) -> Any:
    """Return a literal as YAML can hold it; raise ValueError for others, such as bytes and sets."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _plain(item) for key, item in value.items()}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ValueError


def _last_name(node: ast.AST) -> str | None:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else None


def _type(node: ast.expr) -> Any:
    """Return the type that an annotation stands for, Any for what is not known here."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            try:
                return _type(ast.parse(node.value, mode="eval").body)
            except SyntaxError:
                return Any
        return None if node.value is None else Any
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return Union[_type(node.left), _type(node.right)]  # noqa: UP007 (a | b fails for Any)
    if isinstance(node, ast.Subscript):
        return _generic(_last_name(node.value), list(_parts(node.slice)))
    return _NAMES.get(_last_name(node) or "", Any)


def _parts(node: ast.expr) -> Iterator[ast.expr]:
    yield from node.elts if isinstance(node, ast.Tuple) else (node,)


def _generic(name: str | None, parts: list[ast.expr]) -> Any:
    if name == "Literal":
        values = [_value(part, {}) for part in parts]
        return (
            Any if any(isinstance(value, list | dict) or value is _UNREADABLE for value in values) else Literal[*values]
        )
    if name == "Annotated":
        return _type(parts[0])
    types = [_type(part) for part in parts]
    if name == "Optional":
        return Optional[types[0]]  # noqa: UP045
    if name == "Union":
        return Union[tuple(types)]  # noqa: UP007
    if _NAMES.get(name or "") is dict:
        return dict[str, types[1]] if len(types) == 2 and types[0] is str else dict
    if _NAMES.get(name or "") is list:
        items = [
            t
            for part, t in zip(parts, types, strict=True)
            if not (isinstance(part, ast.Constant) and part.value is ...)
        ]
        return list[Union[tuple(items)]] if items else list  # noqa: UP007
    return Any
