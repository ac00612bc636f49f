"""Make monthly figures (count, lowest, mean, highest) of the readings in a folder of CSV files."""

import argparse
import csv
import datetime
import glob
import json
import os
import sys
from collections import defaultdict


def month_of(day: int) -> str:
    return (datetime.date(2023, 1, 1) + datetime.timedelta(days=day)).strftime("%m")


def main(source: str, output: str) -> None:
    by_month: dict[str, list[float]] = defaultdict(list)
    for path in sorted(glob.glob(os.path.join(glob.escape(source), "*.csv"))):
        with open(path, encoding="utf-8", newline="") as file:
            for number, row in enumerate(csv.reader(file), 1):
                try:
                    _, day, _, degrees = row
                    by_month[month_of(int(day))].append(float(degrees))
                except ValueError as error:
                    sys.exit(f"{path}:{number}: {error}")
    figures = {
        month: {"count": len(all_), "low": min(all_), "mean": round(sum(all_) / len(all_), 2), "high": max(all_)}
        for month, all_ in sorted(by_month.items())
    }
    path = os.path.join(output, "months.json")
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(figures, file, indent=1)
    os.replace(path + ".new", path)
    print(f"{len(figures)} months of {sum(map(len, by_month.values()))} readings")


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--input", required=True)
parser.add_argument("--output", required=True)
options = parser.parse_args()
main(options.input, options.output)
