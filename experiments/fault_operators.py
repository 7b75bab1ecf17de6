"""Eight ways to break a line of Python, as changes of the exact span of its text.

Left alone are docstrings and other texts, type annotations, what is under `TYPE_CHECKING`,
`__all__`, assertions (they guard against our own bugs), and the message of an error that is raised.
"""

import ast
import random
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

OPERATORS = (
    "comparison",  # < becomes <=, > becomes >=, or the direction turns
    "equality",  # == becomes !=, is becomes is not, in becomes not in, and back
    "arithmetic",  # + becomes -, * becomes /, and back
    "logic",  # and becomes or, and back; not is dropped
    "integer",  # a whole number is one more or one less
    "branch",  # the condition of an if is negated; return, raise, continue or break is passed over
    "argument",  # a keyword argument is left out; a parameter's default is used for its value
    "constant",  # min and max, any and all, True and False exchanged; a decimal number scaled
)

_TURNED = {"<": ("<=", ">"), "<=": ("<", ">="), ">": (">=", "<"), ">=": (">", "<=")}
_UNEQUAL = {"==": "!=", "!=": "==", "is": "is not", "is not": "is", "in": "not in", "not in": "in"}
_ARITHMETIC = {"+": "-", "-": "+", "*": "/", "/": "*", "//": "*", "**": "*", "@": "*"}
_EXCHANGED = {"min": "max", "max": "min", "any": "all", "all": "any"}
_SYMBOLS = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
    ast.Eq: "==", ast.NotEq: "!=", ast.Is: "is", ast.IsNot: "is not",
    ast.In: "in", ast.NotIn: "not in",
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Pow: "**",
    ast.And: "and", ast.Or: "or",
}  # fmt: skip
_TEXTS = ("help", "title", "metavar", "name", "description", "label", "short_help", "color")


@dataclass(frozen=True)
class Fault:
    """One change of one file.

    Attributes:
        operator: One of `OPERATORS`.
        start: First byte of the file that is replaced.
        end: The byte after the last one.
        after: What takes its place.
        line: Where it is, counted from 1.
        lines: First and last line of the statement it is in, without the statements inside it.
    """

    operator: str
    start: int
    end: int
    after: str
    line: int
    lines: tuple[int, int]

    def plant(self, source: bytes) -> bytes:
        """Return the file with the fault in it."""
        return source[: self.start] + self.after.encode() + source[self.end :]


def faults_in(path: Path) -> list[Fault]:
    """Return every fault the operators can plant in a file, also those that do not compile."""
    source = path.read_bytes()
    return list(_Reader(source).found(ast.parse(source)))


def compiles(source: bytes, fault: Fault) -> bool:
    """Whether the planted file is Python, and another program than before."""
    planted = fault.plant(source)
    try:
        with warnings.catch_warnings(action="ignore"):
            compile(planted, "planted", "exec")
    except (SyntaxError, ValueError):
        return False
    return ast.dump(ast.parse(planted)) != ast.dump(ast.parse(source))


