"""A home, read-only: meetings, transcripts and notes for notebooks and scripts."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from pipeline.model.events import Event
from pipeline.model.happening import Clip, Happening, Image
from pipeline.model.notes import NoteItem
from pipeline.model.speech import Gap, Message, Participant, Utterance
from pipeline.model.state import MeetingState
from pipeline.model.view import MeetingView
from pipeline.store.reader import Reader
from pipeline.store.search import Hit


class Meeting:
    """One meeting as it stands; every call reads anew, so a live meeting can be watched."""

    def __init__(self, reader: Reader, meeting: str) -> None:
        self._reader = reader
        self.id = meeting

    def __repr__(self) -> str:
        return f"<Meeting {self.id}>"

    @property
    def view(self) -> MeetingView:
        """Title, times, state, health."""
        return self._reader.view(self.id)

    def transcript(self) -> list[Utterance]:
        """What was said and is shown, by start time (Unix ms)."""
        return self._reader.transcript(self.id)

    def chat(self) -> list[Message]:
        """What was typed, by time."""
        return self._reader.chat(self.id)

    def notes(self) -> list[NoteItem]:
        """Note items that stand on their own, each with the words it rests on."""
        return self._reader.notes(self.id)

    def gaps(self) -> list[Gap]:
        """What is missing, by time."""
        return self._reader.gaps(self.id)

    def happenings(self) -> list[Happening]:
        """Screens shared and call events, by time."""
        return self._reader.happenings(self.id)

    def images(self) -> list[Image]:
        """Pictures of shared screens, by time; their files are in ``images_folder``."""
        return self._reader.images(self.id)

    def clips(self) -> list[Clip]:
        """Saved video and screen share."""
        return self._reader.clips(self.id)

    @property
    def images_folder(self) -> Path:
        """Where the files of ``images`` and ``clips`` are; missing when there are none."""
        return self._reader.home / "meetings" / self.id / "images"

    def participants(self) -> list[Participant]:
        """Who was there, in order of arrival."""
        return self._reader.participants(self.id)

    def events(self, after: int = 0) -> list[Event]:
        """The log above ``after``."""
        return self._reader.events(self.id, after)

    def state(self) -> MeetingState:
        """Everything, replayed from the log."""
        return self._reader.state(self.id)


class Home:
    """The store in a folder; by default the one the commands use (``rtms-notes config``).

    ``with Home() as home: ...``, or without ``with`` in a notebook. Raises NotFound when there
    is no store, StorageError when it cannot be read. A service may be writing meanwhile.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        if path is None:
            from pipeline.config import load  # only here: it knows the settings of every room

            path = load().settings.home
        self.path = Path(path).expanduser()
        self._reader = Reader.open(self.path)

    def __repr__(self) -> str:
        return f"<Home {self.path}>"

    def __enter__(self) -> Home:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    def meetings(self) -> list[MeetingView]:
        """All meetings, newest first."""
        return self._reader.meetings()

    def meeting(self, id: str) -> Meeting:  # noqa: A002 - what people call it everywhere else
        """A meeting by its id or any unique beginning of it. Raises NotFound or BadInput."""
        return Meeting(self._reader, self._reader.resolve(id))

    def search(self, query: str, *, meeting: str | None = None, limit: int = 20) -> list[Hit]:
        """Where all words of ``query`` were said, typed or noted, best first."""
        within = self._reader.resolve(meeting) if meeting is not None else None
        return self._reader.search(query, meeting=within, limit=limit)
