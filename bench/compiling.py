"""What it takes to compile a workflow beyond what PyYAML's own loader, the one in C, takes to read it."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median

import yaml

from bench.measure import in_turns
from bench.report import Row
from prodigy.plan.compile import compile_workflow

BEYOND_MS_MAX = 100.0
BEYOND_MS_AIM = 60.0

_STEP = """\
- shell: "echo step {number} of ${{WORD}}"
  id: step-{number}
  env: {{WORD: "many"}}
  timeout: 60
  retry: 2
"""


def measure(*, steps: int, rounds: int) -> Iterator[Row]:
    """Yield the difference, in processor time of this process."""
    text = "".join(_STEP.format(number=number) for number in range(steps)).encode()
    ours = partial(_taken, lambda: compile_workflow(text, file="many.yaml"))
    theirs = partial(_taken, lambda: yaml.load(text, yaml.CSafeLoader))
    series = in_turns({"ours": ours, "theirs": theirs}, rounds=rounds)
    value = median(mine - other for mine, other in zip(series["ours"], series["theirs"], strict=True))
    yield Row(
        what=f"compile of {steps:,} steps, beyond PyYAML's loader in C",
        value=value * 1000,
        unit="ms",
        limit=BEYOND_MS_MAX,
        aim=BEYOND_MS_AIM,
        note=f"{median(series['theirs']) * 1000:.0f} ms for that",
    )


def _taken(call: Callable[[], object]) -> float:
    began = time.process_time()
    call()
    return time.process_time() - began
