"""Individual video: whose camera is subscribed to, and when again (reference section 12.4)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.rtms.follow import Follow, Wish
from pipeline.rtms.outputs import (
    CamerasChanged,
    Output,
    PeopleJoined,
    PeopleLeft,
    SpeakerChanged,
    StreamLive,
    VideoSubscribed,
)

ADA, BEN = 16778240, 16779264


def speaks(person: int) -> SpeakerChanged:
    return SpeakerChanged(person, None, 0)


def camera(person: int, on: bool) -> CamerasChanged:
    return CamerasChanged((str(person),), on, 0)


def joined(*people: tuple[int, str]) -> PeopleJoined:
    return PeopleJoined(tuple((str(person), name) for person, name in people), 0)


def told(follow: Follow, *outputs: Output) -> list[Wish]:
    return [wish for output in outputs for wish in follow.take(output)]


def test_the_speaker_is_followed() -> None:
    follow = Follow("speaker")
    assert told(follow, StreamLive(True), joined((ADA, "Ada"), (BEN, "Ben"))) == []
    assert told(follow, speaks(ADA), speaks(ADA), speaks(BEN)) == [(ADA, True), (BEN, True)]


def test_a_speaker_without_camera_does_not_take_the_picture_away() -> None:
    follow = Follow("speaker")
    told(follow, camera(BEN, False), speaks(ADA))
    assert told(follow, speaks(BEN)) == []
    assert told(follow, camera(BEN, True)) == [(BEN, True)]


def test_a_camera_that_comes_on_again_is_subscribed_anew() -> None:
    follow = Follow("speaker")
    assert told(follow, speaks(ADA)) == [(ADA, True)]
    assert told(follow, camera(ADA, False)) == []
    assert told(follow, camera(ADA, True)) == [(ADA, True)]
    assert told(follow, camera(ADA, True)) == [], "it is on already"


def test_already_subscribed_is_as_good_as_subscribed() -> None:
    follow = Follow("speaker")
    told(follow, speaks(ADA))
    assert told(follow, VideoSubscribed(ADA, 44, "duplicate"), speaks(ADA)) == []


def test_a_refusal_is_not_repeated_until_something_changes() -> None:
    follow = Follow(str(ADA))
    assert told(follow, joined((ADA, "Ada"))) == [(ADA, True)]
    assert told(follow, VideoSubscribed(ADA, 4, "no"), joined((BEN, "Ben"))) == []
    assert told(follow, camera(ADA, True)) == [(ADA, True)]


def test_a_new_connection_needs_a_new_subscription() -> None:
    follow = Follow("speaker")
    told(follow, StreamLive(True), speaks(ADA))
    assert told(follow, StreamLive(False)) == [(ADA, True)]


def test_a_name_is_followed_exactly_and_the_speaker_decides_between_two() -> None:
    follow = Follow("Ada")
    assert told(follow, joined((BEN, "ada"))) == []
    assert told(follow, joined((ADA, "Ada"))) == [(ADA, True)]
    assert told(follow, joined((BEN, "Ada"))) == [], "who is shown stays"
    assert told(follow, speaks(BEN)) == [(BEN, True)]
    assert told(follow, PeopleLeft((str(BEN),), 0)) == [(ADA, True)]


def test_a_user_id_is_followed_whoever_speaks() -> None:
    follow = Follow(str(BEN))
    assert told(follow, StreamLive(True)) == [(BEN, True)]
    assert told(follow, speaks(ADA)) == []


def test_somebody_asks_for_one_participant() -> None:
    follow = Follow("speaker")
    told(follow, speaks(ADA))
    assert follow.choose(BEN, True) == [(BEN, True)]
    assert told(follow, speaks(ADA)) == []
    assert told(follow, StreamLive(False)) == [(BEN, True)]
    assert follow.choose(BEN, False) == [(BEN, False)]
    assert told(follow, speaks(ADA), StreamLive(False)) == [], "no video any more"


def test_nobody_is_followed_unless_asked() -> None:
    follow = Follow(None)
    assert told(follow, StreamLive(True), speaks(ADA), camera(ADA, True)) == []
    assert follow.choose(ADA, True) == [(ADA, True)]


people = st.sampled_from([ADA, BEN, 7])
outputs = st.one_of(
    st.builds(speaks, people),
    st.builds(camera, people, st.booleans()),
    st.builds(lambda p: PeopleLeft((str(p), "not a number"), 0), people),
    st.builds(lambda p: joined((p, "Ada")), people),
    st.builds(lambda p, s: VideoSubscribed(p, s, ""), people, st.sampled_from([0, 4, 44])),
    st.just(StreamLive(False)),
    st.just(SpeakerChanged(None, None, 0)),
)


@given(st.sampled_from(["speaker", str(ADA), "Ada"]), st.lists(outputs, max_size=40))
def test_a_subscription_is_never_sent_twice_nor_for_a_camera_that_is_off(
    whom: str, happenings: list[Output]
) -> None:
    follow = Follow(whom)
    shown: int | None = None
    off: set[int] = set()
    for output in happenings:
        match output:
            case StreamLive():
                shown = None
            case CamerasChanged(participants=(person,), on=on):
                (off.discard if on else off.add)(int(person))
                shown = None if int(person) == shown and not on else shown
            case PeopleLeft(participants=(person, _)):
                off.discard(int(person))
                shown = None if int(person) == shown else shown
            case VideoSubscribed(user_id=person, status=4) if person == shown:
                shown = None
        for person, on in follow.take(output):
            assert on
            assert person != shown, "subscribed already"
            assert person not in off
            shown = person
