"""The page's listener over real sockets, on a real store."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import jsonschema
import msgspec
import pytest
from aiohttp import web
from yarl import URL

from pipeline.base import metrics
from pipeline.base.clock import SystemClock
from pipeline.base.ids import SequentialIds
from pipeline.model import events as ev
from pipeline.model.happening import Clip, Image
from pipeline.model.live import LiveWords, Partial
from pipeline.model.log import MeetingLog
from pipeline.model.speech import Segment, Utterance
from pipeline.store.store import Store
from pipeline.web.app import page_app
from pipeline.web.settings import WebSettings

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "unit" / "golden" / "holiday_boxes.events.jsonl"
WAIT = 10.0


@dataclass
class Page:
    """A running listener and the store behind it."""

    store: Store
    base: str
    client: aiohttp.ClientSession
    runner: web.AppRunner
    live: LiveWords
    status: dict[str, Any] = field(default_factory=lambda: {"status": "ok"})

    async def get(self, path: str, **headers: str) -> tuple[int, str]:
        async with self.client.get(self.base + path, headers=headers, allow_redirects=False) as got:
            return got.status, await got.text()


@asynccontextmanager
async def serving(store: Store, **changes: Any) -> AsyncIterator[Page]:
    status: dict[str, Any] = {"status": "ok"}
    health: Callable[[], Mapping[str, Any]] = lambda: status  # noqa: E731
    live = LiveWords()
    app = page_app(reader=store.reader, settings=WebSettings(**changes), health=health, live=live)
    runner = web.AppRunner(app, shutdown_timeout=WAIT)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with aiohttp.ClientSession() as client:
        yield Page(store, base, client, runner, live, status)
    await runner.cleanup()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = Store.open(tmp_path / "home", clock=SystemClock(), ids=SequentialIds())
    yield store
    await store.close()


@pytest.fixture
async def page(store: Store) -> AsyncIterator[Page]:
    async with serving(store) as page:
        yield page


async def holiday(store: Store, upto: int | None = None) -> tuple[MeetingLog, list[ev.Body]]:
    """The golden meeting up to an event, and the rest of its bodies."""
    bodies = [ev.decode_body(line) for line in GOLDEN.read_bytes().splitlines()]
    opened = bodies[0]
    assert isinstance(opened, ev.MeetingOpened)
    log = await store.create(opened)
    await log.append(*bodies[1:upto])
    return log, bodies[upto:] if upto else []


def said(n: int, text: str = "words", speaker: str = "Anna") -> ev.UtteranceSaid:
    at = 1_795_514_400_000 + n * 1000
    return ev.UtteranceSaid(
        utterance=Utterance(
            id=f"u{n}",
            stream="s",
            source="native",
            start_ms=at,
            end_ms=at + 900,
            text=text,
            speaker=speaker,
        )
    )


async def opened(store: Store, title: str = "Plan", zoom_id: str = "z") -> MeetingLog:
    return await store.create(
        ev.MeetingOpened(
            product="meeting", zoom_id=zoom_id, started_ms=1_795_514_400_000, title=title
        )
    )


@dataclass
class Sent:
    """One server-sent event."""

    event: str
    data: dict[str, Any]
    id: int | None


class Stream:
    """A reader of server-sent events that sees what is on the wire."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self.comments = 0

    async def next(self) -> Sent | None:
        """The next event, or None at the end of the stream."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(WAIT):
            while line := (await self.response.content.readline()).decode():
                line = line.rstrip("\n")
                if line.startswith(":"):
                    self.comments += 1
                elif line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif "event" in fields:
                    number = int(fields["id"]) if "id" in fields else None
                    return Sent(fields["event"], json.loads(fields["data"]), number)
        return None

    async def rest(self) -> list[Sent]:
        found = []
        while (sent := await self.next()) is not None:
            found.append(sent)
        return found


@asynccontextmanager
async def streaming(
    page: Page, meeting: str, after: int = 0, **headers: str
) -> AsyncIterator[Stream]:
    url = f"{page.base}/m/{meeting}/events?after={after}"
    async with page.client.get(url, headers=headers) as response:
        assert response.status == 200, await response.text()
        assert response.content_type == "text/event-stream"
        yield Stream(response)


# -- pages -----------------------------------------------------------------------------------


async def test_a_meeting_is_complete_without_a_script(page: Page) -> None:
    log, _ = await holiday(page.store)
    status, html = await page.get(f"/m/{log.meeting}")
    assert status == 200
    for text in (
        "Holiday boxes",
        "Finished",
        "extracted, not written",
        "Notes have read up to 10:03:33",
        "the number 2,200 is not in the cited words",
        "everything, media connection lost (8 s)",
        "412 orders, 340 possible, 28 euros a box",
        "Unknown speaker",
    ):
        assert text in html
    for ref in set(re.findall(r'href="#([ucng]\d+)"', html)):
        assert html.count(f'id="{ref}"') == 1, ref  # every link leads somewhere


async def test_the_list_names_every_meeting_newest_first(page: Page) -> None:
    first = await opened(page.store, "First", "a")
    second = await page.store.create(
        ev.MeetingOpened(
            product="meeting", zoom_id="b", started_ms=1_795_514_500_000, title="Second"
        )
    )
    _, html = await page.get("/")
    assert html.index(f'href="/m/{second.meeting}"') < html.index(f'href="/m/{first.meeting}"')
    assert "Live" in html


async def test_an_empty_store_says_what_to_do(page: Page) -> None:
    _, html = await page.get("/")
    assert "rtms-notes demo" in html


async def test_a_prefix_leads_to_the_meeting(page: Page) -> None:
    log = await opened(page.store)
    async with page.client.get(
        f"{page.base}/m/{log.meeting[:-1]}", allow_redirects=False
    ) as response:
        assert response.status == 302
        assert response.headers["Location"] == f"/m/{log.meeting}"


async def test_hostile_text_stays_text(page: Page) -> None:
    nasty = "<img src=x onerror=alert(1)><script>x</script>\"'&{{7*7}}"
    log = await opened(page.store, title=nasty)
    await log.append(
        ev.ParticipantJoined(participant="1", name=nasty, at_ms=1), said(1, nasty, nasty)
    )
    for path in (f"/m/{log.meeting}", "/", "/search?q=onerror"):
        _, html = await page.get(path)
        assert "<img" not in re.sub(r"<template.*?</template>", "", html, flags=re.DOTALL)
        assert "<script>" not in html
        assert "&lt;img src=x onerror=alert(1)&gt;" in html
        assert "49" not in re.sub(r"&#\d+;", "", html).split("<body", 1)[1].replace("7*7", "")


def shot(n: int) -> ev.ImageKept:
    return ev.ImageKept(
        image=Image(
            id=f"i{n}",
            stream="s",
            at_ms=1_795_514_400_000,
            media="deskshare",
            file=f"screen-{n}.jpg",
            thumb=f"screen-{n}-small.jpg",
            width=640,
            height=360,
            speaker="<b>Anna",
        )
    )


async def test_pictures_are_served_as_jpeg_and_only_those_of_the_log(page: Page) -> None:
    log = await opened(page.store)
    folder = page.store.home / "meetings" / log.meeting / "images"
    folder.mkdir(parents=True)
    (folder / "screen-1.jpg").write_bytes(b"\xff\xd8\xff<script>")
    (folder / "screen-9.jpg").write_bytes(b"not in the log")
    (folder / "screen-2.jpg").symlink_to("/etc/hostname")
    await log.append(shot(1), shot(2))
    base = f"{page.base}/m/{log.meeting}/images"
    async with page.client.get(f"{base}/screen-1.jpg") as got:
        assert got.status == 200
        assert await got.read() == b"\xff\xd8\xff<script>"
        assert got.headers["Content-Type"] == "image/jpeg"
        assert got.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in got.headers["Content-Security-Policy"]
        assert got.headers["Cache-Control"].startswith("private")
    for name, status in (
        ("screen-9.jpg", 404),  # on the disk, not in the log
        ("screen-1-small.jpg", 404),  # in the log, not on the disk
        ("screen-2.jpg", 503),  # a link to somewhere else
        ("..%2F..%2Fwriter.lock", 404),
        ("%2e%2e/%2e%2e/rtms-notes.db", 404),
        ("screen-1.jpg%00", 404),
        ("screen-1.png", 404),
    ):
        async with page.client.get(URL(f"{base}/{name}", encoded=True)) as got:
            assert got.status == status, name
            assert "hostname" not in await got.text()
    _, html = await page.get(f"/m/{log.meeting}")
    assert f'src="/m/{log.meeting}/images/screen-1-small.jpg"' in html
    assert "Screen of &lt;b&gt;Anna" in html


async def test_faults_and_saved_files_stand_in_a_modest_place(page: Page) -> None:
    log = await opened(page.store)
    _, html = await page.get(f"/m/{log.meeting}")
    assert '<details class="more" id="more" hidden>' in html
    await log.append(
        ev.ProtocolFaulted(
            stream="s", socket="audio", reason="bad_base64", detail="<i>", at_ms=1, count=2
        ),
        ev.ClipKept(
            clip=Clip(
                id="v1",
                stream="s",
                media="video",
                codec="H264",
                file="video-1.mkv",
                from_ms=1_795_514_400_000,
                to_ms=1_795_514_460_000,
                frames=9,
                width=1280,
                height=720,
                speaker="Anna",
            )
        ),
    )
    _, html = await page.get(f"/m/{log.meeting}")
    assert "audio: bad base64, &lt;i&gt; (on 2 connections)" in html
    assert "Video of Anna from" in html
    assert "(60 s, 1280 x 720, H264): images/video-1.mkv" in html
    assert '<details class="more" id="more">' in html


async def test_nobody_can_reorder_or_hide_text_on_the_page(page: Page) -> None:
    marks = "\u202e\u2066\u200e\u200f\u061c\u200b\U000e0041"
    name = f"An{marks}na"
    log = await opened(page.store, title=f"Ti{marks}tle")
    await log.append(
        ev.ParticipantJoined(participant="1", name=name, at_ms=1), said(1, name, f"wo{marks}rd")
    )
    for path in (f"/m/{log.meeting}", "/", "/search?q=Anna"):
        _, html = await page.get(path)
        assert not set(html) & set(marks)
    _, html = await page.get(f"/m/{log.meeting}")
    assert "Anna" in html
    assert "Title" in html
    assert "word" in html


async def test_search_finds_words_and_links_to_them(page: Page) -> None:
    log, _ = await holiday(page.store)
    _, html = await page.get("/search?q=flamingo+OR+hair")  # no operators: all words must occur
    assert "Nothing found for" in html
    assert "/m/" not in html
    _, html = await page.get("/search?q=bake+dryer")
    assert re.findall(r'href="(/m/[^"]*)"', html) == [f"/m/{log.meeting}#u10"]
    _, html = await page.get("/search?q=dryer")
    assert f'href="/m/{log.meeting}#u10"' in html
    _, html = await page.get("/search?q=zzzz")
    assert "Nothing found for" in html


# -- API -------------------------------------------------------------------------------------


async def test_the_api_gives_the_export_and_the_list(page: Page) -> None:
    log, _ = await holiday(page.store)
    _, text = await page.get(f"/api/meetings/{log.meeting}")
    schema = json.loads((ROOT / "docs" / "schemas" / "export.schema.json").read_text())
    jsonschema.validate(json.loads(text), schema)
    _, text = await page.get("/api/meetings")
    assert [m["id"] for m in json.loads(text)] == [log.meeting]
    _, text = await page.get(f"/api/search?q=dryer&meeting={log.meeting}&limit=5")
    assert json.loads(text)[0]["ref"] == "u10"


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/api/meetings/nothere", 404, "nothere"),
        ("/m/nothere", 404, "nothere"),
        ("/m/nothere/events", 404, "nothere"),
        ("/nosuch", 404, "there is no such page"),
        ("/m/..%2f..%2fetc", 404, "there is no such page"),
        ("/static/..%2fapp.py", 404, "there is no such page"),
        ("/api/search?q=" + "x" * 300, 400, "at most 200 characters"),
        ("/api/search?q=x&limit=-1", 400, "limit: not a number"),
        ("/api/search?q=x&limit=%D9%A1", 400, "limit: not a number"),
    ],
)
async def test_bad_requests_get_one_clear_line(
    page: Page, path: str, status: int, words: str
) -> None:
    async with page.client.get(page.base + path) as response:
        text = await response.text()
        assert (response.status, words in text) == (status, True)
        if path.startswith("/api/"):
            assert list(json.loads(text)) == ["error"]


@pytest.mark.parametrize(
    ("says", "answer"), [("ok", 200), ("degraded", 200), ("failed", 503), (None, 503)]
)
async def test_health_answers_for_those_who_restart(page: Page, says: Any, answer: int) -> None:
    page.status["status"] = says
    status, text = await page.get("/health")
    assert (status, json.loads(text)) == (answer, {"status": says})


async def test_metrics_are_prometheus_text(page: Page) -> None:
    async with page.client.get(page.base + "/metrics") as response:
        assert response.content_type == "text/plain"
        assert "# TYPE rtms_active_meetings gauge" in await response.text()


# -- guards ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/", "/m/none", "/api/meetings", "/health", "/nosuch", "/static/page.js"]
)
async def test_every_answer_carries_the_policy(page: Page, path: str) -> None:
    async with page.client.get(page.base + path) as response:
        assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Cache-Control"] in ("no-store", "no-cache")


async def test_a_stream_is_kept_by_nobody(page: Page) -> None:
    log = await opened(page.store)
    async with page.client.get(f"{page.base}/m/{log.meeting}/events") as response:
        assert response.content_type == "text/event-stream"
        assert response.headers.getall("Cache-Control") == ["no-store"]


async def test_nothing_in_the_pages_needs_an_exception_from_the_policy(page: Page) -> None:
    log, _ = await holiday(page.store)
    for path in ("/", f"/m/{log.meeting}", "/search?q=oven", "/nosuch"):
        _, html = await page.get(path)
        assert not re.search(r"<[^>]+\s(style|on\w+)=", html)
        assert all('src="/static/' in tag for tag in re.findall(r"<script[^>]*>", html))
        assert "<style" not in html


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "192.168.0.2"])
@pytest.mark.parametrize("path", ["/", "/health", "/api/meetings", "/nosuch"])
async def test_a_foreign_host_is_refused(page: Page, host: str, path: str) -> None:
    status, text = await page.get(path, Host=host)
    assert status == 421
    assert text == "this page answers on this machine only: use http://127.0.0.1 or localhost\n"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])
async def test_it_can_only_be_read(page: Page, method: str) -> None:
    async with page.client.request(method, page.base + "/", data=b"x" * 100_000) as response:
        assert response.status == 405
        assert response.headers["Allow"] == "GET, HEAD"


async def test_head_has_no_body(page: Page) -> None:
    async with page.client.head(page.base + "/") as response:
        assert response.status == 200
        assert await response.read() == b""


# -- stream ----------------------------------------------------------------------------------


async def test_what_is_committed_is_on_the_stream_under_its_seq(page: Page) -> None:
    log = await opened(page.store)
    async with streaming(page, log.meeting, after=1) as stream:
        hello = await stream.next()
        assert hello is not None
        assert hello.event == "hello"
        await log.append(said(1, "first"))
        sent = await stream.next()
        assert sent is not None
        assert (sent.event, sent.id) == ("change", 2)
        assert [line["text"] for line in sent.data["lines"]] == ["first"]
        assert "1 newer line not in them yet" not in sent.data["head"]["coverage"]


async def test_a_commit_is_one_change(page: Page) -> None:
    log = await opened(page.store)
    async with streaming(page, log.meeting, after=1) as stream:
        await stream.next()
        await log.append(said(1), said(2), said(3))
        sent = await stream.next()
        assert sent is not None
        assert sent.id == 4
        assert [line["id"] for line in sent.data["lines"]] == ["u1", "u2", "u3"]


async def test_words_being_said_come_without_a_number_until_the_log_has_them(
    page: Page,
) -> None:
    log = await opened(page.store)
    partial = Partial(file="a.pcm", stream="s", start_ms=1_795_514_401_000, tentative="we ship")
    page.live.put(log.meeting, partial)
    page.live.put("another", partial)
    async with streaming(page, log.meeting, after=1) as stream:
        hello, first = await stream.next(), await stream.next()
        assert hello is not None
        assert first is not None
        assert hello.event == "hello"
        assert (first.event, first.id) == ("partial", None)
        assert [line["tentative"] for line in first.data["lines"]] == ["we ship"]
        assert page.live.watched(log.meeting)

        segment = Segment(
            id="s1", stream="s", start_ms=1, end_ms=2, file="a.pcm", samples=1, speaker="Anna"
        )
        await log.append(ev.SegmentSpooled(segment=segment))
        words = msgspec.structs.replace(said(1, "We ship.").utterance, segment="s1")
        await log.append(
            ev.UtteranceSaid(utterance=words), ev.SegmentClosed(segment="s1", outcome="text")
        )
        found = [await stream.next(), await stream.next()]
        assert [sent.id for sent in found if sent is not None] == [2, 4]
        last = found[-1]
        assert last is not None
        assert last.data["settled"] == ["a.pcm"]  # in the event that brings the line
        assert [line["text"] for line in last.data["lines"]] == ["We ship."]
        page.live.put(log.meeting, msgspec.structs.replace(partial, tentative="too late"))
        page.live.put(log.meeting, msgspec.structs.replace(partial, file="b.pcm"))
        after = await stream.next()
        assert after is not None
        assert [line["file"] for line in after.data["lines"]] == ["b.pcm"]
    async with asyncio.timeout(WAIT):  # the reader has gone, and that shows when words come
        for number in count():
            if not page.live.watched(log.meeting):
                break
            page.live.put(log.meeting, msgspec.structs.replace(partial, tentative=f"{number}"))
            page.live.put(log.meeting, msgspec.structs.replace(partial, file=f"{number}.pcm"))
            await asyncio.sleep(0.01)


async def test_it_ends_when_the_meeting_is_finished(page: Page) -> None:
    log, rest = await holiday(page.store, upto=30)
    async with streaming(page, log.meeting, after=30) as stream:
        await log.append(*rest)
        found = await stream.rest()
    assert found[-1].event == "end"
    ids = [sent.id for sent in found if sent.event == "change"]
    assert ids == sorted(set(ids))  # type: ignore[type-var]
    assert ids[-1] == 30 + len(rest)


async def test_it_resumes_without_hole_or_double(page: Page) -> None:
    log = await opened(page.store)
    async with streaming(page, log.meeting, after=1) as stream:
        await stream.next()
        await log.append(said(1))
        first = await stream.next()
    await log.append(said(2), said(3))  # nobody listens
    assert first is not None
    async with streaming(page, log.meeting, **{"Last-Event-ID": str(first.id)}) as stream:
        missed = await stream.next()
        assert missed is not None
        assert (missed.id, [line["id"] for line in missed.data["lines"]]) == (4, ["u2", "u3"])
        await log.append(said(4))
        then = await stream.next()
        assert then is not None
        assert (then.id, [line["id"] for line in then.data["lines"]]) == (5, ["u4"])


async def test_from_the_beginning_everything_comes_as_one_change(page: Page) -> None:
    log, _ = await holiday(page.store)
    async with streaming(page, log.meeting) as stream:
        found = await stream.rest()
    assert [sent.event for sent in found] == ["change", "end"]
    assert len(found[0].data["lines"]) == 37


async def test_a_finished_meeting_needs_no_stream(page: Page) -> None:
    log, _ = await holiday(page.store)
    last = page.store.reader.view(log.meeting).last_seq
    status, _ = await page.get(f"/m/{log.meeting}/events?after={last}")
    assert status == 204


async def test_a_page_of_another_log_is_told_to_load_again(page: Page) -> None:
    log = await opened(page.store)
    async with streaming(page, log.meeting, after=999) as stream:
        assert [sent.event for sent in await stream.rest()] == ["reload"]


@pytest.mark.parametrize("last", ["x", "-1", "1e9", "9" * 20])
async def test_a_nonsense_position_is_refused(page: Page, last: str) -> None:
    log = await opened(page.store)
    status, text = await page.get(f"/m/{log.meeting}/events", **{"Last-Event-ID": last})
    assert (status, "not a number" in text) == (400, True)


async def test_a_quiet_stream_is_kept_open_by_comments(store: Store) -> None:
    async with serving(store, ping_s=0.01) as page:
        log = await opened(store)
        async with streaming(page, log.meeting, after=1) as stream:
            await stream.next()
            async with asyncio.timeout(WAIT):
                while not (await stream.response.content.readline()).startswith(b":"):
                    pass


async def test_a_listener_that_stops_ends_its_streams_cleanly(store: Store) -> None:
    async with serving(store) as page:
        log = await opened(store)
        async with streaming(page, log.meeting, after=1) as stream:
            await stream.next()
            async with asyncio.timeout(WAIT / 2):  # well under the time-out for stopping
                stopping = asyncio.create_task(page.runner.cleanup())
                assert await stream.rest() == []
                await stopping


async def test_readers_are_counted_and_let_go(page: Page) -> None:
    log = await opened(page.store)
    before = metrics.PAGE_READERS._value.get()
    async with streaming(page, log.meeting, after=1) as stream:
        await stream.next()
        assert metrics.PAGE_READERS._value.get() == before + 1
    # The reader is gone; the next commit finds out.
    async with asyncio.timeout(WAIT):
        for n in range(1, 500):
            if metrics.PAGE_READERS._value.get() == before:
                break
            await log.append(said(n))
    assert metrics.PAGE_READERS._value.get() == before


async def test_one_reader_too_many_is_told_to_come_back(store: Store) -> None:
    async with serving(store, max_streams=1) as page:
        log = await opened(store)
        async with streaming(page, log.meeting, after=1) as stream:
            await stream.next()
            url = f"{page.base}/m/{log.meeting}/events?after=1"
            async with page.client.get(url) as response:
                assert response.status == 503
                assert response.headers["Retry-After"] == "5"


async def test_a_reader_that_takes_nothing_is_cut_off_and_harms_nobody(store: Store) -> None:
    async with serving(store, send_timeout_s=0.05) as page:
        log = await opened(store)
        port = int(page.base.rsplit(":", 1)[1])
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(
            f"GET /m/{log.meeting}/events?after=1 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        )
        await reader.readuntil(b"event: hello")
        before = metrics.PAGE_READERS._value.get()
        async with asyncio.timeout(60), streaming(page, log.meeting, after=1) as other:
            await other.next()
            n = 0
            while metrics.PAGE_READERS._value.get() > before:  # the other one stays
                n += 1
                await log.append(said(n, "long " * 40_000))
                sent = await other.next()
                assert sent is not None
                assert sent.id == n + 1
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def test_each_commit_is_on_the_stream_at_once(page: Page) -> None:
    """The promise is 100 ms (p99); the bench measures it. Here: each commit is sent by itself."""
    log = await opened(page.store)
    async with asyncio.timeout(60), streaming(page, log.meeting, after=1) as stream:
        await stream.next()
        for n in range(1, 51):
            await log.append(said(n))
            sent = await stream.next()
            assert sent is not None
            assert sent.id == n + 1


def test_settings_are_frozen_and_refuse_unknown_names() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"ping": 1}, WebSettings)
