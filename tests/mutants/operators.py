"""The bugs that can be planted in a source: each is one small edit of one expression or statement."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
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
}
CHOSEN: dict[type[ast.boolop], type[ast.boolop]] = {ast.And: ast.Or, ast.Or: ast.And}
COUNTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
}
RENAMED = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list", "reversed": "list"}
OPERATOR_LOG = ("operator_log.", "operator_log().", "log.")  # what is told to nobody but the operators of the program
TIMES = ("_S", "_S_MAX", "_S_MIN")  # what a module calls so is a time of the author's choice
LIMIT = 16  # of a larger number of the author's choice, one more or less is as good
CHARS_SHOWN, CHARS_AROUND = 160, 50
LEAVES = (ast.Return, ast.Continue, ast.Break, ast.Raise)


class Bug(NamedTuple):
    """One edit: in the file at `path`, bytes `start` to `end` become `wrong`. No line moves by it.

    `when_imported` is true where it is no function that runs the code, but the import of its module.
    """

    path: Path
    line: int
    start: int
    end: int
    wrong: str
    when_imported: bool

    def planted(self, source: bytes) -> bytes:
        """Return the source with the bug in it."""
        return source[: self.start] + self.wrong.encode() + source[self.end :]

    def difference(self, source: bytes) -> tuple[str, str]:
        """Return what the lines it touches said, and what they say now, each as one line; long ones are cut."""
        first, last = source.rfind(b"\n", 0, self.start) + 1, source.find(b"\n", self.end)
        edited = source[first : self.start] + self.wrong.encode() + source[self.end : last]
        return _cut(_one_line(source[first:last]), _one_line(edited))


class _Edit(NamedTuple):
    """What takes the place of a node; or, where it is None, of one of its keywords nothing does."""

    node: ast.AST
    wrong: ast.AST | None
    when_imported: bool


def bugs_of(path: Path) -> list[Bug]:
    """Return every bug that can be planted in a file, in the order of its lines."""
    source = path.read_bytes()
    starts = _line_starts(source)
    found: dict[bytes, Bug] = {}
    for edit in _edits(ast.parse(source)):
        bug = _bug(path, source, starts, edit)
        found.setdefault(bug.planted(source), bug)
    return sorted((bug for edited, bug in found.items() if _is_python(edited)), key=lambda bug: (bug.line, bug.start))


def _bug(path: Path, source: bytes, starts: list[int], edit: _Edit) -> Bug:
    node = edit.node
    assert isinstance(node, ast.expr | ast.stmt | ast.keyword)
    assert node.end_lineno is not None and node.end_col_offset is not None
    start = starts[node.lineno - 1] + node.col_offset
    end = starts[node.end_lineno - 1] + node.end_col_offset
    if edit.wrong is None:
        end += source[end:].startswith(b",")
        text = "\n" * source[start:end].count(b"\n")
    else:
        text = _text(edit.wrong, missing=node.end_lineno - node.lineno)
    return Bug(path, node.lineno, start, end, text, edit.when_imported)


def _text(wrong: ast.AST, *, missing: int) -> str:
    """Return the source of an edit, with as many line ends as what it replaces had."""
    text = ast.unparse(wrong)
    missing -= text.count("\n")
    if isinstance(wrong, ast.stmt):
        return text + "\n" * missing
    if missing <= 0 and isinstance(wrong, ast.Constant | ast.Name | ast.Call | ast.Attribute):
        return text
    return "(" + text + "\n" * missing + ")"


def _edits(tree: ast.AST) -> Iterator[_Edit]:
    """Yield what can be edited; nothing in what is not run, or only read by people."""
    for node, when_imported in _living(tree, True):
        for kind, edit in EDITS.items():
            if isinstance(node, kind):
                yield from (_Edit(node, wrong, when_imported) for wrong in edit(node))
        if isinstance(node, ast.Call):
            yield from (_Edit(keyword, None, when_imported) for keyword in node.keywords if not _asserts(node, keyword))


def _living(node: ast.AST, when_imported: bool) -> Iterator[tuple[ast.AST, bool]]:
    """Yield the nodes in which a bug would be one: no assertions, annotations, patterns, decorators, texts."""
    if isinstance(node, ast.Assert | ast.JoinedStr | ast.pattern) or _is_told_only(node) or _is_for_types(node):
        return
    if isinstance(node, ast.BinOp) and _is_number(node):  # a limit, as 16 * 1024
        return
    if isinstance(node, ast.Assign) and when_imported and ast.unparse(node.targets[0]).endswith(TIMES):
        return  # as good a little longer or shorter; tests wait for what comes, or set a time of their own
    yield node, when_imported
    is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "bases") or (
            isinstance(node, ast.ClassDef) and name == "keywords"
        ):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(node, ast.Call) and isinstance(child, ast.keyword) and _asserts(node, child):
                continue
            if isinstance(child, ast.AST):
                yield from _living(child, when_imported and not (is_function and name == "body"))


def _is_told_only(node: ast.AST) -> bool:
    if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call | ast.Constant)):
        return False
    return isinstance(node.value, ast.Constant) or ast.unparse(node.value.func).startswith(OPERATOR_LOG)


def _asserts(call: ast.Call, keyword: ast.keyword) -> bool:
    """Whether a keyword only asserts what holds, or names a thread for whoever looks at it with a debugger."""
    return (ast.unparse(call.func), keyword.arg) in (("zip", "strict"), ("threading.Thread", "name"))


def _is_number(node: ast.AST) -> bool:
    if isinstance(node, ast.BinOp):
        return _is_number(node.left) and _is_number(node.right)
    return isinstance(node, ast.Constant)


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


# Each kind of edit ------------------------------------------------------------------------------------------


def _comparison(node: ast.Compare) -> Iterator[ast.AST]:
    for place, operator in enumerate(node.ops):
        operators = [*node.ops[:place], COMPARED[type(operator)](), *node.ops[place + 1 :]]
        yield ast.Compare(node.left, operators, node.comparators)


def _choice(node: ast.BoolOp) -> Iterator[ast.AST]:
    yield ast.BoolOp(CHOSEN[type(node.op)](), node.values)
    for place in range(len(node.values)):
        rest = [*node.values[:place], *node.values[place + 1 :]]
        yield rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)


def _negation(node: ast.UnaryOp) -> Iterator[ast.AST]:
    if isinstance(node.op, ast.Not):
        yield node.operand


def _arithmetic(node: ast.BinOp) -> Iterator[ast.AST]:
    is_text = any(isinstance(side, ast.Constant) and isinstance(side.value, str) for side in (node.left, node.right))
    if (swapped := COUNTED.get(type(node.op))) and not is_text:
        yield ast.BinOp(node.left, swapped(), node.right)


def _constant(node: ast.Constant) -> Iterator[ast.AST]:
    if isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node.value, int | float) and abs(node.value) < LIMIT:
        yield ast.Constant(node.value + 1)
        if node.value >= 1:
            yield ast.Constant(node.value - 1)


def _branches(node: ast.IfExp) -> Iterator[ast.AST]:
    yield node.body
    yield node.orelse


def _call(node: ast.Call) -> Iterator[ast.AST]:
    if isinstance(node.func, ast.Name) and node.func.id in RENAMED:
        keywords = [] if RENAMED[node.func.id] == "list" else node.keywords
        yield ast.Call(ast.Name(RENAMED[node.func.id]), node.args, keywords)
    if len(node.args) > 1 and _is_alike(*node.args[:2]):
        yield ast.Call(node.func, [node.args[1], node.args[0], *node.args[2:]], node.keywords)


def _is_alike(one: ast.expr, other: ast.expr) -> bool:
    is_same = ast.dump(one) == ast.dump(other)
    return type(one) is type(other) and not isinstance(one, ast.Starred) and not is_same


def _filter(node: ast.ListComp | ast.SetComp | ast.GeneratorExp) -> Iterator[ast.AST]:
    for place, part in enumerate(node.generators):
        if part.ifs:
            every = ast.comprehension(part.target, part.iter, [], part.is_async)
            yield type(node)(node.elt, [*node.generators[:place], every, *node.generators[place + 1 :]])


def _guard(node: ast.If) -> Iterator[ast.AST]:
    if isinstance(node.body[-1], LEAVES) and not node.orelse:
        yield ast.Pass()


def _nothing_returned(node: ast.Return) -> Iterator[ast.AST]:
    is_nothing = isinstance(node.value, ast.Constant) and not node.value.value
    if node.value is not None and not is_nothing and ast.unparse(node.value) not in ("()", "[]", "{}"):
        yield ast.Return(ast.Constant(None))


def _gone(node: ast.stmt) -> Iterator[ast.AST]:
    yield ast.Pass()


def _statement(node: ast.Expr) -> Iterator[ast.AST]:
    if isinstance(node.value, ast.Call | ast.Await | ast.Yield | ast.YieldFrom):
        yield ast.Pass()


def _added(node: ast.AugAssign) -> Iterator[ast.AST]:
    if swapped := COUNTED.get(type(node.op)):
        yield ast.AugAssign(node.target, swapped(), node.value)
    yield ast.Pass()


Edit = Callable[..., Iterator[ast.AST]]
EDITS: dict[type[ast.AST], Edit] = {
    ast.Compare: _comparison,
    ast.BoolOp: _choice,
    ast.UnaryOp: _negation,
    ast.BinOp: _arithmetic,
    ast.Constant: _constant,
    ast.IfExp: _branches,
    ast.Call: _call,
    ast.ListComp: _filter,
    ast.SetComp: _filter,
    ast.GeneratorExp: _filter,
    ast.If: _guard,
    ast.Return: _nothing_returned,
    ast.Continue: _gone,
    ast.Break: _gone,
    ast.Raise: _gone,
    ast.Expr: _statement,
    ast.AugAssign: _added,
}


# ------------------------------------------------------------------------------------------------------------


def _line_starts(source: bytes) -> list[int]:
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    return starts


def _cut(right: str, wrong: str) -> tuple[str, str]:
    """Return two texts; of long ones what is around their difference."""
    if max(len(right), len(wrong)) <= CHARS_SHOWN:
        return right, wrong
    start = max(0, _alike(right, wrong) - CHARS_AROUND)
    end = max(0, min(_alike(right[::-1], wrong[::-1]) - CHARS_AROUND, min(len(right), len(wrong)) - start))
    return right[start : len(right) - end], wrong[start : len(wrong) - end]


def _alike(one: str, other: str) -> int:
    """Return how many characters two texts have in common from their start."""
    return next(
        (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )


def _one_line(text: bytes) -> str:
    return " ".join(text.decode().split())


def _is_python(source: bytes) -> bool:
    try:
        compile(source, "", "exec", dont_inherit=True)
    except SyntaxError:
        return False
    return True
