"""How a stream ended, in words."""

from __future__ import annotations

from pipeline.rtms.enums import RESTART_REASONS, STOP_ADVICE, StopReason, name_of
from pipeline.rtms.outputs import StreamOver


def stopped(reason: int | None) -> StreamOver:
    """The last output for a stop reason, with what a person can do about it (section 14.1)."""
    if reason is None:
        return StreamOver(None, "Zoom ended the stream", False)
    text = f"Zoom ended the stream: {name_of(StopReason, reason)}"
    advice = STOP_ADVICE.get(reason)
    return StreamOver(reason, f"{text}; {advice}" if advice else text, reason in RESTART_REASONS)


def window_missed(live: bool, why: str) -> StreamOver:
    """The last output when no connection came about in Zoom's time (section 15)."""
    if live:
        what, reason = "not back within Zoom's window", StopReason.AWAIT_RECONNECTION_TIMEOUT
    else:
        what, reason = "not connected within Zoom's window", StopReason.CONNECTION_TIMEOUT
    return StreamOver(None, f"{what}: {why}; {STOP_ADVICE[reason]}", True)


def forgotten(live: bool, why: str) -> StreamOver:
    """The last output when Zoom does not know the stream (status 2). One that was live broke off
    for longer than Zoom waits, as with stop reason 19, or ended meanwhile; only Zoom can tell."""
    if not live:
        return StreamOver(None, why, False, forgotten=True)
    advice = STOP_ADVICE[StopReason.AWAIT_RECONNECTION_TIMEOUT]
    return StreamOver(None, f"{why}; {advice}", True, forgotten=True)
