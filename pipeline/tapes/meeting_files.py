"""A tape from recordings and transcripts: one sound file a person, or one of everybody.

Sound is read and written piece by piece; only the words are held whole.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import msgspec

from pipeline.base.errors import BadInput, NotFound
from pipeline.tapes import flac, opus
from pipeline.tapes.build import (
    HANG_MS,
    PACKETS_A_LINE,
    SPEAKER_DELAY_MS,
    levelled,
    packed_lines,
    spoken_ms,
    trimmed,
)
from pipeline.tapes.header import AudioCoding, TapeHeader, TapeParticipant
from pipeline.tapes.lines import Line, Packed, TapeAudio
from pipeline.tapes.schedule import CLOSING_MS
from pipeline.tapes.sound import Pcm, Piece, look, samples, spurts, whole
from pipeline.tapes.transcripts import Words
from pipeline.tapes.voices import Synthesizer
from pipeline.tapes.wire_lines import WireLines

FIRST_ID: Final = 16_778_240
"""Zoom's ids look so and lie ``ID_STEP`` apart."""
ID_STEP: Final = 1_024
NOBODY: Final = "Speaker"
"""Who says words that no name stands beside."""
LARGEST_IMAGE: Final = 16 << 20
_LOSSLESS_RATES: Final = (8_000, 16_000, 32_000, 48_000)
_MIXED: Final = 1  # MEDIA_DATA_OPTION: a player knows that there are no voices apart
_GAP_MS: Final = 700  # between words without times


class Voice(NamedTuple):
    """A sound file and whose; no name: the file's own name tells."""

    path: Path
    name: str | None = None


class Shared(NamedTuple):
    """An image that is shown from ``at_ms`` on."""

    path: Path
    at_ms: int


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """What a tape is to be made of. ``start_ms`` in Unix ms."""

    voices: tuple[Voice, ...] = ()
    words: tuple[Words, ...] = ()
    shared: tuple[Shared, ...] = ()
    mixed: bool = False
    """The one sound file is of everybody."""
    lossless: bool = False
    title: str = ""
    zone: str = "UTC"
    start_ms: int
    credit: str = ""


class _Packer(Protocol):
    coding: AudioCoding

    def feed(self, pcm: Pcm) -> list[bytes]: ...
    def finish(self) -> list[bytes]: ...


def build_meeting(
    source: Source, *, engine: Synthesizer | None = None, tell: Callable[[int], None] | None = None
) -> tuple[TapeHeader, Iterator[Line]]:
    """Header and lines, in order, made while they are taken; ``tell`` hears the ms made.

    ``engine`` speaks the words where there is no sound file. Raises BadInput, NotFound; the lines
    raise BadInput for a sound file that is broken further in.
    """
    if not source.voices and not source.words:
        raise BadInput("nothing to build from: give sound files, a transcript or a script")
    if source.mixed and len(source.voices) != 1:
        raise BadInput("a mixed meeting has exactly one sound file")
    meeting = _Meeting(source)
    spoken = meeting.spoken(engine) if engine is not None and not source.voices else []
    header = TapeHeader(
        version=2 if source.lossless and source.voices else 1,
        id=meeting.lines.zoom_id,
        stream=meeting.lines.stream,
        title=source.title,
        zone=source.zone,
        start_ms=source.start_ms,
        participants=tuple(meeting.people.values()),
        parameters={"audio": {"data_opt": _MIXED}} if source.mixed else {},
        audio=meeting.codings or ((opus.CODING,) if spoken else ()),
        credits=source.credit,
    )
    return header, _told(meeting.all(spoken), tell)


def _told(lines: Iterator[Line], tell: Callable[[int], None] | None) -> Iterator[Line]:
    for line in lines:
        yield line
        if tell is not None:
            tell(line.t)


