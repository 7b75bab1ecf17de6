"""Conditions on the rows of a table, such as "parameters < 15e6 and status == 'done'".

The text comes from a command line or a file, so it is read by a grammar of its own: columns,
numbers, text, comparisons, arithmetic, and, or, not. There are no calls, no attributes and no names
but the columns, so a condition can look at the table and do nothing else.
"""

import ast
import operator
from collections.abc import Callable, Iterable
from functools import reduce
from typing import Any

import pandas as pd

from search_spaces.errors import InvalidExperiment, UnknownName

_COMPARISONS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.In: lambda column, values: column.isin(values),
    ast.NotIn: lambda column, values: ~column.isin(values) & column.notna(),
}
_ARITHMETIC: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
# pandas writes & and | where Python writes and and or; both are understood.
_JOINS: dict[type, Callable[[Any, Any], Any]] = {
    ast.And: operator.and_,
    ast.Or: operator.or_,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
}
_LONGEST = 1_000  # characters; a deeper tree than people write would exhaust the recursion


def rows_where(table: pd.DataFrame, *conditions: str) -> pd.DataFrame:
    """Return the rows of `table` for which every one of `conditions` holds.

    A comparison with a missing value does not hold.

    Raises:
        UnknownName: A condition names no column; the message suggests the near one.
        InvalidExperiment: The text is no condition.
    """
    keep = pd.Series(data=True, index=table.index)
    for condition in conditions:
        keep &= _holds(table, condition)
    return table[keep.to_numpy()]


def as_conditions(conditions: str | Iterable[str]) -> tuple[str, ...]:
    """Return one condition, or several, as a tuple."""
    return (conditions,) if isinstance(conditions, str) else tuple(conditions)


def _holds(table: pd.DataFrame, text: str) -> pd.Series:
    if not isinstance(text, str) or len(text) > _LONGEST:
        raise _no_condition(text, f"it must be text of at most {_LONGEST} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = str(getattr(error, "msg", error))
        if "=" in text and "==" not in text:
            reason += "; equality is written with =="
        raise _no_condition(text, reason) from None
    found = _Reader(table, text).truth(tree)
    return found.fillna(value=False).astype(bool)


def _no_condition(text: object, reason: str) -> InvalidExperiment:
    return InvalidExperiment(
        f"{text!r} is no condition: {reason}. Write for instance "
        "'glue > 0.6 and parameters < 2e5', or \"status == 'done'\"."
    )


class _Reader:
    """Reads one condition over one table."""

    def __init__(self, table: pd.DataFrame, text: str):
        self._table, self._text = table, text

    def truth(self, node: ast.expr) -> pd.Series:
        """Return which rows `node` holds for."""
        if isinstance(node, ast.BoolOp):
            return reduce(_JOINS[type(node.op)], map(self.truth, node.values))
        if isinstance(node, ast.BinOp) and type(node.op) in _JOINS:
            return _JOINS[type(node.op)](self.truth(node.left), self.truth(node.right))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.Invert):
            return ~self.truth(node.operand)
        if isinstance(node, ast.Compare):
            terms = [node.left, *node.comparators]
            pairs = zip(node.ops, terms, terms[1:], strict=False)
            return reduce(operator.and_, (self._compare(*pair) for pair in pairs))
        raise self._refuse(node, "compare something, as in glue > 0.6")

    def _compare(self, how: ast.cmpop, left: ast.expr, right: ast.expr) -> pd.Series:
        compare = _COMPARISONS.get(type(how))
        if compare is None:
            raise self._refuse(left, "use <, <=, >, >=, ==, !=, in or not in")
        if isinstance(how, ast.In | ast.NotIn):
            if not isinstance(right, ast.List | ast.Tuple | ast.Set):
                raise self._refuse(right, "after in comes a list, as in status in ['done']")
            values: Any = [self._constant(item) for item in right.elts]
        else:
            values = self._value(right)
        column = self._value(left)
        if not isinstance(column, pd.Series) and not isinstance(values, pd.Series):
            raise self._refuse(left, "it names no column")
        try:
            found = compare(column, values)
        except (TypeError, AttributeError):
            raise self._refuse(left, "text and numbers cannot be compared") from None
        if isinstance(how, ast.NotEq):
            # A missing value is not equal to anything, but it is not known to differ either.
            for side in (column, values):
                found = found & side.notna() if isinstance(side, pd.Series) else found
        # One type for all comparisons, so that a missing value stays neither true nor false.
        return found.astype("boolean").fillna(value=False)

    def _value(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Name):
            if node.id not in self._table.columns:
                raise UnknownName("column", node.id, self._table.columns)
            return self._table[node.id]
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -self._number(node.operand)
        if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            left, right = self._number(node.left), self._number(node.right)
            try:
                return _ARITHMETIC[type(node.op)](left, right)
            except ZeroDivisionError:
                raise self._refuse(node, "that is a division by zero") from None
        if isinstance(node, ast.BinOp) and type(node.op) in _JOINS:
            raise self._refuse(node, "put comparisons around & and | into parentheses")
        return self._constant(node)

    def _number(self, node: ast.expr) -> Any:
        value = self._value(node)
        numeric = pd.api.types.is_numeric_dtype(value.dtype) if hasattr(value, "dtype") else True
        if isinstance(value, str) or not numeric:
            raise self._refuse(node, "text cannot be reckoned with")
        return value

    def _constant(self, node: ast.expr) -> Any:
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            value = self._constant(node.operand)
            if not isinstance(value, str):
                return -value
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float | str):
            return node.value
        raise self._refuse(node, "only columns, numbers and text are allowed")

    def _refuse(self, node: ast.expr, reason: str) -> InvalidExperiment:
        part = ast.get_source_segment(self._text.strip(), node) or self._text
        return _no_condition(self._text, f"at {part!r}: {reason}")
