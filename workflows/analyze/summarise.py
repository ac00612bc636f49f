"""Sum up what the agents found: a table of the largest files, and what could not be read or linted."""

import json
import sys
from typing import Any

LARGEST = 10


def row(result: dict[str, Any]) -> tuple[int, str]:
    found = json.loads(result["outputs"]["analysis"])
    longest = found["longest"]
    most = f"{longest['name']} ({longest['lines']} lines)" if longest else "none"
    cells = (result["item"], found["lines"], found["functions"], found["classes"], most)
    return -found["lines"], f"| {' | '.join(str(cell).replace('|', '/') for cell in cells)} |"


def main(results_path: str, dead_letters_path: str) -> None:
    with open(results_path, encoding="utf-8") as file:
        results = json.load(file)
    with open(dead_letters_path, encoding="utf-8") as file:
        dead_letters = json.load(file)
    rows = sorted(map(row, results))
    print(f"# {len(results)} files analysed, {len(dead_letters)} not\n")
    print("| File | Lines | Functions | Classes | Longest function |\n|---|---:|---:|---:|---|")
    print("\n".join(text for _, text in rows[:LARGEST]))
    for letter in dead_letters:
        print(f"\n- {letter['item']}, at {letter['step']}: {letter['error']}")


main(*sys.argv[1:])
