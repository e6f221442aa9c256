"""How recordings meet the disk: our errors for its refusals, small files whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from pipeline.base.errors import StorageError

_KINDS = {
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EFBIG: "disk_full",
    errno.EROFS: "read_only",
    errno.EACCES: "forbidden",
    errno.EPERM: "forbidden",
    errno.EIO: "io",
}


@contextlib.contextmanager
def typed(what: str) -> Iterator[None]:
    """OSError as StorageError."""
    try:
        yield
    except OSError as error:
        kind = _KINDS.get(error.errno or 0, "failed")
        raise StorageError(
            f"{what}: {error.strerror or error}", kind=kind, retryable=kind in ("disk_full", "io")
        ) from error


def put(path: Path, data: bytes) -> None:
    """A small file under its name, whole or not at all, for its owner only. Raises OSError."""
    fresh = path.with_name(f"{path.name}.tmp")
    try:
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Make the folder's entries durable. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
