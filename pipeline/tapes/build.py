"""A tape from a scripted meeting and its rendered voices. Pure: same input, same lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.base.errors import BadInput
from pipeline.tapes import opus
from pipeline.tapes.header import TapeHeader
from pipeline.tapes.lines import Line, LostMark, Packed, TapeAudio
from pipeline.tapes.schedule import CLOSING_MS, Placed, schedule
from pipeline.tapes.script import Actor, Script
from pipeline.tapes.wire_lines import WireLines

Pcm = NDArray[np.int16]

PACKETS_A_LINE: Final = 25
LEAD_MS: Final = 100
"""Zoom's gate opens a little before the voice and closes a little after it."""
HANG_MS: Final = 300
SPEAKER_DELAY_MS: Final = 400
_SHORTEST_MS: Final = 400
_MS_A_CHARACTER: Final = 65  # 150 words a minute
_LEVEL: Final = 10 ** (-22 / 20)  # of full scale, RMS over voiced parts
_PEAK: Final = 10 ** (-1 / 20)


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
    script: Script, voices: Mapping[int, Pcm] | None = None, *, credit: str = ""
) -> tuple[TapeHeader, list[Line]]:
    """Header and lines. ``voices``: mono int16 at 16 kHz by the index of each ``say`` turn;
    without them the tape has the words but no sound.

    Words said while muted are in no stream and no transcript; words said inside a loss that is
    not replayed are in no transcript. Raises BadInput for a script that does not hold together.
    """
    sounds = {index: levelled(trimmed(pcm)) for index, pcm in (voices or {}).items()}
    lengths = {
        index: len(sounds[index]) * 1000 // opus.RATE if index in sounds else spoken_ms(turn.say)
        for index, turn in enumerate(script.turns)
        if turn.say is not None
    }
    if not script.turns:
        raise BadInput("the script has no turns")
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
        id=maker.words.zoom_id,
        stream=maker.words.stream,
        title=script.title,
        zone=script.zone,
        start_ms=script.start_ms,
        duration_ms=lines[-1].t,
        participants=tuple(actor.participant for actor in script.participants),
        audio=(opus.CODING,) if sounds else (),
        credits=credit,
    )
    return header, lines


def spoken_ms(text: str) -> int:
    """How long somebody takes to say this, when nobody does."""
    return max(_SHORTEST_MS, len(text) * _MS_A_CHARACTER) // 20 * 20


class _Maker:
    """Turns placed turns into wire messages."""

    def __init__(self, script: Script, placed: Sequence[Placed]) -> None:
        self._script = script
        self._placed = placed
        self._start = script.start_ms
        self.words = WireLines(script.start_ms, f"{script.title} {script.start}")
        self._holes = [
            (p.start, p.start + round(p.turn.lost * 1000))
            for p in placed
            if p.turn.lost is not None and not p.turn.replay
            if p.turn.media in ("all", "transcript")
        ]

    def opening(self) -> Iterable[Line]:
        late = {p.turn.join for p in self._placed if p.turn.join}
        yield from self.words.opening()
        yield self.words.joined(0, [a.participant for a in self._actors if a.id not in late])
        heard = [p for p in self._placed if p.turn.say is not None and not p.muted]
        if heard:
            at = max(0, heard[0].start - LEAD_MS)
            yield self.words.event(at, 1, at)

    def turn(self, place: Placed, sound: Pcm | None) -> Iterable[Line]:
        turn = place.turn
        match turn.kind:
            case "say" if not place.muted:
                actor = self._script.actor(turn.who)
                if sound is not None:
                    yield from self._audio(actor, place.start, sound)
                if not any(a <= place.start < b for a, b in self._holes):
                    said = turn.say or ""
                    yield self.words.transcript(actor.participant, place.start, place.end, said)
            case "chat":
                actor = self._script.actor(turn.who)
                key = f"{turn.id} {turn.chat}"
                yield self.words.chat(actor.participant, place.start, turn.chat or "", key)
            case "join":
                yield self.words.joined(place.start, [self._script.actor(turn.join).participant])
            case "leave":
                yield self.words.left(place.start, self._script.actor(turn.leave).participant)
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
            long_enough = place.end - place.start > SPEAKER_DELAY_MS
            if turn.say is not None and not place.muted and long_enough and turn.who != active:
                active = turn.who
                actor = self._script.actor(active)
                yield self.words.speaker(place.start + SPEAKER_DELAY_MS, actor.participant)

    def closing(self, end: int) -> Iterable[Line]:
        gone = {p.turn.leave for p in self._placed if p.turn.leave}
        return self.words.closing(end, [a.participant for a in self._actors if a.id not in gone])

    @property
    def _actors(self) -> tuple[Actor, ...]:
        return self._script.participants

    def _audio(self, actor: Actor, start: int, sound: Pcm) -> Iterable[Line]:
        lead = min(LEAD_MS, start)
        quiet = np.zeros(HANG_MS * opus.RATE // 1000, np.int16)
        spurt = np.concatenate([quiet[: lead * opus.RATE // 1000], sound, quiet])
        return packed_lines(
            actor.user_id, start - lead, self._start, opus.encode(spurt), opus.PACKET_MS
        )


def packed_lines(
    user_id: int, begin: int, start_ms: int, packets: Sequence[bytes], packet_ms: int
) -> Iterable[Line]:
    """A whole spurt that begins at ``begin`` (ms from the tape's start, Unix ``start_ms``)."""
    for number in range(0, len(packets), PACKETS_A_LINE):
        at = begin + number * packet_ms
        yield TapeAudio(
            t=at,
            packed=Packed(
                user_id=user_id,
                timestamp=start_ms + at,
                first=number == 0,
                last=number + PACKETS_A_LINE >= len(packets),
                packets=tuple(packets[number : number + PACKETS_A_LINE]),
            ),
        )
