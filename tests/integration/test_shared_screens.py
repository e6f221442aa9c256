"""Shared screens from the wire to the reader: a tape with images, the fake Zoom, the service, and
what is kept of them in the store, on the page and in the exports."""

from __future__ import annotations

import asyncio
import base64
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from pipeline.base.secret import Secret
from pipeline.cli import reading
from pipeline.config import Settings, load
from pipeline.emulator.emulator import Emulator
from pipeline.emulator.settings import EmulatorSettings
from pipeline.meeting.images import picture
from pipeline.model.state import MeetingState
from pipeline.service import Service
from tests.image_makers import moving, played, slide, still
from tests.tone_tape import ADA, BOB, START_MS, ToneTape, event

SPEED = 20.0
SIZE = (1280, 720)


def shown(at: int, data: bytes, kind: int = 16) -> tuple[int, Any, dict[str, Any]]:
    """An image of Ada's screen (16), or of Bob's camera (15), at ms of the tape."""
    media, who = ("deskshare", ADA) if kind == 16 else ("video", BOB)
    content = {
        "user_id": who.user_id,
        "user_name": who.name,
        "data": base64.b64encode(data).decode(),
        "length": len(data),
        "timestamp": START_MS + at,
    }
    return at, media, {"msg_type": kind, "content": content}


def typed(at: int, session: int, text: str, **more: Any) -> tuple[int, Any, dict[str, Any]]:
    body = {
        "data": text,
        "message_id": f"z{at}",
        "operation_type": 1,
        "chat_session": {"type": session},
        "sender": {"user_id": BOB.user_id, "user_name": BOB.name},
        **more,
    }
    return at, "chat", {"msg_type": 18, "content": {"timestamp": START_MS + at, "data": body}}


