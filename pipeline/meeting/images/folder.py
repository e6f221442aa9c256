"""The meeting's ``images`` folder: our names, only the owner can read, durable when told so."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from pipeline.base.errors import StorageError
from pipeline.base.ids import Ids
from pipeline.model.happening import ImageMedia

_KINDS = {
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EROFS: "read_only",
    errno.EACCES: "forbidden",
    errno.EPERM: "forbidden",
}
_WORDS = {"video": "video", "deskshare": "screen"}


@contextlib.contextmanager
def typed(what: str) -> Iterator[None]:
    """A refusal of the disk comes out as StorageError."""
    try:
        yield
    except OSError as error:
        kind = _KINDS.get(error.errno or 0, "io")
        raise StorageError(
            f"{what}: the disk refuses to write ({error.strerror or error})",
            kind=kind,
            retryable=kind in ("disk_full", "io"),
        ) from error


class ImageFolder:
    """Writes whole files; ``path`` is made with the first of them."""

    def __init__(self, path: Path, ids: Ids) -> None:
        self.path = path
        self._ids = ids

    def name(self, media: ImageMedia, at_ms: int) -> str:
        """A name nobody else uses: what it is, meeting time, a random part."""
        return f"{_WORDS[media]}-{max(0, at_ms):013d}-{self._ids.new()}"

    def write(self, name: str, data: bytes, *, durable: bool) -> None:
        """The file under its name, whole or not at all. Raises StorageError."""
        with typed(f"writing {name}"):
            self.make()
            target = self.path / name
            fresh = target.with_name(f"{target.name}.tmp")
            try:
                handle = os.open(
                    fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600
                )
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                    file.flush()
                    if durable:
                        os.fsync(file.fileno())
                fresh.replace(target)
                if durable:
                    self.sync()
            except OSError:
                fresh.unlink(missing_ok=True)
                raise

    def make(self, below: str = "") -> Path:
        """The folder, or one below it, made when it is missing. Raises OSError."""
        self.path.mkdir(mode=0o700, exist_ok=True)
        folder = self.path / below
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def sync(self, file: str = "") -> None:
        """Make the folder's entries durable, and a file of it. Raises OSError."""
        for path in [self.path / file, self.path] if file else [self.path]:
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def size(self) -> int:
        """Bytes of all files that are there."""
        if not self.path.is_dir():
            return 0
        total = 0
        for entry in self.path.rglob("*"):
            with contextlib.suppress(FileNotFoundError):
                total += entry.lstat().st_size
        return total
