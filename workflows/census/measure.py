"""Measure every n-th file of files.txt into measured-<part>.jsonl: one JSON object per file.

Lines are counted as `wc` does, by their ends. A line is code if a token of the program lies on it, a comment if it
holds nothing else. A file that no Python can read (the library keeps some for its own tests) says why in `problem`.
The result appears all at once, so a measurement that is killed leaves nothing half, and may simply be run again.
"""

import ast
import io
import json
import os
import sys
import tokenize
import warnings

NEITHER = {tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING, tokenize.ENDMARKER}


def lines_of_code_and_comment(data: bytes) -> tuple[int, int]:
    code: set[int] = set()
    comments: set[int] = set()
    for token in tokenize.tokenize(io.BytesIO(data).readline):
        if token.type == tokenize.COMMENT:
            comments.add(token.start[0])
        elif token.type not in NEITHER:
            code.update(range(token.start[0], token.end[0] + 1))
    return len(code), len(comments - code)


def measure(source: str, path: str) -> dict[str, object]:
    with open(os.path.join(source, path), "rb") as file:
        data = file.read()
    package = path.split(os.sep)[0] if os.sep in path else "(modules)"
    found: dict[str, object] = {"path": path, "package": package, "bytes": len(data), "lines": data.count(b"\n")}
    found |= {"code": 0, "comments": 0, "functions": 0, "classes": 0, "problem": None}
    try:
        nodes = list(ast.walk(ast.parse(data)))
        found["code"], found["comments"] = lines_of_code_and_comment(data)
    except (SyntaxError, ValueError, RecursionError, tokenize.TokenError) as error:
        found["problem"] = f"{type(error).__name__}: {error}"
    else:
        found["functions"] = sum(isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) for node in nodes)
        found["classes"] = sum(isinstance(node, ast.ClassDef) for node in nodes)
    return found


def main(source: str, results: str, part: str, parts: str) -> None:
    warnings.simplefilter("ignore")  # about the sources that are read, not about this program
    with open(os.path.join(results, "files.txt"), encoding="utf-8", errors="surrogateescape") as file:
        paths = file.read().splitlines()[int(part) - 1 :: int(parts)]
    unfinished = os.path.join(results, f"measured-{part}.jsonl.new")
    with open(unfinished, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(measure(source, path)) + "\n" for path in paths)
    os.replace(unfinished, os.path.join(results, f"measured-{part}.jsonl"))
    print(f"{len(paths)} files, the last {paths[-1]}" if paths else "no files in this part")


main(*sys.argv[1:])
