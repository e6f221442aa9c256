"""A meeting as the fold of its log. The store's projections must equal this (tested)."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pipeline.model import events as ev
from pipeline.model.happening import Clip, FaultSeen, Happening, HappeningKind, Image
from pipeline.model.notes import Notes, apply
from pipeline.model.speech import (
    SHOWN,
    Gap,
    Message,
    Participant,
    Reaction,
    Recording,
    Segment,
    Utterance,
)
from pipeline.model.view import MeetingView, StageHealth, StreamView


class MeetingState:
    """Everything a reader may want to know of one meeting, in memory.

    Utterances, messages, participants and gaps are kept by id with their latest revision;
    ``pending`` are the segments that still have to be transcribed.
    """

    def __init__(self, meeting: str) -> None:
        self.meeting = meeting
        self.opened: ev.MeetingOpened | None = None
        self.ended: ev.MeetingEnded | None = None
        self.finished: ev.MeetingFinished | None = None
        self.last_seq = 0
        self.covered_seq = 0
        self.streams: dict[str, StreamView] = {}
        self.participants: dict[str, Participant] = {}
        self.segments: dict[str, Segment] = {}
        self.outcomes: dict[str, ev.SegmentClosed] = {}
        self.utterances: dict[str, Utterance] = {}
        self.messages: dict[str, Message] = {}
        self.gaps: dict[str, Gap] = {}
        self.happenings: dict[str, Happening] = {}
        self.images: dict[str, Image] = {}
        self.clips: dict[str, Clip] = {}
        self.faults: dict[str, FaultSeen] = {}  # by "socket reason"
        self.sessions: dict[str, str] = {}
        self.recordings: dict[str, Recording] = {}
        self.doubts: dict[str, str] = {}  # why, by segment; not resolved
        self.chat_groups: dict[str, str] = {}
        self.stages: dict[str, StageHealth] = {}
        self.calls: list[ev.LlmCalled] = []
        self.notes = Notes()
        self.final = False
        self.seqs: dict[str, int] = {}  # of the event that gave each word's latest revision

    @classmethod
    def replay(cls, meeting: str, events: Iterable[ev.Event]) -> MeetingState:
        """The state after all ``events`` of one meeting."""
        state = cls(meeting)
        for event in events:
            state.apply(event)
        return state

    @property
    def pending(self) -> list[Segment]:
        """Segments that are durable but not settled, oldest first."""
        return [s for s in self.segments.values() if s.id not in self.outcomes]

    def transcript(self) -> list[Utterance]:
        """Utterances to show, by start time."""
        shown = (u for u in self.utterances.values() if u.role in SHOWN and not u.deleted)
        return sorted(shown, key=lambda u: (u.start_ms, u.end_ms, int(u.id[1:])))

    def chat(self) -> list[Message]:
        """Chat messages to show, by time."""
        shown = (m for m in self.messages.values() if not m.deleted)
        return sorted(shown, key=lambda m: (m.at_ms, int(m.id[1:])))

    def open_chat(self) -> list[Message]:
        """Chat messages that were meant for everybody: all that the notes may read."""
        return [message for message in self.chat() if not message.private]

    def missing(self) -> list[Gap]:
        """Gaps by start time."""
        return sorted(self.gaps.values(), key=lambda g: (g.from_ms, g.id))

    def happened(self) -> list[Happening]:
        """Screens shared and call events, by time."""
        return sorted(self.happenings.values(), key=lambda h: (h.at_ms, int(h.id[1:])))

    def pictures(self) -> list[Image]:
        """Pictures of shared screens, by time."""
        return sorted(self.images.values(), key=lambda i: (i.at_ms, int(i.id[1:])))

    def view(self) -> MeetingView:
        """The meeting's head as readers see it. Raises ValueError before the first event."""
        if self.opened is None:
            raise ValueError(f"meeting {self.meeting} has no meeting_opened event")
        return MeetingView(
            id=self.meeting,
            product=self.opened.product,
            zoom_id=self.opened.zoom_id,
            state="finished" if self.finished else "ended" if self.ended else "live",
            started_ms=self.opened.started_ms,
            ended_ms=self.ended.at_ms if self.ended else None,
            zone=self.opened.zone,
            title=self.opened.title,
            engine=self.opened.engine,
            last_seq=self.last_seq,
            covered_seq=self.covered_seq,
            stages=tuple(self.stages.values()),
        )

    def apply(self, event: ev.Event) -> None:
        """Take in the next event; ``seq`` must follow without a hole."""
        if event.seq != self.last_seq + 1:
            raise ValueError(f"meeting {self.meeting}: event {event.seq} follows {self.last_seq}")
        self.last_seq = event.seq
        match event.body:
            case ev.MeetingOpened() as body:
                self.opened = body
            case ev.StreamOpened() as body:
                self.streams[body.stream] = StreamView(
                    id=body.stream,
                    server_urls=body.server_urls,
                    announced_ms=body.announced_ms,
                    state="connecting",
                    at_ms=body.announced_ms,
                    id_key=body.id_key,
                    number=body.number,
                )
                self.ended = self.finished = None  # a later stream of the same meeting
            case ev.StreamChanged() as body:
                self._stream(body.stream, state=body.state, at_ms=body.at_ms, detail=body.detail)
            case ev.StreamEnded() as body:
                self._stream(
                    body.stream,
                    state="ended",
                    at_ms=body.at_ms,
                    reason=body.reason,
                    detail=body.detail,
                )
            case ev.ParticipantJoined() as body:
                known = self.participants.get(body.participant)
                self.participants[body.participant] = Participant(
                    id=body.participant,
                    name=body.name,
                    joined_ms=body.at_ms if known is None else known.joined_ms,
                )
            case ev.ParticipantLeft() as body:
                known = self.participants.get(body.participant)
                if known is not None:
                    self.participants[body.participant] = msgspec.structs.replace(
                        known, left_ms=body.at_ms
                    )
            case ev.SegmentSpooled() as body:
                self.segments[body.segment.id] = body.segment
            case ev.SegmentClosed() as body:
                if body.segment not in self.outcomes:
                    self.outcomes[body.segment] = body
                    if body.doubt:
                        self.doubts[body.segment] = body.doubt
            case ev.UtteranceSaid(utterance=utterance):
                old = self.utterances.get(utterance.id)
                if old is None or utterance.revision > old.revision:
                    self.utterances[utterance.id] = utterance
                    self.seqs[utterance.id] = event.seq
            case ev.MessageSaid(message=message):
                earlier = self.messages.get(message.id)
                if earlier is None or message.revision > earlier.revision:
                    reactions = () if earlier is None else earlier.reactions
                    self.messages[message.id] = msgspec.structs.replace(
                        message, reactions=reactions
                    )
                    self.seqs[message.id] = event.seq
            case ev.GapFound(gap=gap):
                self.gaps[gap.id] = gap
            case ev.NotesPatched(patch=patch, covered_seq=covered):
                self.notes = apply(self.notes, patch)
                self.covered_seq = max(self.covered_seq, covered)
                self.final = self.final or patch.phase == "final"
            case ev.LlmCalled() as body:
                self.calls.append(body)
            case ev.StageChanged() as body:
                self.stages[body.stage] = StageHealth(
                    stage=body.stage,
                    state=body.state,
                    at_ms=body.at_ms,
                    error=body.error,
                    detail=body.detail,
                    retryable=body.retryable,
                    count=body.count,
                )
            case ev.MeetingEnded() as body:
                self.ended = body
            case ev.MeetingFinished() as body:
                self.finished = body
            case _:
                self._beside(event)

    def _beside(self, event: ev.Event) -> None:
        """What happened beside what was said."""
        match event.body:
            case ev.SharingStarted() as body:
                self._happened(event.seq, "sharing_started", body)
            case ev.SharingStopped() as body:
                self._happened(event.seq, "sharing_stopped", body)
            case ev.CallHappened() as body:
                self._happened(event.seq, "call", body, what=body.what, mode=body.mode)
            case ev.MessageReacted() as body:
                self._reacted(body)
            case ev.ChatGroupsChanged(names=names):
                self.chat_groups.update(names)
            case ev.SessionChanged(session=session, state=state):
                self.sessions[session] = state
            case ev.DoubtResolved(segment=segment):
                self.doubts.pop(segment, None)
            case ev.RecordingKept(recording=recording):
                self.recordings[recording.id] = recording
            case ev.ImageKept(image=image):
                self.images[image.id] = image
            case ev.ClipKept(clip=clip):
                self.clips[clip.id] = clip
            case ev.ProtocolFaulted() as body:
                key = f"{body.socket} {body.reason}"
                known = self.faults.get(key)
                self.faults[key] = FaultSeen(
                    socket=body.socket,
                    reason=body.reason,
                    detail=body.detail,
                    first_ms=body.at_ms if known is None else known.first_ms,
                    last_ms=body.at_ms,
                    count=body.count,
                )

    def _happened(
        self,
        seq: int,
        kind: HappeningKind,
        body: ev.SharingStarted | ev.SharingStopped | ev.CallHappened,
        what: str = "",
        mode: str | None = None,
    ) -> None:
        name = f"e{seq}"
        self.happenings[name] = Happening(
            id=name,
            kind=kind,
            stream=body.stream,
            at_ms=body.at_ms,
            what=what,
            participant=body.participant,
            speaker=body.speaker,
            mode=mode,
        )

    def _reacted(self, body: ev.MessageReacted) -> None:
        known = self.messages.get(body.message)
        if known is None:
            return
        reaction = Reaction(emoji=body.emoji, participant=body.participant, speaker=body.speaker)
        standing = tuple(
            r
            for r in known.reactions
            if (r.emoji, r.participant) != (reaction.emoji, reaction.participant)
        )
        reactions = standing if body.removed else (*standing, reaction)
        self.messages[known.id] = msgspec.structs.replace(known, reactions=reactions)

    def _stream(self, stream: str, **fields: object) -> None:
        known = self.streams.get(stream)
        if known is not None:
            self.streams[stream] = msgspec.structs.replace(known, **fields)
