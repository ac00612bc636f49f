"""Say what one Python file holds, in a line of JSON: lines, functions, classes, and its longest function."""

import ast
import json
import sys
from collections.abc import Sequence

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def longest(functions: Sequence[ast.FunctionDef | ast.AsyncFunctionDef]) -> dict[str, object] | None:
    sizes = [((function.end_lineno or function.lineno) - function.lineno + 1, function.name) for function in functions]
    if not sizes:
        return None
    lines, name = max(sizes)
    return {"name": name, "lines": lines}


def main(path: str) -> None:
    with open(path, "rb") as file:
        data = file.read()
    try:
        nodes = list(ast.walk(ast.parse(data)))
    except (SyntaxError, ValueError) as error:
        sys.exit(f"{path}: {error}")
    functions = [node for node in nodes if isinstance(node, FUNCTIONS)]
    classes = sum(isinstance(node, ast.ClassDef) for node in nodes)
    counts = {"lines": data.count(b"\n"), "functions": len(functions), "classes": classes}
    print(json.dumps({**counts, "longest": longest(functions)}))


main(*sys.argv[1:])
