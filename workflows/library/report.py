"""Print what was counted: all of it, the largest packages, and what is no Python."""

import json
import os
import sys
from collections import Counter

KINDS = ("names", "operators", "strings", "numbers")
LARGEST = 10


def main(results_path: str, failed: str) -> None:
    with open(results_path, encoding="utf-8") as file:
        results = json.load(file)
    packages: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    problems = []
    for result in results:
        path, counts = result["item"]["path"], json.loads(result["output"])
        if counts["problem"]:
            problems.append(f"- {path}: {counts['problem']}")
            continue
        own = {kind: counts.get(kind, 0) for kind in KINDS}
        kinds.update(own)
        packages[path.split(os.sep)[0] if os.sep in path else "(modules)"] += sum(own.values())
    print(f"# {len(results)} files, {kinds.total()} tokens, {failed} dead letters\n")
    print("\n".join(f"- {kinds[kind]} {kind}" for kind in KINDS))
    print("\n## The largest packages\n")
    print("\n".join(f"- {package}: {count} tokens" for package, count in packages.most_common(LARGEST)))
    if problems:
        print("\n## Not Python, on purpose\n")
        print("\n".join(problems))


main(*sys.argv[1:])
