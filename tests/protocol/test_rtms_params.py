"""What may be asked for: the matrix of reference section 7.1, and what is sent of it."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.rtms.enums import MediaType
from pipeline.rtms.formats import audio_format, differences, image_format
from pipeline.rtms.greeting import wanted_params
from pipeline.rtms.params import (
    AudioParams,
    MediaParams,
    VideoParams,
    check_audio,
    check_audio_params,
    check_images,
    frame_rate,
    send_rate,
)
from pipeline.rtms.settings import RtmsSettings

EVERY = range(20, 1001, 20)
ALLOWED = {
    *(("rtp", "OPUS", 48000, channels, 20) for channels in (1, 2)),
    ("rtp", "G711", 8000, 1, 20),
    ("rtp", "G722", 16000, 1, 20),
    *(
        ("raw", "L16", rate, channels, every)
        for rate in (8000, 16000, 32000, 48000)
        for channels in (1, 2)
        for every in EVERY
    ),
    *(("raw", "OPUS", 48000, channels, 20) for channels in (1, 2)),
    ("raw", "G711", 8000, 1, 20),
    ("raw", "G722", 16000, 1, 20),
}
"""Section 7.1, row by row."""

RATES = {8000: 0, 16000: 1, 32000: 2, 48000: 3}
CODECS = {"L16": 1, "G711": 2, "G722": 3, "OPUS": 4}


def takes(content: str, codec: str, rate: int, channels: int, every: int) -> bool:
    try:
        check_audio(codec, rate, channels, every, content)
    except ValueError:
        return False
    return True


def test_the_whole_matrix_and_nothing_else() -> None:
    intervals = (0, 10, 20, 30, 40, 100, 980, 1000, 1020, -20)
    for case in itertools.product(("raw", "rtp"), CODECS, RATES, (0, 1, 2, 3), intervals):
        assert takes(*case) == (case in ALLOWED), case
    assert all(takes(*case) for case in ALLOWED)


@given(
    st.sampled_from(["raw", "rtp", "RAW", ""]),
    st.sampled_from([*CODECS, "JPG", "opus", ""]),
    st.sampled_from([*RATES]) | st.integers(),
    st.integers(-1, 5) | st.booleans(),
    st.integers(-100, 1200),
)
def test_any_other_combination_is_refused(
    content: str, codec: str, rate: int, channels: int, every: int
) -> None:
    allowed = (content, codec, rate, channels, every) in ALLOWED and type(channels) is int
    assert takes(content, codec, rate, channels, every) == allowed


@given(
    st.integers(0, 7),
    st.integers(-1, 5),
    st.integers(0, 3),
    st.integers(0, 5),
    st.sampled_from([0, 20, 30, 100, 1000, 1020]),
)
def test_the_numbers_of_the_wire_follow_the_same_matrix(
    codec: int, rate: int, channel: int, content: int, every: int
) -> None:
    params = AudioParams(
        content_type=content, codec=codec, sample_rate=rate, channel=channel, send_rate=every
    )
    words = ({1: "rtp", 2: "raw"}.get(content), {v: k for k, v in CODECS.items()}.get(codec))
    hertz = {v: k for k, v in RATES.items()}.get(rate)
    if (*words, hertz, channel, every) in ALLOWED:
        check_audio_params(params)
    else:
        with pytest.raises(ValueError, match=r"must be|takes the codecs"):
            check_audio_params(params)


def test_a_field_nobody_names_has_its_default() -> None:
    check_audio_params(AudioParams())
    check_audio_params(AudioParams(codec=3))
    with pytest.raises(ValueError, match="with codec OPUS, sample_rate must be 48000, not 16000"):
        check_audio_params(AudioParams(codec=4))
    with pytest.raises(ValueError, match="data_opt must be 1 or 2, not 3"):
        check_audio_params(AudioParams(data_opt=3))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"codec": "OPUS"}, "with codec OPUS, sample_rate must be 48000, not 16000"),
        ({"codec": "MP3"}, "codec must be OPUS, G711, G722 or L16, not MP3"),
        (
            {"codec": "G711", "sample_rate": 8000, "channels": 2},
            "with codec G711, channels must be 1, not 2",
        ),
        (
            {"codec": "G722", "send_rate_ms": 40},
            "with codec G722, send_rate_ms must be 20, not 40",
        ),
        ({"send_rate_ms": 30}, "send_rate_ms must be 20..1000 in steps of 20, not 30"),
        (
            {"sample_rate": 44100},
            "sample_rate must be 8000, 16000, 32000 or 48000, not 44100",
        ),
        ({"content_type": "rtp"}, "content_type rtp takes the codecs OPUS, G711, G722, not L16"),
        ({"content_type": "ogg"}, "content_type must be raw or rtp, not ogg"),
        ({"video_fps": 6}, "with video_codec JPG, video_fps must be 1 to 5, not 6"),
        (
            {"video_codec": "H264", "video_fps": 3},
            "with video_codec H264, video_fps must be 6 to 30, not 3",
        ),
        ({"share_fps": 2}, "with share_codec JPG, share_fps must be 1, not 2"),
        (
            {"share_codec": "H264", "share_fps": 31},
            "with share_codec H264, share_fps must be 2 to 30, not 31",
        ),
        ({"video_codec": "WEBM"}, "video_codec must be JPG, PNG or H264, not WEBM"),
        ({"share_resolution": "8K"}, "share_resolution must be SD, HD, FHD or QHD, not 8K"),
        ({"video": "gallery"}, "video must be active or individual, not gallery"),
        ({"layout": "some"}, "layout must be all or split, not some"),
        ({"follow": " "}, "follow must be"),
        ({"on_shutdown": "?"}, "on_shutdown must be keep or close, not ?"),
    ],
)
def test_settings_name_the_allowed_values(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=r"must be|takes the codecs") as raised:
        RtmsSettings(**fields)  # type: ignore[arg-type]
    assert message in str(raised.value)


def test_the_usual_intervals_give_way_to_a_codec_that_knows_no_other() -> None:
    assert [send_rate(codec, 100, 100) for codec in CODECS] == [100, 20, 20, 20]
    assert send_rate("OPUS", 40, 100) == 40, "a wish is not changed in silence"
    opus = RtmsSettings(codec="OPUS", sample_rate=48000)
    assert (opus.send_rate_ms, opus.audio_every_ms) == (100, 20)
    moving = RtmsSettings(video_codec="H264", share_codec="H264")
    assert (moving.video_rate, moving.share_rate) == (25, 5)
    assert (frame_rate("JPG", 5, 5, 25), frame_rate("H264", 12, 5, 25)) == (5, 12)


@pytest.mark.parametrize("media", ["video", "deskshare"])
@pytest.mark.parametrize("codec", ["JPG", "PNG", "H264"])
def test_frames_a_second_by_codec(media: str, codec: str) -> None:
    still = 5 if media == "video" else 1
    for fps in range(-1, 40):
        allowed = still < fps <= 30 if codec == "H264" else 1 <= fps <= still
        if allowed:
            check_images(media, codec, "HD", fps)
        else:
            with pytest.raises(ValueError, match=r"fps must be"):
                check_images(media, codec, "HD", fps)


def settings_of(case: tuple[str, str, int, int, int], mixed: bool) -> RtmsSettings:
    content, codec, rate, channels, every = case
    return RtmsSettings(
        content_type=content,  # type: ignore[arg-type]
        codec=codec,  # type: ignore[arg-type]
        sample_rate=rate,  # type: ignore[arg-type]
        channels=channels,  # type: ignore[arg-type]
        send_rate_ms=every,
        mixed=mixed,
    )


@given(st.sampled_from(sorted(ALLOWED)), st.booleans())
def test_what_the_settings_say_is_asked_for_and_told_back(
    case: tuple[str, str, int, int, int], mixed: bool
) -> None:
    if case[1] == "L16" or case[4] == 20:
        asked = wanted_params(MediaType.AUDIO, settings_of(case, mixed)).audio
        assert asked is not None
        content, codec, rate, channels, every = case
        assert asked == AudioParams(
            content_type={"rtp": 1, "raw": 2}[content],
            codec=CODECS[codec],
            sample_rate=RATES[rate],
            channel=channels,
            data_opt=1 if mixed else 2,
            send_rate=every,
        )
        told = audio_format(asked, None)
        assert (told.codec, told.sample_rate, told.channels) == (codec, rate, channels)
        assert (told.multi_stream, told.send_rate_ms) == (not mixed, every)
        assert differences(MediaParams(audio=asked), MediaParams(audio=asked)) == []


def test_only_what_is_wanted_is_asked_for() -> None:
    for media in (MediaType(bits) for bits in range(32)):
        params = wanted_params(media, RtmsSettings())
        assert [getattr(params, name) is not None for name in params.__struct_fields__] == [
            bool(media & one)
            for one in (
                MediaType.AUDIO,
                MediaType.VIDEO,
                MediaType.DESKSHARE,
                MediaType.TRANSCRIPT,
                MediaType.CHAT,
            )
        ]
    assert wanted_params(MediaType.ALL, RtmsSettings()) == wanted_params(
        MediaType(31), RtmsSettings()
    )


def test_pictures_are_asked_for_as_the_settings_say() -> None:
    settings = RtmsSettings(
        video="individual",
        video_codec="H264",
        video_resolution="QHD",
        video_fps=30,
        share_codec="PNG",
        share_resolution="SD",
    )
    asked = wanted_params(MediaType.ALL, settings)
    assert asked.video == VideoParams(content_type=3, codec=7, resolution=4, fps=30, data_opt=4)
    assert asked.deskshare == VideoParams(content_type=3, codec=6, resolution=1, fps=1)
    assert asked.video is not None
    told = image_format("video", asked.video, None)
    assert (told.codec, told.resolution, told.fps, told.individual) == ("H264", "QHD", 30, True)


@given(st.data())
def test_every_changed_field_is_reported_once(data: st.DataObject) -> None:
    asked = wanted_params(MediaType.ALL, RtmsSettings(language="de"))
    echoed = msgspec.to_builtins(asked)
    changed = set()
    for media, fields in echoed.items():
        for field in data.draw(st.sets(st.sampled_from(sorted(fields)))):
            value = fields[field]
            fields[field] = (not value) if isinstance(value, bool) else value + 7
            changed.add(f"{media} {field}")
    found = differences(asked, msgspec.convert(echoed, MediaParams))
    assert {detail.split(":")[0] for _, detail in found} == changed
    assert len(found) == len(changed)
    assert {reason for reason, _ in found} <= {"params_changed"}
