"""Check the monthly figures against the raw readings' number of lines, and print them as a table."""

import argparse
import glob
import json
import os
import sys


def main(source: str, output: str) -> None:
    with open(os.path.join(output, "months.json"), encoding="utf-8") as file:
        months = json.load(file)
    lines = 0
    for path in glob.glob(os.path.join(glob.escape(source), "*.csv")):
        with open(path, "rb") as file:
            lines += file.read().count(b"\n")
    counted = sum(month["count"] for month in months.values())
    if counted != lines:
        sys.exit(f"the months hold {counted} readings, {source} has {lines}")
    for name, month in months.items():
        if not month["low"] <= month["mean"] <= month["high"]:
            sys.exit(f"month {name}: {month['low']}, {month['mean']}, {month['high']} are out of order")
        print(f"    {name}  {month['low']:6.1f} {month['mean']:6.1f} {month['high']:6.1f}")


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--input", required=True)
parser.add_argument("output")
options = parser.parse_args()
main(options.input, options.output)
