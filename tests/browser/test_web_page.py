"""The live page in a real browser, under its real policy.

``expect`` only: ``wait_for_function`` needs ``eval``, which the policy forbids.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from playwright.async_api import Browser, Page, expect

from pipeline.model import events as ev
from pipeline.model.happening import Image
from pipeline.model.log import MeetingLog
from pipeline.model.notes import Add, Check, Evidence, NoteItem, Patch, Retract
from pipeline.model.speech import Gap, Message, SharedFile, Utterance
from tests.image_makers import slide, still

START = 1_795_514_400_000
NASTY = "<img src=x onerror=document.title='owned'>"


class Site(Protocol):
    """What conftest's ``site`` gives."""

    base: str

    async def holiday(self, upto: int | None = None) -> tuple[MeetingLog, list[ev.Body]]: ...
    async def start(self) -> None: ...
    async def stop(self) -> None: ...


@asynccontextmanager
async def tab(browser: Browser, **options: Any) -> AsyncIterator[Page]:
    """A page of its own that must not complain: neither script errors nor broken policy."""
    context = await browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
    page = await context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: (
            complaints.append(message.text)
            if message.type == "error"
            and "ERR_" not in message.text  # a stopped server, on purpose
            else None
        ),
    )
    yield page
    await context.close()
    assert complaints == []


def said(n: int, text: str, speaker: str = "Anna", **more: Any) -> ev.UtteranceSaid:
    return ev.UtteranceSaid(
        utterance=Utterance(
            id=f"u{n}",
            stream="s",
            source="native",
            start_ms=START + n * 1000,
            end_ms=START + n * 1000 + 900,
            text=text,
            speaker=speaker,
            participant=speaker,
            **more,
        )
    )


def noted(pid: str, *ops: Any, covered: int = 2) -> ev.NotesPatched:
    return ev.NotesPatched(
        patch=Patch(id=pid, at_ms=START, author="extractive", ops=ops), covered_seq=covered
    )


def action(text: str, ref: str = "u1", **more: Any) -> NoteItem:
    cited = Evidence(ref=ref, revision=1, quote="", start_ms=START + 1000, end_ms=START + 1900)
    return NoteItem(
        id="n1",
        kind="action",
        text=text,
        evidence=(cited,),
        check=Check(state="verified"),
        author="extractive",
        **more,
    )


async def opened(site: Any, title: str = "Plan") -> MeetingLog:
    log: MeetingLog = await site.store.create(
        ev.MeetingOpened(product="meeting", zoom_id=title, started_ms=START, title=title)
    )
    return log


async def test_the_meeting_appears_while_it_happens(site: Site, browser: Browser) -> None:
    log = await opened(site)
    async with tab(browser) as page:
        await page.goto(f"{site.base}/m/{log.meeting}")
        await expect(page.get_by_text("Nobody has said anything yet")).to_be_visible()
        await expect(page.get_by_text("Nothing has been noted yet")).to_be_visible()

        await log.append(
            ev.ParticipantJoined(participant="Anna", name="Anna", at_ms=START), said(1, "I call.")
        )
        await expect(page.locator("#u1 .text")).to_have_text("I call.")
        await expect(page.locator("#people")).to_contain_text("Anna")
        await expect(page.get_by_text("Nobody has said anything yet")).to_be_hidden()

        await log.append(
            noted("p1", Add(action("Call", owner="Anna", due="2026-11-26")), covered=3)
        )
        item = page.locator("[data-section=action] #n1")
        await expect(item).to_contain_text("Call")
        await expect(item.locator(".owner")).to_have_text("Anna")
        await expect(item.locator(".due")).to_have_text("due Thu 2026-11-26")
        await expect(page.get_by_role("heading", name="Actions")).to_be_visible()
        await expect(page.locator(".coverage")).to_contain_text("Notes have read up to 10:00:01")
        await expect(page.locator(".notes .chip")).to_have_text("extracted, not written")
        await expect(page.locator("#news")).to_have_text("action: Call (Anna)")
        await expect(page.locator("#u1 .refs a")).to_have_attribute("href", "#n1")

        await log.append(noted("p2", Retract("n1")))
        await expect(item).to_have_class(re.compile("withdrawn"))
        await expect(item.locator(".status")).to_have_text("withdrawn")

        await log.append(
            ev.StageChanged(stage="summarize", state="degraded", at_ms=START, detail="model away"),
            ev.GapFound(
                gap=Gap(
                    id="g1",
                    from_ms=START + 1950,
                    to_ms=START + 9000,
                    media="all",
                    cause="media_lost",
                )
            ),
            said(9, "Back again."),
        )
        alert = page.get_by_role("region", name="Not everything is here")
        await expect(alert).to_contain_text("Notes degraded: model away.")
        await expect(alert.get_by_role("link")).to_have_attribute("href", "#g1")

        await log.append(said(3, "Said before, heard late."))
        order = page.locator("#lines > li")
        await expect(order).to_have_count(4)
        assert [await node.get_attribute("id") for node in await order.all()] == [
            "u1",
            "g1",
            "u3",
            "u9",
        ]

        await log.append(said(9, "Back again!", revision=2), said(3, "", revision=2, deleted=True))
        await expect(page.locator("#u9 .text")).to_have_text("Back again!")
        await expect(page.locator("#u9 .mark")).to_have_text("corrected")
        await expect(page.locator("#u3")).to_have_count(0)

        await expect(page.locator(".pill")).to_have_text("Live")
        await log.append(ev.MeetingEnded(at_ms=START), ev.MeetingFinished(at_ms=START))
        await expect(page.locator(".pill")).to_have_text("Finished")