class _Reader:
    """Walks the tree of one file."""

    def __init__(self, source: bytes):
        self._source = source
        lengths = [len(line) for line in source.splitlines(keepends=True)]
        self._line_starts = [sum(lengths[:i]) for i in range(len(lengths) + 1)] if lengths else [0]
        self._statement: ast.stmt | None = None

    def found(self, node: ast.AST, defaults: dict[str, str] | None = None) -> Iterator[Fault]:
        if isinstance(node, ast.stmt):
            outer, self._statement = self._statement, node
        if not self._left_alone(node):
            yield from self._at(node, defaults or {})
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                defaults = self._defaults(node.args)
            for child in self._children(node):
                yield from self.found(child, defaults)
        if isinstance(node, ast.stmt):
            self._statement = outer

    def _left_alone(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Assert | ast.Import | ast.ImportFrom):
            return True
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return True  # a docstring
        if isinstance(node, ast.If):
            return "TYPE_CHECKING" in ast.dump(node.test)
        if isinstance(node, ast.Assign):
            return any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets)
        return isinstance(node, ast.JoinedStr)

    def _children(self, node: ast.AST) -> Iterator[ast.AST]:
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "type_params"):
                continue
            if isinstance(node, ast.Raise):
                continue  # its message
            for child in value if isinstance(value, list) else [value]:
                if name == "decorator_list" and "dataclass" in ast.dump(child):
                    continue
                if isinstance(child, ast.keyword) and child.arg in _TEXTS:
                    continue
                if isinstance(child, ast.AST):
                    yield child

    def _at(self, node: ast.AST, defaults: dict[str, str]) -> Iterator[Fault]:
        if isinstance(node, ast.Compare):
            yield from self._compared(node)
        elif isinstance(node, ast.BinOp) and type(node.op) in _SYMBOLS:
            if not any(_is_text(side) for side in (node.left, node.right)):
                symbol = _SYMBOLS[type(node.op)]
                after = _ARITHMETIC[symbol]
                yield from self._between(node.left, node.right, symbol, after, "arithmetic")
        elif isinstance(node, ast.AugAssign) and type(node.op) in _SYMBOLS:
            if not _is_text(node.value):
                symbol = _SYMBOLS[type(node.op)]
                after = _ARITHMETIC[symbol] + "="
                yield from self._between(node.target, node.value, symbol + "=", after, "arithmetic")
        elif isinstance(node, ast.BoolOp):
            symbol = _SYMBOLS[type(node.op)]
            after = "or" if symbol == "and" else "and"
            for left, right in zip(node.values, node.values[1:], strict=False):
                yield from self._between(left, right, symbol, after, "logic")
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            start = self._start(node)
            yield self._fault("logic", start, self._start(node.operand), "", node.lineno)
        elif isinstance(node, ast.If | ast.IfExp):
            yield self._negated(node.test)
        elif isinstance(node, ast.comprehension):
            yield from (self._negated(test) for test in node.ifs)
        elif isinstance(node, ast.Raise | ast.Continue | ast.Break):
            yield self._replaced("branch", node, "pass")
        elif isinstance(node, ast.Call):
            yield from self._called(node)
        elif isinstance(node, ast.Constant):
            yield from self._constant(node)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in defaults:
            yield self._replaced("argument", node, defaults[node.id])
        if isinstance(node, ast.If):
            last = node.body[-1]
            if isinstance(last, ast.Return):  # an early one
                yield self._replaced("branch", last, "pass")

    def _compared(self, node: ast.Compare) -> Iterator[Fault]:
        terms = [node.left, *node.comparators]
        for op, left, right in zip(node.ops, terms, terms[1:], strict=False):
            symbol = _SYMBOLS[type(op)]
            for after in _TURNED.get(symbol, ()):
                yield from self._between(left, right, symbol, after, "comparison")
            if symbol in _UNEQUAL:
                yield from self._between(left, right, symbol, _UNEQUAL[symbol], "equality")

    def _called(self, node: ast.Call) -> Iterator[Fault]:
        function = node.func
        name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
        if name in _EXCHANGED:
            end = self._end(function)
            start = end - len(name)
            yield self._fault("constant", start, end, _EXCHANGED[name], function.end_lineno)
        for keyword in node.keywords:
            if keyword.arg is None or keyword.arg in _TEXTS:
                continue
            start, end = self._start(keyword), self._end(keyword)
            # with the comma behind it, or the one before it
            if behind := re.match(rb"\s*,\s*", self._source[end:]):
                end += behind.end()
            elif before := re.search(rb",\s*$", self._source[:start]):
                start = before.start()
            yield self._fault("argument", start, end, "", keyword.lineno)

    def _constant(self, node: ast.Constant) -> Iterator[Fault]:
        value = node.value
        if isinstance(value, bool):
            yield self._replaced("constant", node, str(not value))
        elif isinstance(value, int):
            yield self._replaced("integer", node, str(value + 1))
            if value > 0:
                yield self._replaced("integer", node, str(value - 1))
        elif isinstance(value, float) and value != 0:
            yield self._replaced("constant", node, repr(value * 2))
            yield self._replaced("constant", node, repr(value / 10))

    def _negated(self, test: ast.expr) -> Fault:
        return self._replaced("branch", test, f"not ({self._text(test)})")

    def _replaced(self, operator: str, node: ast.AST, after: str) -> Fault:
        return self._fault(operator, self._start(node), self._end(node), after, node.lineno)

    def _between(self, left, right, symbol: str, after: str, operator: str) -> Iterator[Fault]:
        start, end = self._end(left), self._start(right)
        word = r"\b" if symbol[0].isalpha() else ""
        pattern = word + re.escape(symbol).replace(r"\ ", r"\s+") + word
        # parentheses and comments may stand there as well
        text = re.sub(rb"#[^\n]*", lambda m: b" " * len(m[0]), self._source[start:end])
        if place := re.search(pattern.encode(), text):
            line = self._source[: start + place.start()].count(b"\n") + 1
            yield self._fault(operator, start + place.start(), start + place.end(), after, line)

    def _fault(self, operator: str, start: int, end: int, after: str, line: int) -> Fault:
        return Fault(operator, start, end, after, line, _lines(self._statement))

    def _defaults(self, args: ast.arguments) -> dict[str, str]:
        positional = [*args.posonlyargs, *args.args]
        pairs = list(zip(positional[::-1], args.defaults[::-1], strict=False))
        pairs += [(a, d) for a, d in zip(args.kwonlyargs, args.kw_defaults, strict=True) if d]
        return {argument.arg: self._text(default) for argument, default in pairs}

    def _start(self, node: ast.AST) -> int:
        return self._line_starts[node.lineno - 1] + node.col_offset

    def _end(self, node: ast.AST) -> int:
        return self._line_starts[node.end_lineno - 1] + node.end_col_offset

    def _text(self, node: ast.AST) -> str:
        return self._source[self._start(node) : self._end(node)].decode()


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
    )


