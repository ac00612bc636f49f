"""Values too large for the log, as files named by their digest.

A value is on disk before the event that names it, so an event never names a missing value. The name is the sha256 of
the contents, so equal values are stored once and an altered one is detected.
"""

import os
import re
from hashlib import sha256
from pathlib import Path

from prodigy.errors import DamagedState
from prodigy.store.files import (
    existing_folder,
    open_private,
    own_folders,
    read_private,
    refused,
    sync,
    sync_folder,
    write_atomically,
)

DIGEST_CHARS = 64
_DIGEST = re.compile(r"[0-9a-f]{64}")
_DIGESTS = re.compile(rb"[0-9a-f]{64}")


class LostValue(DamagedState):
    """A stored value that is missing or altered; of a run that was cleaned it was removed on purpose."""


class Values:
    """The folder of a run's large values. Several processes may put values at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._is_ready = False
        self._durable: set[str] = set()  # put or seen by this process: not looked at again

    def put(self, data: bytes) -> str:
        """Store a value, durable on return, and return its digest: 64 hexadecimal digits.

        Raises:
            DamagedState: something that is no file of ours stands in its place.
            StorageFailure: the disk refused.
        """
        if not self._is_ready:
            self._prepare()
        digest = sha256(data).hexdigest()
        if digest in self._durable:
            return digest
        path = self.folder / digest
        try:
            is_stored = _is_stored(path, data)
        except OSError as error:
            raise refused(path, error) from error
        if not is_stored:
            write_atomically(path, data)
        self._durable.add(digest)
        return digest

    def _prepare(self) -> None:
        """Make the folder where it is missing, but not the one it is in: a run that was removed stays so."""
        try:
            is_there = existing_folder(self.folder)
        except OSError as error:
            raise refused(self.folder, error) from error
        if not is_there:
            own_folders(self.folder)
        self._is_ready = True

    def copy(self, digest: str, source: "Values") -> None:
        """Store a value that another folder has, durable on return; one that was copied is not looked at again.

        Raises:
            DamagedState: the other folder does not have it, or something else stands in its place.
            StorageFailure: the disk refused.
        """
        if digest not in self._durable:
            self.put(source.get(digest))

    def get(self, digest: str) -> bytes:
        """Return the value of this digest.

        Raises:
            DamagedState: the digest is none, or its file is missing, altered or no file of ours.
        """
        if not _DIGEST.fullmatch(digest):
            raise DamagedState(f"{digest[:100]!a} does not name a stored value")
        path = self.folder / digest
        try:
            data = read_private(path)
        except OSError as error:
            raise LostValue(f"the stored value {path} cannot be read: {error.strerror}") from error
        if sha256(data).hexdigest() != digest:
            raise DamagedState(f"the stored value {path} is not what was written")
        return data

    def has(self, digest: str) -> bool:
        """Whether there is a file of that digest; what is in it is not looked at."""
        return digest in self._durable or (self.folder / digest).is_file()

    def size(self, digest: str) -> int:
        """Return the size in bytes of a value that was put or got just now.

        Raises:
            LostValue: its file is gone.
        """
        path = self.folder / digest
        try:
            return path.lstat().st_size
        except OSError as error:
            raise LostValue(f"the stored value {path} cannot be read: {error.strerror}") from error


def digests_in(data: bytes) -> set[str]:
    """Return everything that looks like a digest."""
    return {found.decode() for found in _DIGESTS.findall(data)}


def _is_stored(path: Path, data: bytes) -> bool:
    """Return whether the file is there, right and durable; its writer may have died before its sync."""
    try:
        descriptor = open_private(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    with os.fdopen(descriptor, "rb") as file:
        if file.read(len(data) + 1) != data:
            return False
        sync(descriptor)
    sync_folder(path.parent)
    return True