async def test_a_page_that_followed_shows_what_a_fresh_one_shows(
    site: Site, browser: Browser
) -> None:
    log, rest = await site.holiday(upto=4)
    async with tab(browser) as followed, tab(browser) as fresh:
        await followed.goto(f"{site.base}/m/{log.meeting}")
        await expect(followed.locator(".pill")).to_have_text("Live")
        for body in rest:
            await log.append(body)
        await expect(followed.locator(".pill")).to_have_text("Finished")
        await fresh.goto(f"{site.base}/m/{log.meeting}")
        for part in (".top", "#alert", "#notes", "#lines"):
            shown = [await page.locator(part).inner_text() for page in (followed, fresh)]
            assert shown[0] == shown[1], part
        links = [
            await page.locator("main a").evaluate_all("all => all.map(a => a.getAttribute('href'))")
            for page in (followed, fresh)
        ]
        assert links[0] == links[1]


async def test_hostile_names_and_words_are_only_text(site: Site, browser: Browser) -> None:
    log = await opened(site, title=NASTY)
    await log.append(said(1, NASTY, NASTY))
    async with tab(browser) as page:
        await page.goto(f"{site.base}/m/{log.meeting}")
        await expect(page.locator("h1")).to_have_text(NASTY)
        await log.append(
            ev.ParticipantJoined(participant="2", name=NASTY, at_ms=START),
            said(2, NASTY + "<script>document.title='owned'</script>", NASTY),
            noted(
                "p",
                Add(
                    action(
                        NASTY,
                        owner=NASTY,
                        due_text=NASTY,
                        due="2026-11-26",
                        ref="u2",
                    )
                ),
            ),
            ev.StageChanged(stage="store", state="failed", at_ms=START, detail=NASTY),
        )
        await expect(page.locator("#u2 .speaker")).to_have_text(NASTY)
        await expect(page.locator("#n1 .owner")).to_have_text(NASTY)
        await expect(page.locator("#people li").first).to_have_text(NASTY)
        await expect(page.locator("#troubles")).to_contain_text(NASTY)
        assert await page.locator("img").count() == 0
        assert await page.locator("body script").count() == 0
        assert "owned" not in (await page.title()).replace(NASTY, "")
        await page.goto(site.base)
        await expect(page.locator(".name")).to_have_text(NASTY)
        assert await page.locator("img").count() == 0


async def test_a_page_resumes_after_the_service_was_away(site: Site, browser: Browser) -> None:
    log = await opened(site)
    await log.append(said(1, "one"))
    async with tab(browser) as page:
        await page.goto(f"{site.base}/m/{log.meeting}")
        await log.append(said(2, "two"))
        await expect(page.locator("#u2")).to_be_visible()
        await site.stop()
        await expect(page.get_by_role("status")).to_contain_text("connection to rtms-notes is lost")
        await log.append(said(3, "three, unseen"), said(2, "two, corrected", revision=2))
        await site.start()
        await expect(page.locator("#u3 .text")).to_have_text("three, unseen")
        await expect(page.locator("#u2 .text")).to_have_text("two, corrected")
        await expect(page.locator("#lines > li")).to_have_count(3)
        await expect(page.locator("#lost")).to_be_hidden()


async def test_a_line_of_the_notes_leads_to_its_words_and_back(
    site: Site, browser: Browser
) -> None:
    log, _ = await site.holiday()
    async with tab(browser, reduced_motion="reduce") as page:
        await page.goto(f"{site.base}/m/{log.meeting}")
        item = page.locator("#n8")  # customers, near the end of the transcript
        await item.scroll_into_view_if_needed()
        before = await item.bounding_box()
        words = page.locator("#u31")
        await expect(words).not_to_be_in_viewport()
        await item.get_by_role("link", name="10:03:14 Anna Miller").click()
        await expect(words).to_be_in_viewport()
        await expect(words).to_contain_text("I will write to the customers for you")
        marked = await words.evaluate("e => getComputedStyle(e).backgroundColor")
        plain = await page.locator("#u30").evaluate("e => getComputedStyle(e).backgroundColor")
        assert marked != plain
        assert await item.bounding_box() == before  # the notes stay where they are
        await words.get_by_role("link", name="action").click()
        await expect(item).to_be_in_viewport()
        assert page.url.endswith("#n8")


