"""Scripted meetings (``prompts/cases/*.yaml``): what is said, and what the notes should hold.

A case has ``title``, ``kind``, ``zone``, ``start`` (local time), ``participants`` (id, user_id,
name), ``turns`` and ``gold``; ``product``, ``traps`` and voices are optional. A turn is one of

* ``{who, id, say}`` words, with ``gap`` in seconds before them (negative: they overlap);
* ``{chat, who, id}`` a chat message; ``{silence: s}`` nobody speaks for so long;
* ``{mute: who}``, ``{unmute: who}`` words said in between are in no stream;
* ``{join: who}``, ``{leave: who}``; people with no ``join`` are there from the start;
* ``{lost: s}`` for so long no media arrives: what begins in that time is not in the transcript.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import yaml

from pipeline.base.errors import BadInput, NotFound
from pipeline.model import events as ev
from pipeline.model.notes import Status
from pipeline.model.speech import Gap, Message, Participant, Utterance

WORDS_PER_SECOND = 2.6
"""Rate of speech of every scripted voice; about 155 words a minute."""
GAP_S = 0.4
"""Pause between two speakers where the script names none."""
_STREAM = "st1"
_SHORTEST_S = 0.4

GoldKind = Literal["decision", "action", "question"]
GOLD_KINDS: tuple[GoldKind, ...] = ("decision", "action", "question")


class Gold(msgspec.Struct, frozen=True, kw_only=True):
    """One item the notes should hold; ``turns`` are the ids of the turns it stands on."""

    kind: GoldKind
    text: str
    turns: tuple[str, ...]
    status: Status = "open"
    owner: str | None = None
    due: str | None = None


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A scripted meeting as a transcript with times, and its gold items.

    ``turn_of`` tells which turn of the script an utterance or message id comes from. ``events``
    are the bodies of the meeting's log with the meeting time at which each is known, by time.
    """

    name: str
    title: str
    zone: str
    started_ms: int
    ended_ms: int
    participants: tuple[Participant, ...]
    utterances: tuple[Utterance, ...]
    messages: tuple[Message, ...]
    turn_of: dict[str, str]
    gold: tuple[Gold, ...]
    traps: tuple[str, ...] = ()
    events: tuple[tuple[int, ev.Body], ...] = ()


def load_folder(folder: Path) -> list[Case]:
    """All cases of a folder by file name. Raises NotFound if there are none, BadInput."""
    if not folder.is_dir():
        raise NotFound(f"{folder}: no such folder")
    files = sorted(p for p in folder.iterdir() if p.suffix in (".yaml", ".yml"))
    if not files:
        raise NotFound(f"{folder}: no cases here (*.yaml)")
    return [load(file) for file in files]


def load(file: Path) -> Case:
    """One case. Raises BadInput that names the file and the key at fault."""
    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise NotFound(f"{file}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{file}: is not UTF-8 text") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}" if mark else ""
        raise BadInput(
            f"{file}{where}: is not YAML ({getattr(error, 'problem', error)})"
        ) from error
    return _Script(file, data).case()


_TOP = {"title", "kind", "product", "zone", "start", "participants", "turns", "gold", "traps"}
_PERSON = {"id", "user_id", "name", "voice"}
_GOLD = {
    "decisions": {"text", "evidence", "status"},
    "actions": {"text", "evidence", "status", "owner", "due"},
    "questions": {"text", "evidence", "status"},
}
_STATUSES = {
    "decision": ("open", "retracted"),
    "action": ("open", "done", "retracted"),
    "question": ("open", "answered"),
}
_STEPS: dict[str, set[str]] = {
    "say": {"who", "id", "gap", "say"},
    "chat": {"who", "id", "gap", "chat"},
    "silence": {"silence"},
    "lost": {"lost", "media"},
    "mute": {"mute"},
    "unmute": {"unmute"},
    "join": {"join"},
    "leave": {"leave"},
}


