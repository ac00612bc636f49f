"""Read every document of the public lists as a workflow and as items, in a process whose memory is measured.

Prints one JSON document: what became of each, the seconds of processor time it took, and the memory of them all.
"""

import json
import re
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prodigy.cli.output.complaints import shown
from prodigy.errors import WorkflowProblem
from prodigy.kernel import effects as fx
from prodigy.plan.compile import compile_workflow
from prodigy.plan.document import read_data
from prodigy.plan.nodes import Source
from prodigy.runtime.host.items import read_items
from tests.corpus.lists import json_examples, yaml_examples


def main() -> None:
    """Read all, and print what became of it."""
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        found = {f"{name} as a workflow": _timed(_validated, data) for name, data in _all()}
        found |= {f"{name} as YAML items": _timed(_listed, here / "a.yaml", data) for name, data in _all()}
        found |= {f"{name} as JSON items": _timed(_listed, here / "a.json", data) for name, data in _all()}
        found |= {f"{name} as data": _timed(_read, data) for name, data in _all()}
    json.dump({"read": found, "memory_bytes": _peak_bytes()}, sys.stdout)


def _peak_bytes() -> int:
    """Return the most memory that this program has held; usage counts that of whoever started it too."""
    status = Path("/proc/self/status")
    peak = re.search(r"^VmHWM:\s*(\d+) kB$", status.read_text(), re.M) if status.exists() else None
    return 1024 * (int(peak[1]) if peak else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def _all() -> list[tuple[str, bytes]]:
    return [(name, example.data) for name, example in (yaml_examples() | json_examples()).items()]


def _timed(read: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    began = time.process_time()
    try:
        result = read(*arguments)
    except Exception as failure:  # which is what is looked for
        result = {"raised": repr(failure)}
    return result | {"seconds": time.process_time() - began}


def _validated(data: bytes) -> dict[str, Any]:
    try:
        compile_workflow(data, file="w.yaml")
    except WorkflowProblem as refused:
        return {"problem": "\n".join(map(shown, refused.problems))}
    return {"values": []}


def _read(data: bytes) -> dict[str, Any]:
    try:
        return {"values": [read_data(data, file="a.yaml")]}
    except WorkflowProblem as refused:
        return {"problem": "\n".join(map(shown, refused.problems))}


def _listed(path: Path, data: bytes) -> dict[str, Any]:
    """Read a document as a file of items; one that is no list is put into one."""
    path.write_bytes(data if data.lstrip().startswith((b"[", b"- ")) else b"[" + data + b"]")
    source = Source(kind="file", text=(path.name,))
    order = fx.List(at="map", source=source, text=path.name, offset=0, max_items=None, item_key=(), values={})
    listed = read_items(order, directory=path.parent, printed=b"")
    assert listed is not None
    return {"problem": listed.error} if listed.error else {"values": list(listed.items)}


if __name__ == "__main__":
    main()
