"""One writer per home, enforced by a lock the kernel drops when its holder dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from pipeline.base.errors import InUse, StorageError
from pipeline.store.layout import LOCK


class WriterLock:
    """Held from ``take`` to ``release``. The file holds the process id, for people."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    @classmethod
    def take(cls, home: Path) -> WriterLock:
        """Raises InUse, naming the holder, or StorageError when the file cannot be made."""
        path = home / LOCK
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageError(f"{path}: cannot be opened ({error.strerror})") from error
        try:
            os.fchmod(descriptor, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
        except BlockingIOError as error:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            by = f"process {holder}" if holder.isdigit() else "another process"
            raise InUse(
                f"{home}: {by} writes here; stop it, or use another folder"
                " (--home, of the demo --out)"
            ) from error
        except OSError as error:
            os.close(descriptor)
            raise StorageError(f"{path}: cannot be locked ({error.strerror})") from error
        return cls(descriptor)

    def release(self) -> None:
        """Let others write. The file stays: removing it would let two hold two files."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