class _Meeting:
    """People, times and lines of one source."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.people: dict[str, TapeParticipant] = {}
        self.codings: tuple[AudioCoding, ...] = ()
        self._owners: list[int] = []  # user id of each sound file
        self._rates: list[tuple[int, int]] = []  # rate and channels of each
        self._meet()
        seed = f"{source.title} {source.start_ms} {sorted(self.people)}"
        self.lines = WireLines(source.start_ms, seed)
        self._flac = flac.FlacEncoder()
        self._images = [_image(shared.path) for shared in source.shared]
        self.words = self._timed()
        for voice in source.voices:
            self._listen(voice)

    # -- who ----------------------------------------------------------------------------

    def _meet(self) -> None:
        source = self._source
        labels = list(dict.fromkeys(w.speaker for w in source.words if w.speaker))
        if not source.mixed:
            for voice in source.voices:
                name = voice.name or _label_of(voice.path.stem, labels)
                if name in self.people:
                    raise BadInput(f"{voice.path}: two sound files of {name!r}")
                self._owners.append(self._person(name).user_id)
        else:
            self._owners.append(0)
        for label in labels:
            self._person(label)
        if any(w.speaker is None for w in source.words) and not self._only_voice:
            self._person(NOBODY)

    @property
    def _only_voice(self) -> TapeParticipant | None:
        """Unnamed words are of the one person there is sound of."""
        named = list(self.people.values())
        return named[0] if len(self._owners) == 1 and self._owners[0] else None

    def _person(self, name: str) -> TapeParticipant:
        if name not in self.people:
            user_id = FIRST_ID + ID_STEP * len(self.people)
            self.people[name] = TapeParticipant(user_id=user_id, user_name=name)
        return self.people[name]

    def _who(self, words: Words) -> TapeParticipant:
        if words.speaker is not None:
            return self.people[words.speaker]
        return self._only_voice or self.people[NOBODY]

    # -- when ---------------------------------------------------------------------------

    def _timed(self) -> list[tuple[TapeParticipant, int, int, str]]:
        """Who, from, to, what; words without times follow one another."""
        found = []
        cursor = 0
        for words in self._source.words:
            start, end = words.start_ms, words.end_ms
            if start is None and self._source.voices:
                raise BadInput(
                    "the transcript has no times, so it cannot be laid beside sound files;"
                    " build from it alone, or give one with times"
                )
            start = cursor + _GAP_MS if start is None else start
            end = start + spoken_ms(words.text) if end is None else end
            cursor = max(cursor, end)
            found.append((self._who(words), start, end, words.text))
        return found

    # -- what ---------------------------------------------------------------------------

    def all(self, spoken: Sequence[Line]) -> Iterator[Line]:
        """Every line in order of time."""
        files = [
            _peeked(self._sound(number, voice)) for number, voice in enumerate(self._source.voices)
        ]
        begins = [line.t for line, _ in files if line is not None]
        begins += [line.t for line in spoken[:1]] or [start for _, start, _, _ in self.words[:1]]
        fixed = [*self.lines.opening()]
        if self.people:
            fixed.append(self.lines.joined(0, list(self.people.values())))
        if begins:
            fixed.append(self.lines.event(min(begins), 1, min(begins)))
        for who, start, end, text in self.words:
            fixed.append(self.lines.transcript(who, start, end, text))
        fixed += [*self._speakers(), *self._shared()]
        fixed.sort(key=lambda line: line.t)
        end = 0
        for line in heapq.merge(
            fixed, spoken, *(rest for _, rest in files), key=lambda line: line.t
        ):
            length = len(line.packed.packets) * 20 if isinstance(line, TapeAudio) else 0
            end = max(end, line.t + length)
            yield line
        end += CLOSING_MS
        if self._images:
            yield self.lines.event(end, 6, end)
        yield from self.lines.closing(end, list(self.people.values()))

    def spoken(self, engine: Synthesizer) -> list[Line]:
        """The words by a synthesizer; their ends move to where the sound ends."""
        lines: list[Line] = []
        free: dict[int, int] = {}
        voices = {
            person.user_id: engine.voice_for("", name, number)
            for number, (name, person) in enumerate(self.people.items())
        }
        for place, (who, wanted, _, text) in enumerate(self.words):
            sound = levelled(trimmed(engine.say(voices[who.user_id], text)))
            start = max(wanted, free.get(who.user_id, 0)) // 20 * 20
            end = start + len(sound) * 1000 // opus.RATE
            packets = opus.encode(sound)
            free[who.user_id] = start + len(packets) * opus.PACKET_MS + HANG_MS
            lines += packed_lines(
                who.user_id, start, self._source.start_ms, packets, opus.PACKET_MS
            )
            self.words[place] = (who, start, end, text)
        lines.sort(key=lambda line: line.t)
        return lines

    def _listen(self, voice: Voice) -> None:
        """Choose how a file's sound is packed."""
        found = look(voice.path)
        if not self._source.lossless:
            self._rates.append((opus.RATE, 1))
            coding = opus.CODING
        else:
            rate = next((r for r in _LOSSLESS_RATES if r >= found.rate), 48_000)
            channels = 2 if self._source.mixed and found.channels > 1 else 1
            self._rates.append((rate, channels))
            coding = flac.coding(rate, channels, opus.PACKET_MS)
        if coding not in self.codings:
            self.codings += (coding,)

    def _sound(self, number: int, voice: Voice) -> Iterator[Line]:
        rate, channels = self._rates[number]
        pieces = samples(voice.path, rate, channels)
        found = whole(pieces, rate) if self._source.mixed else spurts(pieces, rate)
        packer: _Packer | None = None
        for piece in found:
            if piece.first or packer is None:
                packer = self._packer(rate, channels)
                lines = _SpurtLines(
                    self._owners[number],
                    self.codings.index(packer.coding),
                    piece.at * 1000 // rate,
                    self._source.start_ms,
                )
            yield from lines.add(_packed(packer, piece), last=piece.last)

    def _packer(self, rate: int, channels: int) -> _Packer:
        if self._source.lossless:
            coding = flac.coding(rate, channels, opus.PACKET_MS)
            return flac.FlacPacker(coding, self._flac)
        return opus.OpusEncoder()

    def _speakers(self) -> Iterable[Line]:
        active: int | None = None
        for who, start, end, _ in self.words:
            if end - start > SPEAKER_DELAY_MS and who.user_id != active:
                active = who.user_id
                yield self.lines.speaker(start + SPEAKER_DELAY_MS, who)

    def _shared(self) -> Iterable[Line]:
        if not self._images:
            return
        if not self.people:
            raise BadInput("nobody is there to share an image; give sound files or a transcript")
        who = next(iter(self.people.values()))
        begin = min(shared.at_ms for shared in self._source.shared)
        person = {"user_id": who.user_id, "user_name": who.user_name}
        yield self.lines.event(begin, 5, begin, **person)
        for shared, image in zip(self._source.shared, self._images, strict=True):
            yield self.lines.share(who, shared.at_ms, image)


