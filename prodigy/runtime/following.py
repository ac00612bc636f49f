"""Follow files that grow: a run's log and what its steps print, while somebody else writes them."""

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiofiles
import anyio

INTERVAL_S = 0.1
CHUNK_BYTES = 64 * 1024


async def follow(path: Path, is_over: Callable[[], bool], *, tells_rests: bool = False) -> AsyncIterator[bytes]:
    """Yield what is in the file and what comes, in chunks, until `is_over` and the end is read.

    With `tells_rests` nothing, b"", is yielded each time that nothing has come for a moment.

    A file that is missing is waited for as long as it may still come. One that stayed empty may have become another
    command's: what is in it when `path` names it no longer is not of this file.
    """
    while not path.exists():
        if is_over():
            return
        await anyio.sleep(INTERVAL_S)
    async with aiofiles.open(path, "rb") as file:
        while True:
            ends = is_over()  # asked before reading: what was written before the end is still read
            while chunk := await file.read(CHUNK_BYTES):
                if not _is_at(path, file.fileno()):
                    return
                yield chunk
            if ends:
                return
            if tells_rests:
                yield b""
            await anyio.sleep(INTERVAL_S)


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


async def follow_lines(path: Path, is_over: Callable[[], bool]) -> AsyncIterator[bytes]:
    """Yield the lines of the file, without their newlines, as they are completed."""
    rest = b""
    async for chunk in follow(path, is_over):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line