async def test_without_javascript_a_refresh_shows_what_is_new(site: Site, browser: Browser) -> None:
    log = await opened(site)
    await log.append(said(1, "one"))
    async with tab(browser, java_script_enabled=False) as page:
        await page.goto(f"{site.base}/m/{log.meeting}")
        await expect(page.locator("#u1 .text")).to_have_text("one")
        await expect(page.locator("noscript p")).to_contain_text("Without JavaScript")
        await log.append(said(2, "two"), noted("p", Add(action("Call")), covered=3))
        await page.locator("noscript a").click()
        await expect(page.locator("#u2 .text")).to_have_text("two")
        await page.locator("#n1 .refs a").click()
        assert page.url.endswith("#u1")


async def test_it_can_be_read_on_a_phone_and_by_keyboard(site: Site, browser: Browser) -> None:
    log, _ = await site.holiday()
    async with tab(browser, viewport={"width": 360, "height": 640}) as page:
        await page.goto(f"{site.base}/m/{log.meeting}")
        wide = await page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 360  # nothing sticks out
        await page.keyboard.press("Tab")
        skip = page.get_by_role("link", name="Skip to the notes")
        await expect(skip).to_be_focused()
        await expect(skip).to_be_in_viewport()
        for role, name in (("main", None), ("banner", None), ("region", "Notes")):
            assert await page.get_by_role(role, name=name).count() == 1  # type: ignore[arg-type]


async def test_text_has_contrast_in_light_and_dark(site: Site, browser: Browser) -> None:
    log, _ = await site.holiday()
    for scheme in ("light", "dark"):
        async with tab(browser, color_scheme=scheme) as page:
            await page.goto(f"{site.base}/m/{log.meeting}")
            low = await page.evaluate(CONTRAST)
            assert low == [], scheme


CONTRAST = """() => {
  const parse = (c) => (c.match(/[\\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.checkVisibility()) continue;
    const [a, b] = [light(parse(getComputedStyle(e).color)), light(ground(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) low.push(`${e.className || e.tagName}: ${ratio.toFixed(2)}`);
  }
  return [...new Set(low)];
}"""


async def test_pictures_private_chat_and_calls_appear_while_they_happen(
    site: Site, browser: Browser, tmp_path: Path
) -> None:
    log = await opened(site)
    folder = tmp_path / "home" / "meetings" / log.meeting / "images"
    folder.mkdir(parents=True)
    (folder / "screen-1.jpg").write_bytes(still(slide(1, 1280, 720)))
    (folder / "screen-1-small.jpg").write_bytes(still(slide(1, 320, 180)))
    private = Message(
        id="c2",
        stream="s",
        at_ms=START + 4_000,
        text=NASTY,
        speaker="Ben",
        session="individual",
        to_name=NASTY,
        parent="z1",
        files=(SharedFile(name=NASTY, size=10),),
    )
    first = Message(id="c1", stream="s", at_ms=START, text="hi", speaker="Ada", zoom_id="z1")
    image = Image(
        id="i1",
        stream="s",
        at_ms=START + 500,
        media="deskshare",
        file="screen-1.jpg",
        thumb="screen-1-small.jpg",
        width=1280,
        height=720,
        speaker="Anna",
    )
    async with tab(browser) as followed, tab(browser) as fresh:
        await followed.goto(f"{site.base}/m/{log.meeting}")
        await log.append(
            ev.SharingStarted(stream="s", at_ms=START, speaker="Anna"),
            ev.ImageKept(image=image),
            said(3, "look at this"),
            noted("p", Add(action("Look", owner="Anna", ref="u3"))),
            ev.MessageSaid(message=first),
            ev.MessageSaid(message=private),
            ev.MessageReacted(message="c1", emoji="+1", at_ms=START, speaker="Ben"),
            ev.CallHappened(stream="s", at_ms=START + 5_000, what="user_hold", speaker="Ben"),
            ev.ProtocolFaulted(
                stream="s", socket="audio", reason="bad_json", detail="", at_ms=START
            ),
            ev.SharingStopped(stream="s", at_ms=START + 60_000, speaker="Anna"),
        )
        await expect(followed.locator("#faults li")).to_have_text("audio: bad json")
        await fresh.goto(f"{site.base}/m/{log.meeting}")
        for page in (followed, fresh):
            shot = page.locator("#i1 img")
            await expect(shot).to_have_js_property("naturalWidth", 320)
            await expect(page.locator("#i1")).to_contain_text("Screen of Anna")
            await expect(page.locator("#c2 .mark")).to_have_text(f"chat, private, to {NASTY}")
            await expect(page.locator("#c1 .beside")).to_have_text("+1 Ben")
            await expect(page.locator("#c2 .refs a")).to_have_attribute("href", "#c1")
            await expect(page.locator(".line.event")).to_have_text(
                [
                    re.compile("Anna shares the screen"),
                    re.compile("Ben put the call on hold"),
                    re.compile("Anna stopped sharing the screen"),
                ]
            )
            await expect(page.locator("#n1 .refs a").last).to_have_attribute("href", "#i1")
            assert "owned" not in await page.title()
        shown = [await page.locator("#lines").inner_text() for page in (followed, fresh)]
        assert shown[0] == shown[1]
        async with fresh.expect_response("**/screen-1.jpg") as answered:
            await fresh.locator("#i1 .shot").click()
        assert (await answered.value).headers["content-type"] == "image/jpeg"
