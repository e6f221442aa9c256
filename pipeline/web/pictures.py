"""Pictures of a meeting, read from its folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pipeline.base.errors import NotFound, StorageError
from pipeline.store import layout

if TYPE_CHECKING:
    from pipeline.store.reader import Reader

MOST_BYTES = 32 << 20


def read_picture(reader: Reader, meeting: str, name: str) -> bytes:
    """The bytes of a picture or of its small copy. The name must be one of the meeting's log.

    Raises NotFound when there is no such picture (any more), StorageError when it cannot be read.
    """
    known = {file for image in reader.images(meeting) for file in (image.file, image.thumb)}
    if name not in known:
        raise NotFound("there is no such picture")
    path = layout.images(reader.home, meeting) / name
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            return file.read(MOST_BYTES)
    except FileNotFoundError as error:
        raise NotFound("this picture is no longer on the disk") from error
    except OSError as error:
        raise StorageError(f"{name}: cannot be read ({error.strerror})", kind="io") from error
