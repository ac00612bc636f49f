"""Print, as JSON, the camelCase functions that some files define, and what each should be called."""

import ast
import json
import os
import re
import sys


def renames(path: str) -> dict[str, str]:
    with open(path, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    names = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return {name: re.sub(r"(?<=[a-z0-9])[A-Z]", lambda match: f"_{match.group().lower()}", name) for name in names}


codebase, *paths = sys.argv[1:]
found: dict[str, str] = {}
for path in paths:
    found.update({old: new for old, new in renames(os.path.join(codebase, path)).items() if old != new})
print(json.dumps({"files": len(paths), "renames": found}, sort_keys=True))