def _lines(statement: ast.stmt) -> tuple[int, int]:
    """Return the lines of a statement's own text, up to the first statement inside it."""
    inside = [child for name in ("body", "cases") for child in getattr(statement, name, [])]
    last = statement.end_lineno
    if inside:
        first = min(getattr(child, "lineno", last) for child in inside)
        last = max(statement.lineno, first - 1)
    return statement.lineno, last


def draw(root: Path, packages, count: int | None, lines_each: int, seed: int):
    """Draw faults: one from each stretch of the sources, the operators taking turns.

    The files are laid end to end in the order of their names and cut into as many equal
    stretches as there are faults, so that each file gets its share. An operator that finds no
    place in its stretch leaves it to the next one.

    Returns:
        `(path from the root, fault)` for each, in the order of the files.
    """
    files = [p for package in packages for p in sorted((root / package).rglob("*.py"))]
    starts, total = {}, 0
    for path in files:
        starts[path] = total
        total += path.read_bytes().count(b"\n")
    count = total // lines_each if count is None else count
    rng = random.Random(seed)
    turns: list[str] = []
    places = {path: faults_in(path) for path in files}
    drawn = []
    for k in range(count):
        low, high = k * total / count, (k + 1) * total / count
        here = [
            (path, fault)
            for path in files
            for fault in places[path]
            if low <= starts[path] + fault.line - 1 < high
        ]
        if len(turns) < len(OPERATORS):
            turns += rng.sample(OPERATORS, len(OPERATORS))
        for operator in list(turns):
            fitting = [(path, fault) for path, fault in here if fault.operator == operator]
            rng.shuffle(fitting)
            chosen = next((pf for pf in fitting if compiles(pf[0].read_bytes(), pf[1])), None)
            if chosen is not None:
                turns.remove(operator)
                drawn.append((str(chosen[0].relative_to(root)), chosen[1]))
                break
    return drawn