class _Script:
    """Reads one file; every method raises BadInput with the key it could not use."""

    def __init__(self, file: Path, data: Any) -> None:
        self._file = file
        self._data = self._mapping(data, "the file", _TOP)

    def case(self) -> Case:
        data = self._data
        zone = self._text(data, "zone", "")
        started_ms = self._start(zone)
        people = self._people()
        steps = [
            self._mapping(step, f"turns[{n}]", None)
            for n, step in enumerate(self._list(data, "turns", ""))
        ]
        told = _Telling(self, people, steps, started_ms)
        return Case(
            name=self._file.stem,
            title=self._text(data, "title", ""),
            zone=zone,
            started_ms=started_ms,
            ended_ms=told.now_ms,
            participants=tuple(told.participants.values()),
            utterances=tuple(told.utterances),
            messages=tuple(told.messages),
            turn_of=told.turn_of,
            gold=tuple(self._gold(told.turns)),
            traps=tuple(str(trap) for trap in self._list(data, "traps", "", missing=[])),
            events=tuple(self._events(told, zone, started_ms)),
        )

    def fail(self, key: str, problem: str) -> BadInput:
        return BadInput(f"{self._file}: {key}: {problem}")

    def step_kind(self, step: Mapping[str, Any], key: str) -> str:
        """Which kind of turn a step is, with its keys checked."""
        kinds = [kind for kind in _STEPS if kind in step]
        if len(kinds) != 1:
            raise self.fail(key, f"needs exactly one of {', '.join(_STEPS)}")
        self._mapping(step, key, _STEPS[kinds[0]])
        return kinds[0]

    def seconds(self, step: Mapping[str, Any], name: str, key: str, least: float) -> float:
        value = step[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or value < least:
            raise self.fail(f"{key}.{name}", f"needs seconds, at least {least:g}")
        return float(value)

    def person(self, step: Mapping[str, Any], name: str, key: str, known: Mapping[str, Any]) -> str:
        who = step.get(name)
        if who not in known:
            raise self.fail(f"{key}.{name}", f"{who!r} is not among the participants' ids")
        return str(who)

    def _mapping(self, value: Any, key: str, allowed: set[str] | None) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.fail(key, "needs keys and values")
        unknown = [] if allowed is None else sorted(str(k) for k in value if k not in allowed)
        if unknown:
            raise self.fail(key, f"unknown key {unknown[0]!r}")
        return value

    def _list(self, data: Mapping[str, Any], name: str, where: str, missing: Any = None) -> Any:
        value = data.get(name, missing)
        if not isinstance(value, list):
            raise self.fail(where + name, "needs a list")
        return value

    def _text(self, data: Mapping[str, Any], name: str, where: str) -> str:
        value = data.get(name)
        if not isinstance(value, str) or not value.strip():
            raise self.fail(where + name, "needs text")
        return value

    def text(self, data: Mapping[str, Any], name: str, where: str) -> str:
        return self._text(data, name, f"{where}.")

    def _start(self, zone: str) -> int:
        value = self._data.get("start")
        try:
            local = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        except ValueError:
            raise self.fail("start", "needs a time such as 2026-11-24T10:00:00") from None
        try:
            return round(local.replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)
        except (ZoneInfoNotFoundError, ValueError):
            raise self.fail("zone", f"{zone!r} is no IANA time zone") from None

    def _people(self) -> dict[str, Participant]:
        people: dict[str, Participant] = {}
        for n, entry in enumerate(self._list(self._data, "participants", "")):
            key = f"participants[{n}]"
            person = self._mapping(entry, key, _PERSON)
            name = self.text(person, "id", key)
            if name in people:
                raise self.fail(f"{key}.id", f"{name!r} is there twice")
            user = person.get("user_id")
            if not isinstance(user, int):
                raise self.fail(f"{key}.user_id", "needs a number")
            people[name] = Participant(id=str(user), name=self.text(person, "name", key))
        if not people:
            raise self.fail("participants", "nobody is there")
        return people

    def _gold(self, turns: set[str]) -> Iterator[Gold]:
        gold = self._mapping(self._data.get("gold"), "gold", set(_GOLD))
        for kind in GOLD_KINDS:
            group = f"{kind}s"
            for n, entry in enumerate(self._list(gold, group, "gold.", missing=[])):
                key = f"gold.{group}[{n}]"
                item = self._mapping(entry, key, _GOLD[group])
                evidence = self._list(item, "evidence", f"{key}.")
                for ref in evidence:
                    if ref not in turns:
                        raise self.fail(f"{key}.evidence", f"{ref!r} is not the id of a turn")
                status = item.get("status", "open")
                if status not in _STATUSES[kind]:
                    raise self.fail(f"{key}.status", f"needs one of {', '.join(_STATUSES[kind])}")
                due = item.get("due")
                yield Gold(
                    kind=kind,
                    text=self.text(item, "text", key),
                    turns=tuple(evidence),
                    status=status,
                    owner=item.get("owner"),
                    due=None if due is None else str(due),
                )

    def _events(self, told: _Telling, zone: str, started_ms: int) -> Iterator[tuple[int, ev.Body]]:
        product = self._data.get("product", "meeting")
        try:
            opened = msgspec.convert(product, ev.Product)
        except msgspec.ValidationError:
            raise self.fail("product", f"{product!r} is none of Zoom's products") from None
        yield (
            started_ms,
            ev.MeetingOpened(
                product=opened,
                zoom_id=self._file.stem,
                started_ms=started_ms,
                zone=zone,
                title=self._data["title"],
            ),
        )
        yield from sorted(told.events, key=lambda timed: timed[0])
        yield told.now_ms, ev.MeetingEnded(at_ms=told.now_ms)


class _Telling:
    """Goes through the turns with a clock and keeps what reaches the transcript."""

    def __init__(
        self,
        script: _Script,
        people: Mapping[str, Participant],
        steps: list[dict[str, Any]],
        started_ms: int,
    ) -> None:
        self._script = script
        self._people = people
        self.now_ms = started_ms
        self.turns: set[str] = set()
        self.turn_of: dict[str, str] = {}
        self.utterances: list[Utterance] = []
        self.messages: list[Message] = []
        self.events: list[tuple[int, ev.Body]] = []
        self.participants: dict[str, Participant] = {}
        self._muted: set[str] = set()
        self._lost_until_ms = started_ms
        self._gaps = 0
        late = {step["join"] for step in steps if "join" in step}
        for who in people:
            if who not in late:
                self._join(who)
        for n, step in enumerate(steps):
            key = f"turns[{n}]"
            getattr(self, f"_{script.step_kind(step, key)}_step")(step, key)

    def _say_step(self, step: Mapping[str, Any], key: str) -> None:
        who, turn = self._who_and_id(step, key)
        words = self._script.text(step, "say", key)
        self._pause(step, key)
        start = self.now_ms
        seconds = max(_SHORTEST_S, len(words.split()) / WORDS_PER_SECOND)
        self.now_ms = start + round(seconds * 1000)
        if who in self._muted or start < self._lost_until_ms:
            return
        utterance = Utterance(
            id=f"u{len(self.utterances) + 1}",
            stream=_STREAM,
            source="native",
            start_ms=start,
            end_ms=self.now_ms,
            text=words,
            participant=self._people[who].id,
            speaker=self._people[who].name,
        )
        self.utterances.append(utterance)
        self.turn_of[utterance.id] = turn
        self.events.append((utterance.end_ms, ev.UtteranceSaid(utterance=utterance)))

    def _chat_step(self, step: Mapping[str, Any], key: str) -> None:
        who, turn = self._who_and_id(step, key)
        self._pause(step, key)
        message = Message(
            id=f"c{len(self.messages) + 1}",
            stream=_STREAM,
            at_ms=self.now_ms,
            text=self._script.text(step, "chat", key),
            participant=self._people[who].id,
            speaker=self._people[who].name,
        )
        self.messages.append(message)
        self.turn_of[message.id] = turn
        self.events.append((message.at_ms, ev.MessageSaid(message=message)))

    def _silence_step(self, step: Mapping[str, Any], key: str) -> None:
        self.now_ms += round(self._script.seconds(step, "silence", key, 0) * 1000)

    def _lost_step(self, step: Mapping[str, Any], key: str) -> None:
        lost_ms = round(self._script.seconds(step, "lost", key, 0) * 1000)
        self._lost_until_ms = self.now_ms + lost_ms
        self._gaps += 1
        gap = Gap(
            id=f"g{self._gaps}",
            from_ms=self.now_ms,
            to_ms=self._lost_until_ms,
            media=str(step.get("media", "all")),
            cause="media_lost",
            stream=_STREAM,
        )
        self.events.append((gap.to_ms, ev.GapFound(gap=gap)))

    def _mute_step(self, step: Mapping[str, Any], key: str) -> None:
        self._muted.add(self._script.person(step, "mute", key, self._people))

    def _unmute_step(self, step: Mapping[str, Any], key: str) -> None:
        self._muted.discard(self._script.person(step, "unmute", key, self._people))

    def _join_step(self, step: Mapping[str, Any], key: str) -> None:
        self._join(self._script.person(step, "join", key, self._people))

    def _leave_step(self, step: Mapping[str, Any], key: str) -> None:
        who = self._people[self._script.person(step, "leave", key, self._people)].id
        self.events.append((self.now_ms, ev.ParticipantLeft(participant=who, at_ms=self.now_ms)))

    def _join(self, who: str) -> None:
        person = msgspec.structs.replace(self._people[who], joined_ms=self.now_ms)
        self.participants[person.id] = person
        joined = ev.ParticipantJoined(participant=person.id, name=person.name, at_ms=self.now_ms)
        self.events.append((self.now_ms, joined))

    def _who_and_id(self, step: Mapping[str, Any], key: str) -> tuple[str, str]:
        who = self._script.person(step, "who", key, self._people)
        turn = self._script.text(step, "id", key)
        if turn in self.turns:
            raise self._script.fail(f"{key}.id", f"{turn!r} is there twice")
        self.turns.add(turn)
        return who, turn

    def _pause(self, step: Mapping[str, Any], key: str) -> None:
        gap = self._script.seconds(step, "gap", key, -60) if "gap" in step else GAP_S
        self.now_ms += round(gap * 1000)
