"""Whose camera individual video shows (reference section 12.4). Pure.

Zoom sends one participant's video at a time, after a subscription, and nothing more once the camera
was off until somebody subscribes anew.
"""

from __future__ import annotations

from typing import Final

from pipeline.rtms.enums import StatusCode
from pipeline.rtms.outputs import (
    CamerasChanged,
    Output,
    PeopleJoined,
    PeopleLeft,
    SpeakerChanged,
    StreamLive,
    VideoSubscribed,
)

SPEAKER: Final = "speaker"

_FINE: Final = frozenset({int(StatusCode.OK), int(StatusCode.DUPLICATE_VIDEO_SUBSCRIPTION)})

FOLLOWED: Final = frozenset(
    {SpeakerChanged, CamerasChanged, PeopleJoined, PeopleLeft, VideoSubscribed, StreamLive}
)
"""The outputs that ``Follow.take`` looks at."""

Wish = tuple[int, bool]
"""A user id, and whether to subscribe."""


class Follow:
    """Told what the stream tells, it answers with the subscriptions to send.

    ``whom``: ``speaker`` (whoever Zoom says speaks and has the camera on), a user id, or an exact
    display name; None: nobody, until ``choose``. A camera nobody told about may be on.
    """

    def __init__(self, whom: str | None) -> None:
        self._whom = whom
        self._chosen: int | None = None
        self._speaker: int | None = None
        self._names: dict[int, str] = {}
        self._off: set[int] = set()
        self._shown: int | None = None
        self._refused: set[int] = set()

    def choose(self, user_id: int, subscribe: bool) -> list[Wish]:
        """Somebody asks for one participant, or for no video any more; that goes before
        ``whom``."""
        if not subscribe:
            self._whom = self._chosen = None
            if self._shown == user_id:
                self._shown = None
            return [(user_id, False)]
        self._chosen = user_id
        self._shown = user_id
        self._off.discard(user_id)
        self._refused.discard(user_id)
        return [(user_id, True)]

    def take(self, output: Output) -> list[Wish]:
        """What follows from one output."""
        match output:
            case StreamLive():
                self._shown = None  # a subscription ends with its connection
                self._refused.clear()
            case SpeakerChanged(user_id=user_id):
                if user_id is not None:
                    self._speaker = user_id
                    self._refused.discard(user_id)
            case CamerasChanged(participants=participants, on=on):
                self._cameras(_numbers(participants), on)
            case PeopleJoined(people=people):
                for person, name in people:
                    if person.isdecimal():
                        self._names[int(person)] = name
            case PeopleLeft(participants=participants):
                self._left(_numbers(participants))
            case VideoSubscribed(user_id=user_id, status=status):
                if status not in _FINE and user_id is not None:
                    self._refused.add(user_id)
                    if self._shown == user_id:
                        self._shown = None
        return self._next()

    def _cameras(self, people: list[int], on: bool) -> None:
        for person in people:
            self._refused.discard(person)
            if on:
                self._off.discard(person)
                continue
            self._off.add(person)
            if self._shown == person:
                self._shown = None

    def _left(self, people: list[int]) -> None:
        for person in people:
            self._names.pop(person, None)
            self._off.discard(person)
            self._refused.discard(person)
            if self._speaker == person:
                self._speaker = None
            if self._shown == person:
                self._shown = None

    def _next(self) -> list[Wish]:
        wanted = self._wanted()
        if wanted is None or wanted == self._shown:
            return []
        self._shown = wanted
        return [(wanted, True)]

    def _wanted(self) -> int | None:
        """Who is to be shown; None: whoever is shown stays."""
        if self._chosen is not None:
            return self._chosen if self._may_show(self._chosen) else None
        if self._whom is None:
            return None
        if self._whom == SPEAKER:
            speaker = self._speaker
            return speaker if speaker is not None and self._may_show(speaker) else None
        if self._whom.isdecimal():
            person = int(self._whom)
            return person if self._may_show(person) else None
        named = [
            person
            for person, name in self._names.items()
            if name == self._whom and self._may_show(person)
        ]
        if self._shown in named and self._speaker not in named:
            return self._shown
        return self._speaker if self._speaker in named else next(iter(named), None)

    def _may_show(self, person: int) -> bool:
        return person not in self._off and person not in self._refused


def _numbers(participants: tuple[str, ...]) -> list[int]:
    return [int(person) for person in participants if person.isdecimal()]
