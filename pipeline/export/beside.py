"""What was not said, in words for people: screens shared, calls, pictures, faults, clips.

Plain sentences; names in them are still to be escaped by whoever places them.
"""

from __future__ import annotations

from bisect import bisect_right

from pipeline.export.escape import clean
from pipeline.export.times import Times, lasting
from pipeline.model.happening import Clip, FaultSeen, Happening, Image
from pipeline.model.speech import Recording
from pipeline.model.state import MeetingState

SOMEBODY = "Somebody"

_CALLS = {
    "consumer_answered": "joined the call",
    "consumer_end": "left the call",
    "user_answered": "answered the call",
    "user_end": "left the call",
    "user_hold": "put the call on hold",
    "user_unhold": "took the call off hold",
    "monitor_started": "began to monitor the call",
    "monitor_transitioned": "monitors the call in another way",
    "monitor_ended": "stopped monitoring the call",
    "takeover_started": "took over the call",
    "transfer_initiated": "began a transfer",
    "transfer_canceled": "canceled the transfer",
    "transfer_accepted": "accepted the transfer",
    "transfer_completed": "completed the transfer",
    "transfer_rejected": "rejected the transfer",
    "transfer_timeout": "did not take the transfer in time",
    "conference_canceled": "canceled the conference",
    "conference_participant_canceled": "was no longer invited",
    "conference_participant_invited": "was invited to the call",
    "conference_participant_rejected": "declined the invitation",
    "conference_participant_timeout": "did not answer the invitation",
    "conference_participant_left": "left the conference",
}
"""Contact center events (reference section 10.2) after the name of whom they are about."""

_MEDIA = {"video": "Video", "deskshare": "Screen share"}


def happening_line(happening: Happening) -> str:
    """``Maya shares the screen``, ``Ben (agent) put the call on hold``."""
    who = clean(happening.speaker or "")
    match happening.kind:
        case "sharing_started":
            return f"{who or SOMEBODY} shares the screen"
        case "sharing_stopped":
            return f"{who} stopped sharing the screen" if who else "The screen is no longer shared"
        case "call":
            name = (who or SOMEBODY) + (f" ({happening.mode})" if happening.mode else "")
            done = _CALLS.get(happening.what)
            return f"{name} {done}" if done else f"{name}: {happening.what.replace('_', ' ')}"


def picture_line(image: Image) -> str:
    """``Screen of Maya``."""
    who = clean(image.speaker or "")
    return f"Screen of {who}" if who else "Shared screen"


def fault_line(fault: FaultSeen) -> str:
    """``audio: bad_base64, content of a message is not base64 (on 2 connections)``."""
    often = f" (on {fault.count} connections)" if fault.count > 1 else ""
    why = f", {fault.detail}" if fault.detail else ""
    return f"{fault.socket}: {fault.reason.replace('_', ' ')}{why}{often}"


def clip_line(clip: Clip, times: Times) -> str:
    """``Video of Maya from 10:02:05 (4 min, 1280 x 720, H264): images/video-....mkv``."""
    whose = f" of {clip.speaker}" if clip.speaker else ""
    length = f"{lasting(clip.to_ms - clip.from_ms)}, " if clip.to_ms else "not complete, "
    return (
        f"{_MEDIA[clip.media]}{whose} from {times.clock(clip.from_ms)}"
        f" ({length}{clip.width} x {clip.height}, {clip.codec}): images/{clip.file}"
    )


def recording_line(recording: Recording, times: Times) -> str:
    """``Recording of Maya from 10:02:05 (4 min, flac): recordings/....flac``."""
    speaker = clean(recording.speaker or "")
    whose = "everybody" if recording.mixed else speaker or "somebody unknown"
    length = lasting(recording.samples * 1000 // recording.sample_rate)
    if recording.state == "open":
        length = "not complete"
    return (
        f"Recording of {whose} from {times.clock(recording.from_ms)}"
        f" ({length}, {recording.codec}): recordings/{recording.file}"
    )


class Shown:
    """Which picture was on the shared screen at a time."""

    def __init__(self, state: MeetingState) -> None:
        steps: list[tuple[int, Image | None]] = [
            (image.at_ms, image) for image in state.pictures() if image.media == "deskshare"
        ]
        steps += [
            (happening.at_ms, None)
            for happening in state.happened()
            if happening.kind == "sharing_stopped"
        ]
        steps.sort(key=lambda step: (step[0], step[1] is None))
        self._times = [at_ms for at_ms, _ in steps]
        self._images = [image for _, image in steps]

    def at(self, ms: int) -> Image | None:
        """The last picture kept by then, unless sharing had stopped."""
        place = bisect_right(self._times, ms)
        return self._images[place - 1] if place else None