def tape(path: Path, codec: str) -> Path:
    """30 s: Ada shares two slides from second 4 to 24; a decision is taken during the second."""
    if codec == "H264":
        images = moving([slide(n // 50, *SIZE) for n in range(100)], fps=5, key_every=25)
        video = moving([slide(9, 320, 180)] * 50, fps=10, key_every=10)
    else:
        images = [still(slide(n // 10, *SIZE), "png" if codec == "PNG" else "mjpeg")
                  for n in range(20)]  # fmt: skip
        video = [still(slide(9, 320, 180))] * 25
    every, video_every = 20_000 // len(images), 5_000 // len(video)
    return ToneTape(
        said=(
            (ADA, 2_000, 3_500, "Good morning everybody, let me show you the order page."),
            (BOB, 18_000, 20_000, "Okay, then it is decided. We close the order page tonight."),
            (ADA, 26_000, 28_000, "Agreed. I will call the school and book the oven by Thursday."),
        ),
        extra=(
            (4_000, "signaling", event(4_000, 5, user_id=ADA.user_id, user_name=ADA.name)),
            *(shown(4_000 + n * every, data) for n, data in enumerate(images)),
            *(shown(6_000 + n * video_every, data, 15) for n, data in enumerate(video)),
            typed(8_000, 1, "zebra for all"),
            typed(9_000, 2, "zebra: decided, we close the school",
                  receiver={"user_id": ADA.user_id, "user_name": ADA.name}),
            (24_000, "signaling", event(24_000, 6)),
        ),
        end_ms=30_000,
    ).write(path).path  # fmt: skip


def settings(home: Path, codec: str) -> Settings:
    empty = home.with_suffix(".toml")
    empty.touch()
    return load(
        environ={"RTMS_NOTES_CONFIG": str(empty)},
        flags={
            "general.home": str(home),
            "general.port": 0,
            "general.webhook_port": 0,
            "general.zone": "UTC",
            "general.media": ("share", "chat"),
            "meeting.save_video": True,
            "meeting.save_share": True,
            "rtms.allow_loopback": True,
            "rtms.share_codec": codec,
            "rtms.video_codec": "H264" if codec == "H264" else "JPG",
            "zoom.client_id": "cid",
            "zoom.client_secret": Secret("csec"),
            "zoom.secret_token": Secret("tok"),
        },
    ).settings


async def got(url: str) -> tuple[aiohttp.ClientResponse, bytes]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response, await response.read()


@pytest.mark.parametrize("codec", ["JPG", "PNG", "H264"])
async def test_a_shared_screen_from_the_wire_to_the_reader(
    tmp_path: Path, codec: str, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    recorded = await asyncio.to_thread(tape, tmp_path / "shared.rtms.zst", codec)
    async with asyncio.timeout(120), Service.open(settings(home, codec), speed=SPEED) as service:
        zoom = EmulatorSettings(
            client_secret=Secret("csec"),
            secret_token=Secret("tok"),
            webhook=service.webhook_url,
            speed=SPEED,
        )
        async with Emulator(recorded, zoom) as emulator:
            playing = asyncio.create_task(emulator.run())
            meeting = await service.began(emulator.where.meeting_uuid)
            async for told in service.reader.follow(meeting, 0):
                if told.kind == "meeting_finished":
                    break
            await playing
        state = service.reader.state(meeting)
        assert_kept(state, home / "meetings" / meeting / "images", codec)
        base = service.page_url.rstrip("/")
        _, page = await got(f"{base}/m/{meeting}")
        _, found = await got(f"{base}/search?q=zebra")
        response, data = await got(f"{base}/m/{meeting}/images/{state.pictures()[1].file}")
        assert (response.status, response.content_type) == (200, "image/jpeg")
        seen = picture.read(data, max_bytes=1 << 22, max_pixels=1 << 22)
        assert (seen.kind, seen.width, seen.height) == ("jpg", *SIZE)
    html = page.decode()
    for image in state.pictures():
        assert f'id="{image.id}"' in html
        assert f'src="/m/{meeting}/images/{image.thumb}"' in html
    assert f'href="#{state.pictures()[1].id}"' in html, "the decision links to what was shown"
    assert found.decode().count("private chat") == 1

    target = tmp_path / "notes.md"
    reading.export(meeting=meeting, format="md", out=target, home=home)
    assert_linked(target.read_text(encoding="utf-8"), target.parent, state)
    capsys.readouterr()
    reading.search(query="zebra", meeting=None, limit=9, json=False, home=home)
    marks = ["(private)" in line for line in capsys.readouterr().out.splitlines()]
    assert sorted(marks) == [False, True]


def assert_kept(state: MeetingState, folder: Path, codec: str) -> None:
    """Both slides, nothing twice; everything of share and video as files; no gap, no fault."""
    assert [(i.speaker, i.width, i.height) for i in state.pictures()] == [(ADA.name, *SIZE)] * 2
    first, second = (image.at_ms - START_MS for image in state.pictures())
    assert first == 4_000
    assert 14_000 <= second <= 16_000
    names = [name for image in state.pictures() for name in (image.file, image.thumb)]
    assert all((folder / name).stat().st_mode & 0o777 == 0o600 for name in names)
    assert (state.missing(), state.faults, state.stages) == ([], {}, {})

    clips = {clip.media: clip for clip in state.clips.values()}
    assert (clips["deskshare"].speaker, clips["video"].speaker) == (ADA.name, BOB.name)
    counts = (100, 50) if codec == "H264" else (20, 25)
    assert (clips["deskshare"].frames, clips["video"].frames) == counts
    if codec == "H264":
        times, size = played(str(folder / clips["deskshare"].file))
        assert (size, len(times), round(times[-1], 1)) == (SIZE, 100, 19.8)
    else:
        assert len(list((folder / clips["deskshare"].file).iterdir())) == 20


def assert_linked(markdown: str, beside: Path, state: MeetingState) -> None:
    """A decision links to the slide that was shown; the pictures are where the text says. What was
    typed in private is marked, and no line of the notes."""
    notes, _, transcript = markdown.partition("\n## Transcript\n")
    (decided,) = [line for line in notes.splitlines() if "close the order page" in line]
    assert re.search(r"\[screen [\d:]+\]\(#\^i2\)", decided)
    assert "close the school" not in notes
    assert re.search(r"private, to Ada Lovelace\)\*.*zebra: decided", transcript)
    links = re.findall(r"\]\(([^)#]+\.jpg)\)", transcript)
    assert len(links) == 2 * len(state.pictures())
    assert all((beside / link).resolve().is_file() for link in links)
