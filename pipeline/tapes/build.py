"""A tape from a scripted meeting and its rendered voices. Pure: same input, same lines."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.base.errors import BadInput
from pipeline.tapes import opus
from pipeline.tapes.header import TapeHeader, TapeParticipant
from pipeline.tapes.lines import (
    Line,
    LostMark,
    Packed,
    SocketName,
    TapeAudio,
    TapeMessage,
)
from pipeline.tapes.schedule import CLOSING_MS, Placed, schedule
from pipeline.tapes.script import Actor, Script, Turn

Pcm = NDArray[np.int16]

PACKETS_A_LINE: Final = 25
LEAD_MS: Final = 100
"""Zoom's gate opens a little before the voice and closes a little after it."""
HANG_MS: Final = 300
TRANSCRIPT_DELAY_MS: Final = 800
_SPEAKER_DELAY_MS: Final = 400
_CHAT_DELAY_MS: Final = 150
_LEVEL: Final = 10 ** (-22 / 20)  # of full scale, RMS over voiced parts
_PEAK: Final = 10 ** (-1 / 20)
_ENGLISH: Final = 9  # RTMS_TRANSCRIPT_LANGUAGE
_MEETING_ENDED: Final = 6


def trimmed(pcm: Pcm, *, rate: int = opus.RATE) -> Pcm:
    """The sound without the silence around it. Raises BadInput when there is no sound."""
    size = rate // 100
    frames = pcm[: len(pcm) // size * size].reshape(-1, size).astype(np.float64)
    loud = np.flatnonzero(np.sqrt((frames**2).mean(axis=1)) > 60.0)
    if not len(loud):
        raise BadInput("a turn was rendered as silence")
    return pcm[loud[0] * size : (loud[-1] + 1) * size]


def levelled(pcm: Pcm, *, rate: int = opus.RATE) -> Pcm:
    """The same loudness for every voice: RMS of the voiced parts, peaks held below -1 dBFS."""
    size = rate // 50
    sound = pcm.astype(np.float64) / 32768
    frames = sound[: len(sound) // size * size].reshape(-1, size)
    power = (frames**2).mean(axis=1)
    voiced = power[power > power.max() * 10**-3]
    gained = sound * (_LEVEL / np.sqrt(voiced.mean()))
    knee = 0.5
    over = np.abs(gained) > knee
    soft = knee + (_PEAK - knee) * np.tanh((np.abs(gained) - knee) / (_PEAK - knee))
    held: Pcm = np.round(np.where(over, np.sign(gained) * soft, gained) * 32767).astype(np.int16)
    return held


def build(
    script: Script, voices: Mapping[int, Pcm], *, credit: str = ""
) -> tuple[TapeHeader, list[Line]]:
    """Header and lines. ``voices``: mono int16 at 16 kHz by the index of each ``say`` turn.

    Words said while muted are in no stream and no transcript; words said inside a loss that is
    not replayed are in no transcript. Raises BadInput for a script that does not hold together.
    """
    sounds = {index: levelled(trimmed(pcm)) for index, pcm in voices.items()}
    lengths = {index: len(pcm) * 1000 // opus.RATE for index, pcm in sounds.items()}
    placed = schedule(script, lengths)
    end = max(p.end for p in placed) + CLOSING_MS
    maker = _Maker(script, placed)
    lines: list[Line] = [*maker.opening()]
    for index, place in enumerate(placed):
        lines += maker.turn(place, sounds.get(index))
    lines += maker.speakers()
    lines += maker.closing(end)
    lines.sort(key=lambda line: line.t)  # stable: made in the same order every time
    header = TapeHeader(
        product=script.product,
        id=maker.zoom_id,
        stream=maker.stream,
        title=script.title,
        zone=script.zone,
        start_ms=script.start_ms,
        duration_ms=lines[-1].t,
        participants=tuple(
            TapeParticipant(user_id=a.user_id, user_name=a.name) for a in script.participants
        ),
        audio=(opus.CODING,),
        credits=credit,
    )
    return header, lines


class _Maker:
    """Turns placed turns into wire messages."""

    def __init__(self, script: Script, placed: Sequence[Placed]) -> None:
        self._script = script
        self._placed = placed
        self._start = script.start_ms
        seed = hashlib.sha256(f"{script.title} {script.start}".encode()).digest()
        self.zoom_id = base64.b64encode(seed[:16]).decode()
        self.stream = seed[16:].hex()
        self._session = hashlib.sha256(seed).hexdigest()[:32]
        self._holes = [
            (p.start, p.start + round(p.turn.lost * 1000))
            for p in placed
            if p.turn.lost is not None and not p.turn.replay
            if p.turn.media in ("all", "transcript")
        ]

    def opening(self) -> Iterable[Line]:
        late = {p.turn.join for p in self._placed if p.turn.join}
        present = [a for a in self._script.participants if a.id not in late]
        yield self._session_state(0, 2, 0)
        yield self._stream_state(0, 1, 0)
        yield self._joined(0, present)
        heard = [p for p in self._placed if p.turn.say is not None and not p.muted]
        if heard:
            at = max(0, heard[0].start - LEAD_MS)
            yield self._event(at, 1, at)

    def turn(self, place: Placed, sound: Pcm | None) -> Iterable[Line]:
        turn = place.turn
        match turn.kind:
            case "say" if not place.muted:
                assert sound is not None
                actor = self._script.actor(turn.who)
                yield from self._audio(actor, place.start, sound)
                if not any(a <= place.start < b for a, b in self._holes):
                    yield self._transcript(actor, turn, place)
            case "chat":
                yield self._chat(self._script.actor(turn.who), turn, place.start)
            case "join":
                yield self._joined(place.start, [self._script.actor(turn.join)])
            case "leave":
                yield self._left(place.start, self._script.actor(turn.leave))
            case "lost":
                yield LostMark(
                    t=place.start,
                    media=turn.media,
                    ms=round((turn.lost or 0) * 1000),
                    replay=turn.replay,
                )
            case _:
                pass

    def speakers(self) -> Iterable[Line]:
        """Zoom names a new speaker when somebody has held the floor for a moment."""
        active: str | None = None
        for place in self._placed:
            turn = place.turn
            long_enough = place.end - place.start > _SPEAKER_DELAY_MS
            if turn.say is not None and not place.muted and long_enough and turn.who != active:
                active = turn.who
                actor = self._script.actor(active)
                at = place.start + _SPEAKER_DELAY_MS
                yield self._event(at, 2, at, user_id=actor.user_id, user_name=actor.name)

    def closing(self, end: int) -> Iterable[Line]:
        gone = {p.turn.leave for p in self._placed if p.turn.leave}
        present = [a for a in self._script.participants if a.id not in gone]
        for number, actor in enumerate(present):
            yield self._left(end + 200 * number, actor)
        last = end + 200 * len(present) + 300
        yield self._session_state(last, 5, _MEETING_ENDED)
        yield self._stream_state(last, 4, _MEETING_ENDED)

    def _audio(self, actor: Actor, start: int, sound: Pcm) -> Iterable[Line]:
        lead = min(LEAD_MS, start)
        quiet = np.zeros(HANG_MS * opus.RATE // 1000, np.int16)
        spurt = np.concatenate([quiet[: lead * opus.RATE // 1000], sound, quiet])
        packets = opus.encode(spurt)
        begin = start - lead
        for number in range(0, len(packets), PACKETS_A_LINE):
            at = begin + number * opus.PACKET_MS
            yield TapeAudio(
                t=at,
                packed=Packed(
                    user_id=actor.user_id,
                    timestamp=self._start + at,
                    first=number == 0,
                    last=number + PACKETS_A_LINE >= len(packets),
                    packets=tuple(packets[number : number + PACKETS_A_LINE]),
                ),
            )

    def _transcript(self, actor: Actor, turn: Turn, place: Placed) -> Line:
        at = place.end + TRANSCRIPT_DELAY_MS
        content = {
            "user_id": actor.user_id,
            "user_name": actor.name,
            "start_time": self._start + place.start,
            "end_time": self._start + place.end,
            "timestamp": self._start + at,
            "language": _ENGLISH,
            "attribute": 1,
            "data": turn.say,
        }
        return self._message(at, "transcript", 17, content=content)

    def _chat(self, actor: Actor, turn: Turn, at: int) -> Line:
        key = f"{self.stream} {turn.id} {turn.chat}"
        sender = {"user_id": actor.user_id, "user_name": actor.name}
        data = {
            "data": turn.chat,
            "chat_session": {"type": 1, "id": ""},
            "operation_type": 1,
            "message_id": hashlib.sha256(key.encode()).hexdigest()[:32].upper(),
            "sender": sender,
        }
        content = {**sender, "timestamp": self._start + at, "data": data}
        return self._message(at + _CHAT_DELAY_MS, "chat", 18, content=content)

    def _joined(self, at: int, actors: Sequence[Actor]) -> Line:
        people = [{"user_id": a.user_id, "user_name": a.name} for a in actors]
        return self._event(at, 3, at, participants=people)

    def _left(self, at: int, actor: Actor) -> Line:
        return self._event(at, 4, at, participants=[{"user_id": actor.user_id}])

    def _event(self, t: int, kind: int, at: int, **fields: Any) -> Line:
        event = {"event_type": kind, "timestamp": self._start + at, **fields}
        return self._message(t, "signaling", 6, event=event)

    def _stream_state(self, t: int, state: int, reason: int) -> Line:
        return self._message(
            t, "signaling", 8, state=state, reason=reason, timestamp=self._start + t
        )

    def _session_state(self, t: int, state: int, reason: int) -> Line:
        return self._message(
            t,
            "signaling",
            9,
            rtms_session_id=self._session,
            state=state,
            reason=reason,
            stop_reason=reason,
            timestamp=self._start + t,
        )

    @staticmethod
    def _message(t: int, socket: SocketName, kind: int, **fields: Any) -> Line:
        raw = msgspec.json.encode({"msg_type": kind, **fields})
        return TapeMessage(t=t, socket=socket, msg=msgspec.Raw(raw))
