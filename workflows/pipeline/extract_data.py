"""Extract the readings of three stations, one for each hour of a year, into batches of CSV files.

There is no station: the readings are made up, the same ones every time. A batch appears whole or not at all, and
batches of an earlier extraction are replaced.
"""

import argparse
import csv
import glob
import itertools
import math
import os
import random
from collections.abc import Iterator

STATIONS = ("harbour", "hill", "town")
DAYS = 365


def readings() -> Iterator[tuple[str, int, int, float]]:
    """Yield (station, day of the year, hour, degrees Celsius)."""
    chance = random.Random(1)
    for day, hour, (height, station) in itertools.product(range(DAYS), range(24), enumerate(STATIONS)):
        season = -9 * math.cos(2 * math.pi * (day - 20) / DAYS)
        daytime = -4 * math.cos(2 * math.pi * (hour - 3) / 24)
        yield station, day, hour, round(11 - height + season + daytime + chance.gauss(0, 2), 1)


def main(batch_size: int, output: str) -> None:
    os.makedirs(output, exist_ok=True)
    with open(os.path.join(output, ".gitignore"), "w", encoding="utf-8") as file:
        file.write("*\n")
    for old in glob.glob(os.path.join(glob.escape(output), "batch-[0-9]*.csv")):
        os.remove(old)
    source = readings()
    batches = iter(lambda: list(itertools.islice(source, batch_size)), [])
    count = 0
    for count, batch in enumerate(batches, 1):
        path = os.path.join(output, f"batch-{count:05}.csv")
        with open(path + ".new", "w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(batch)
        os.replace(path + ".new", path)
    print(f"{count} batches")


def positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("it must be at least 1")
    return number


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--batch-size", type=positive, required=True)
parser.add_argument("--output", required=True)
options = parser.parse_args()
main(options.batch_size, options.output)
