"""`where=`: which combinations a sweep keeps, as a function of the cell or as text.

Text is what a file can hold: `motion_strength < 5 or model == "1min/luma"`. It is read as an expression of
comparisons, `and`, `or`, `not` and arithmetic over the names of the cell; nothing else of Python is understood, so a
file from somebody else cannot do anything.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

from vidnb.display.page import shortened
from vidnb.errors import ConfigError

Values = Mapping[str, Any]
Condition = Callable[[Values], bool]

_COMPARE: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge, ast.In: lambda a, b: a in b, ast.NotIn: lambda a, b: a not in b,
}  # fmt: skip
_COUNT: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Mod: operator.mod,
}  # fmt: skip


def condition(where: str | Condition | None) -> Condition | None:
    """Return the function that says whether a cell is kept; None for all.

    Args:
        where: a function of the cell (a dict of its values by name), text, or None.

    Raises:
        ConfigError: the text is no such expression.
    """
    if where is None:
        return None
    if not isinstance(where, str):
        if not callable(where):
            raise ConfigError(f"where={where!r}: give text such as 'seed > 3', or a function of the cell")
        return where
    try:
        tree = ast.parse(where.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        why = getattr(error, "msg", None) or error  # not its line number: there is no file
        raise ConfigError(f"where={shortened(repr(where), 80)} cannot be read: {why}") from None
    _check(tree, where)
    return lambda cell: bool(_value(tree, cell))


def kept(keeps: Condition, cell: Values) -> bool:
    """Return whether a condition keeps a cell.

    Raises:
        ConfigError: it is a function of a person's own, and that failed.
    """
    try:
        return bool(keeps(cell))
    except ConfigError:
        raise
    except Exception as error:
        shown = ", ".join(f"{name}={value!r}" for name, value in cell.items())
        raise ConfigError(f"where= failed with {type(error).__name__}: {error}, for the cell {shown}") from error


def _check(node: ast.AST, where: str) -> None:
    allowed = (
        ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.Compare, ast.BinOp, ast.Name, ast.Load,
        ast.Constant, ast.List, ast.Tuple, *_COMPARE, *_COUNT,
    )  # fmt: skip
    for part in ast.walk(node):
        if not isinstance(part, allowed):
            raise ConfigError(
                f"where={shortened(repr(where), 80)}: {type(part).__name__} is not understood; write comparisons of "
                "names and values, joined by and, or, not, as in 'seed < 5 or model == \"1min/luma\"'"
            )


def _value(node: ast.AST, cell: Values) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            if name not in cell:
                raise ConfigError(f"where: there is no {name!r} in the sweep; it has {', '.join(cell)}")
            return cell[name]
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_value(item, cell) for item in items]
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_value(value, cell) for value in values)
        case ast.BoolOp(values=values):
            return any(_value(value, cell) for value in values)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _value(operand, cell)
        case ast.UnaryOp(operand=operand):
            return -_value(operand, cell)
        case ast.BinOp(left=left, op=op, right=right):
            return _counted(_COUNT[type(op)], _value(left, cell), _value(right, cell))
        case ast.Compare(left=left, ops=ops, comparators=others):
            before = _value(left, cell)
            for kind, other in zip(ops, others, strict=True):
                after = _value(other, cell)
                if not _applied(_COMPARE[type(kind)], before, after):
                    return False
                before = after
            return True
    raise ConfigError(f"where: {type(node).__name__} is not understood")


def _applied(do: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
    """Return the outcome for two values; one that is not there (None) fulfils no comparison of size."""
    try:
        return do(left, right)
    except TypeError:
        return False
    except (ArithmeticError, ValueError) as error:
        raise ConfigError(f"where: {error}") from None


def _counted(do: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
    """Return the result of arithmetic, which is for numbers only: a text repeated often would fill the memory."""
    for side in (left, right):
        if not isinstance(side, int | float):
            raise ConfigError(f"where: {side!r} is not a number, so nothing can be computed with it")
    return _applied(do, left, right)
