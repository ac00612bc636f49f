"""Print how many tokens a Python file has, by kind, as JSON; one that is no Python has a `problem`, or fails."""

import io
import json
import os
import sys
import tokenize
from collections import Counter

COUNTED = {tokenize.NAME: "names", tokenize.OP: "operators", tokenize.STRING: "strings", tokenize.NUMBER: "numbers"}


def main(folder: str, path: str, strict: str) -> None:
    with open(os.path.join(folder, path), "rb") as file:
        data = file.read()
    counts: Counter[str] = Counter()
    problem = None
    try:
        for token in tokenize.tokenize(io.BytesIO(data).readline):
            if token.type in COUNTED:
                counts[COUNTED[token.type]] += 1
        compile(data, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, tokenize.TokenError) as error:
        problem = f"{type(error).__name__}: {error}"
    if problem and strict == "true":
        sys.exit(f"{path}: {problem}")
    print(json.dumps({**counts, "problem": problem}))


main(*sys.argv[1:])
