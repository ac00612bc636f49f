"""Repeat measurements in turns, so that a busy moment of the machine falls on all of them alike."""

from collections.abc import Callable, Mapping, Sequence
from math import log, nan
from statistics import fmean, median

Series = dict[str, list[float]]


def in_turns(measures: Mapping[str, Callable[[], float]], *, rounds: int) -> Series:
    """Return the values of each measure, one per round; each round takes all of them in order."""
    series: Series = {name: [] for name in measures}
    for _ in range(rounds):
        for name, measure in measures.items():
            series[name].append(measure())
    return series


def forgiving(measure: Callable[[], float]) -> Callable[[], float]:
    """Return a measure that is not a number where a program fails: one of somebody else's ends no bench of ours."""

    def measured() -> float:
        try:
            return measure()
        except AssertionError:
            return nan

    return measured


def ratio(series: Series, name: str, base: str) -> float:
    """Return how many times `base` a measure is: the median of the ratios within each round."""
    return median(value / unit for value, unit in zip(series[name], series[base], strict=True))


def exponent(sizes: Sequence[int], values: Sequence[float]) -> float:
    """Return the slope of log(value) over log(size), fitted by least squares: 1 is linear growth.

    Values that are too small to be told from nothing have none: not a number.
    """
    if min(values) <= 0:
        return nan
    xs, ys = [log(size) for size in sizes], [log(value) for value in values]
    x_mean, y_mean = fmean(xs), fmean(ys)
    rise = sum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys, strict=True))
    return rise / sum((x - x_mean) ** 2 for x in xs)
