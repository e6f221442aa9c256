"""Where things are in a home, and that only its owner can read them (folders 0700, files 0600)."""

from __future__ import annotations

import os
import re
from pathlib import Path

from pipeline.base.errors import NotFound, StorageError

DATABASE = "rtms-notes.db"
LOCK = "writer.lock"

_SAFE = re.compile(r"[0-9A-Za-z_-]{1,64}")


def prepare(home: Path) -> None:
    """Make the home's folder. Raises StorageError.

    A folder that already held other things keeps its mode: it may be shared on purpose.
    """
    try:
        fresh = not home.is_dir() or not any(home.iterdir())
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if fresh:
            home.chmod(0o700)
    except OSError as error:
        raise _unusable(home, error) from error


def prepare_database(home: Path) -> None:
    """Make an empty database file, or tighten the files that are there. Raises StorageError."""
    try:
        private_file(home / DATABASE)
        for suffix in ("-wal", "-shm"):
            beside = home / (DATABASE + suffix)
            if beside.exists():
                beside.chmod(0o600)
        sync_folder(home)
    except OSError as error:
        raise _unusable(home, error) from error


def _unusable(home: Path, error: OSError) -> StorageError:
    return StorageError(f"{home}: cannot be used as home ({error.strerror})", kind="home")


def private_file(path: Path) -> None:
    """Make a file that only its owner can read; one that is there is tightened."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make the folder's entries durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def images(home: Path, meeting: str) -> Path:
    """Where the meeting's pictures are, if there are any. Raises NotFound for what is no id."""
    if not _SAFE.fullmatch(meeting):
        raise NotFound(f"no meeting {meeting[:64]!r}")
    return home / "meetings" / meeting / "images"


def spool(home: Path, meeting: str) -> Path:
    """The meeting's spool folder, made when it is missing. Raises StorageError or NotFound."""
    if not _SAFE.fullmatch(meeting):
        raise NotFound(f"no meeting {meeting[:64]!r}")
    folder = home
    try:
        for part in ("meetings", meeting, "spool"):
            folder = folder / part
            if not folder.is_dir():
                folder.mkdir(mode=0o700, exist_ok=True)
                sync_folder(folder.parent)
    except OSError as error:
        raise StorageError(
            f"{folder}: cannot be made ({error.strerror})", kind="home", retryable=True
        ) from error
    return folder
