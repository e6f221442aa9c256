from __future__ import annotations

from pipeline.meeting.beside import DETAIL
from pipeline.meeting.images.news import ClipNews, PictureKept, Who
from pipeline.meeting.recorder import Recorder
from pipeline.model import events as ev
from pipeline.model.state import MeetingState
from pipeline.rtms import outputs as out


def state_of(*groups: list[ev.Body]) -> MeetingState:
    bodies = [body for group in groups for body in group]
    return MeetingState.replay("m", [ev.Event("m", n, 0, b) for n, b in enumerate(bodies, 1)])


def test_sharing_is_told_once_and_who_stopped_is_known() -> None:
    beside = Recorder(MeetingState("m"), "native").beside
    started = beside.sharing_started("S", out.SharingStarted(7, "Maya", 1_000))
    assert beside.sharing_started("S", out.SharingStarted(7, "Maya", 2_000)) == []
    again = Recorder(state_of(started), "native").beside  # the process was restarted meanwhile
    assert again.sharing_started("S", out.SharingStarted(7, "Maya", 3_000)) == []
    stopped = again.sharing_stopped("S", 4_000)
    assert again.sharing_stopped("S", 5_000) == []
    found = state_of(started, stopped).happened()
    assert [(h.id, h.kind, h.at_ms, h.speaker) for h in found] == [
        ("e1", "sharing_started", 1_000, "Maya"),
        ("e2", "sharing_stopped", 4_000, "Maya"),
    ]


def test_names_come_from_the_roster_where_zoom_gives_only_an_id() -> None:
    recorder = Recorder(MeetingState("m"), "native")
    recorder.joined([("7", "Maya")], 0)
    (body,) = recorder.beside.sharing_started("S", out.SharingStarted(7, None, 1_000))
    assert isinstance(body, ev.SharingStarted)
    assert body.speaker == "Maya"
    call = out.CallEvent("user_hold", "7", None, "agent", 1_000)
    (event,) = recorder.beside.call("S", call)
    assert isinstance(event, ev.CallHappened)
    assert (event.what, event.speaker, event.mode) == ("user_hold", "Maya", "agent")


def test_a_call_event_that_two_streams_tell_happened_once() -> None:
    recorder = Recorder(MeetingState("m"), "native")
    call = out.CallEvent("user_hold", "7", "Maya", "agent", 1_000)
    told = recorder.beside.call("S", call)
    assert recorder.beside.call("S2", call) == []
    again = Recorder(state_of(told), "native").beside  # the process was restarted meanwhile
    assert again.call("S2", call) == []
    later = out.CallEvent("user_hold", "7", "Maya", "agent", 9_000)
    assert len(again.call("S", later)) == 1


def test_faults_are_counted_by_kind_over_restarts_and_cut_short() -> None:
    beside = Recorder(MeetingState("m"), "native").beside
    fault = out.ProtocolFault("audio", "bad_base64", "x" * 5_000, b"secret content")
    first = beside.fault("S", fault, 1_000)
    again = Recorder(state_of(first), "native").beside
    second = again.fault("S", fault, 9_000)
    other = again.fault("S", out.ProtocolFault("audio", "no_type", ""), 9_500)
    faults = state_of(first, second, other).faults
    assert [(f.reason, f.count, f.first_ms, f.last_ms) for f in faults.values()] == [
        ("bad_base64", 2, 1_000, 9_000),
        ("no_type", 1, 9_500, 9_500),
    ]
    assert len(faults["audio bad_base64"].detail) == DETAIL
    assert b"secret" not in b"".join(ev.encode_body(b) for b in [*first, *second])


def test_a_session_is_told_when_it_changes() -> None:
    beside = Recorder(MeetingState("m"), "native").beside
    told = [out.SessionChanged("s1", state, 1) for state in ("started", "started", "paused")]
    bodies = [body for one in told for body in beside.session("S", one)]
    assert len(bodies) == 2
    assert state_of(bodies).sessions == {"s1": "paused"}


def test_pictures_and_clips_are_numbered_on_after_a_restart() -> None:
    kept = PictureKept(
        media="deskshare",
        at_ms=5,
        file="a.jpg",
        thumb="a-small.jpg",
        width=2,
        height=1,
        who=Who("7", "Maya"),
    )
    clip = ClipNews(
        media="video", codec="H264", file="v.mkv", from_ms=1, width=2, height=1, who=Who()
    )
    done = ClipNews(
        media="video",
        codec="H264",
        file="v.mkv",
        from_ms=1,
        width=2,
        height=1,
        who=Who(),
        to_ms=9,
        frames=3,
    )
    first = Recorder(MeetingState("m"), "native").beside
    bodies = first.picture("S", kept) + first.clip("S", clip) + first.clip("S", done)
    state = state_of(bodies)
    assert [(c.id, c.frames, c.to_ms) for c in state.clips.values()] == [("v1", 3, 9)]
    again = Recorder(state, "native").beside
    more = state_of(bodies, again.picture("S", kept), again.clip("S", clip))
    assert list(more.images) == ["i1", "i2"]
    assert list(more.clips) == ["v1", "v2"]