class _SpurtLines:
    """Packets of one spurt to lines of half a second."""

    def __init__(self, user_id: int, coding: int, begin: int, start_ms: int) -> None:
        self._user_id = user_id
        self._coding = coding
        self._at = begin
        self._start = start_ms
        self._first = True
        self._held: list[bytes] = []

    def add(self, packets: Sequence[bytes], *, last: bool) -> Iterator[Line]:
        self._held += packets
        while len(self._held) > PACKETS_A_LINE or (last and self._held):
            now, self._held = self._held[:PACKETS_A_LINE], self._held[PACKETS_A_LINE:]
            yield TapeAudio(
                t=self._at,
                packed=Packed(
                    coding=self._coding,
                    user_id=self._user_id,
                    timestamp=self._start + self._at,
                    first=self._first,
                    last=last and not self._held,
                    packets=tuple(now),
                ),
            )
            self._first = False
            self._at += len(now) * opus.PACKET_MS


def _packed(packer: _Packer, piece: Piece) -> list[bytes]:
    packets = packer.feed(piece.pcm)
    return packets + packer.finish() if piece.last else packets


def _peeked(lines: Iterator[Line]) -> tuple[Line | None, Iterator[Line]]:
    first = next(lines, None)
    return first, lines if first is None else chain((first,), lines)


def _label_of(stem: str, labels: Sequence[str]) -> str:
    """The transcript's name for a file: ``anna_miller.wav`` is ``Anna Miller``."""
    plain = _folded(stem)
    for label in labels:
        if _folded(label) == plain:
            return label
    return " ".join(re.split(r"[\s_]+", stem)).strip() or stem


def _folded(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())


def _image(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            image = file.read(LARGEST_IMAGE + 1)
    except FileNotFoundError:
        raise NotFound(f"{path}: no such image") from None
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from error
    if not image.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")):
        raise BadInput(f"{path}: not a JPEG or PNG image")
    if len(image) > LARGEST_IMAGE:
        raise BadInput(f"{path}: larger than {LARGEST_IMAGE >> 20} MiB")
    return image
