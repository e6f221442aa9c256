"""Words while they are being said, in a real browser: steady, quiet, then replaced by final ones.

``expect`` only: ``wait_for_function`` needs ``eval``, which the policy forbids.
"""

from __future__ import annotations

import re
from typing import Any, Protocol

import msgspec
from playwright.async_api import Browser, Page, expect

from pipeline.model import events as ev
from pipeline.model.live import LiveWords, Partial
from pipeline.model.log import MeetingLog
from pipeline.model.speech import Correction, Segment, Utterance
from tests.browser.test_web_page import CONTRAST, NASTY, START, opened, said, tab


class Site(Protocol):
    """What conftest's ``site`` gives."""

    base: str
    live: LiveWords

    async def start(self) -> None: ...
    async def stop(self) -> None: ...


ANNA = Partial(
    file="a.pcm",
    stream="s",
    start_ms=START + 2_000,
    participant="Anna",
    speaker="Anna",
    tentative="we ship",
)
WATCH = """() => {
  window.paints = [];
  window.lost = 0;
  const look = () => {
    const live = document.querySelectorAll("#lines .partial").length;
    const final = document.querySelectorAll("#lines #u1").length;
    window.paints.push(live + final);
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
  new MutationObserver((changes) => changes.forEach((change) => {
    for (const node of change.removedNodes) {
      if (node.nodeType === 1 && node.matches("span") && !node.classList.contains("tentative")) {
        window.lost += 1;
      }
    }
  })).observe(document.getElementById("lines"), { childList: true, subtree: true });
}"""


def heard(committed: str, tentative: str, **more: Any) -> Partial:
    return msgspec.structs.replace(ANNA, committed=committed, tentative=tentative, **more)


def spooled(segment: str, file: str, start_ms: int = START + 2_000) -> ev.SegmentSpooled:
    return ev.SegmentSpooled(
        segment=Segment(
            id=segment,
            stream="s",
            start_ms=start_ms,
            end_ms=start_ms + 900,
            file=file,
            samples=14_400,
            participant="Anna",
            speaker="Anna",
        )
    )


async def follow(page: Page, site: Site, log: MeetingLog) -> None:
    """Open the meeting's page and wait until it listens."""
    async with page.expect_response("**/events?after=*"):
        await page.goto(f"{site.base}/m/{log.meeting}")


async def test_committed_words_stay_and_the_final_line_takes_the_place_in_one_paint(
    site: Site, browser: Browser
) -> None:
    log = await opened(site)
    site.live.put(log.meeting, ANNA)  # before the page is there
    async with tab(browser) as page:
        await follow(page, site, log)
        line = page.locator("#lines .partial")
        text = line.locator(".text")
        await expect(line.locator(".speaker")).to_have_text("Anna")
        await expect(line.locator("time")).to_have_text("10:00:02")
        await expect(text).to_have_text("we ship")
        await expect(text.locator(".tentative")).to_have_count(2)
        await expect(page.get_by_text("Nobody has said anything yet")).to_be_hidden()

        site.live.put(log.meeting, heard("we ship", "the Fox"))
        await expect(text).to_have_text("we ship the Fox")
        await expect(text.locator("span:not(.tentative)")).to_have_text(["we", "ship"])
        await page.evaluate(WATCH)
        await page.evaluate("document.querySelector('.partial .text span').mine = true")
        for committed, tentative in (
            ("we ship the first", "box"),
            ("we ship the first boxes", ""),
            ("we ship the first boxes", "on Monday or so"),
        ):
            site.live.put(log.meeting, heard(committed, tentative))
            await expect(text).to_have_text(f"{committed} {tentative}".strip())
        assert await page.evaluate("document.querySelector('.partial .text span').mine")
        style = "e => getComputedStyle(e).fontStyle"
        assert await text.locator("span").first.evaluate(style) == "normal"
        assert await text.locator("span").last.evaluate(style) == "italic"
        assert await page.evaluate("window.lost") == 0  # no committed word left the page

        final = said(1, "We ship the first boxes on Monday.", segment="s1")
        await log.append(spooled("s1", "a.pcm"))
        await log.append(final, ev.SegmentClosed(segment="s1", outcome="text"))
        await expect(page.locator("#u1 .text")).to_have_text("We ship the first boxes on Monday.")
        await expect(line).to_have_count(0)
        assert set(await page.evaluate("window.paints")) == {1}  # never both, never none

        site.live.put(log.meeting, heard("we ship", "again"))  # too late: it is settled
        site.live.put(log.meeting, heard("", "next one", file="b.pcm", start_ms=START + 9_000))
        await expect(line).to_have_text(re.compile("next one"))
        await expect(line).to_have_count(1)
        site.live.drop(log.meeting, "b.pcm")
        await expect(line).to_have_count(0)


async def test_nothing_announces_single_words(site: Site, browser: Browser) -> None:
    log = await opened(site)
    async with tab(browser) as page:
        await follow(page, site, log)
        site.live.put(log.meeting, heard("we", "ship"))
        line = page.locator(".partial")
        await expect(line).to_be_visible()
        announcing = "e => e.closest('[aria-live]:not([aria-live=off]), [role=status], [role=log]')"
        assert await line.evaluate(announcing) is None
        await expect(page.locator("#news")).to_have_text("")
        await expect(line).to_have_text(re.compile(r"Anna\s+is speaking, words may change:"))
        assert await page.evaluate(CONTRAST) == []


async def test_two_people_at_once_stand_in_order_and_one_may_become_known(
    site: Site, browser: Browser
) -> None:
    log = await opened(site)
    await log.append(said(1, "Before.", segment=None))
    unknown = {"participant": None, "speaker": None, "attribution": "unknown"}
    async with tab(browser) as page:
        await follow(page, site, log)
        site.live.put(
            log.meeting, heard("mixed", "", file="b.pcm", start_ms=START + 6_000, **unknown)
        )
        site.live.put(log.meeting, heard("we", "", start_ms=START + 5_500))
        names = page.locator("#lines .speaker")
        await expect(names).to_have_text(["Anna", "Anna", "Unknown speaker"])
        probably = {
            "participant": "2",
            "speaker": "Ben",
            "attribution": "active_speaker",
            "speaker_confidence": 0.82,
        }
        site.live.put(
            log.meeting, heard("mixed", "", file="b.pcm", start_ms=START + 6_000, **probably)
        )
        await expect(names).to_have_text(["Anna", "Anna", "Ben (probably)"])
        await expect(names.last).to_have_attribute(
            "title", "by who Zoom said was speaking then, 82% sure"
        )


async def test_after_the_service_was_away_only_what_is_said_now_is_shown(
    site: Site, browser: Browser
) -> None:
    log = await opened(site)
    async with tab(browser) as page:
        await follow(page, site, log)
        site.live.put(log.meeting, heard("old", "words"))
        await expect(page.locator(".partial")).to_have_count(1)
        await site.stop()
        site.live.drop(log.meeting, "a.pcm")
        await log.append(spooled("s1", "a.pcm"), said(1, "Old words.", segment="s1"))
        site.live.put(log.meeting, heard("new", "", file="b.pcm", start_ms=START + 20_000))
        await site.start()
        await expect(page.locator("#u1")).to_be_visible()
        await expect(page.locator(".partial .text")).to_have_text(["new"])


async def test_hostile_words_are_only_text(site: Site, browser: Browser) -> None:
    log = await opened(site)
    async with tab(browser) as page:
        await follow(page, site, log)
        site.live.put(log.meeting, heard(NASTY, NASTY, speaker=NASTY))
        await expect(page.locator(".partial .speaker")).to_have_text(NASTY)
        await expect(page.locator(".partial .text")).to_have_text(f"{NASTY} {NASTY}")
        assert await page.locator("img").count() == 0
        correction = Correction(at=0, was=NASTY, now="Kubeflow", source="glossary")
        await log.append(
            said(1, "Kubeflow runs", NASTY, corrections=(correction,), doubt=NASTY),
        )
        await expect(page.locator("#u1 .fixed")).to_have_attribute("title", f"heard: {NASTY}")
        await expect(page.locator("#u1 .doubt")).to_have_text(
            f"may be made up: {NASTY.replace('_', ' ')}"
        )
        assert await page.locator("img").count() == 0
        assert "owned" not in await page.title()


async def test_what_one_person_says_in_a_row_is_one_paragraph_that_keeps_its_times(
    site: Site, browser: Browser
) -> None:
    log = await opened(site)
    late = said(2, "late: Ben between", "Ben").utterance
    async with tab(browser) as followed, tab(browser) as fresh:
        await followed.goto(f"{site.base}/m/{log.meeting}")
        await log.append(said(1, "one"), said(2, "two"), said(3, "three"), said(9, "much later"))
        names = followed.locator("#lines .line:not(.goes-on) .speaker")
        await expect(followed.locator("#u9")).to_be_visible()
        await expect(names).to_have_text(["Anna", "Anna"])
        await expect(followed.locator(".goes-on .text")).to_have_text(["two", "three"])
        await expect(followed.locator(".goes-on time")).to_have_text(["10:00:02", "10:00:03"])
        seen = "e => e.getBoundingClientRect().width > 2"
        assert not await followed.locator("#u2 .speaker").evaluate(seen)
        await followed.goto(f"{site.base}/m/{log.meeting}#u2")  # alone it says whose words they are
        assert await followed.locator("#u2 .speaker").evaluate(seen)

        between = msgspec.structs.replace(late, id="u10", start_ms=START + 2_500)
        await log.append(ev.UtteranceSaid(utterance=between))
        await expect(names).to_have_text(["Anna", "Ben", "Anna", "Anna"])
        await fresh.goto(f"{site.base}/m/{log.meeting}#u2")
        both = [
            await page.locator("#lines").evaluate(
                "e => [...e.children].map((l) => [l.id, l.className, l.innerText])"
            )
            for page in (followed, fresh)
        ]
        assert both[0] == both[1]


async def test_what_is_not_certain_says_so_live_and_on_a_fresh_page(
    site: Site, browser: Browser
) -> None:
    log = await opened(site)
    kubeflow = Correction(at=7, was="cube flow", now="Kubeflow", source="glossary")
    async with tab(browser) as followed, tab(browser) as fresh:
        await followed.goto(f"{site.base}/m/{log.meeting}")
        base = said(1, "we run Kubeflow on Monday", corrections=(kubeflow,)).utterance
        probably: dict[str, Any] = {"attribution": "active_speaker", "speaker_confidence": 0.7}
        unknown: dict[str, Any] = {"attribution": "unknown", "speaker": None, "participant": None}
        several: list[Utterance] = [
            base,
            msgspec.structs.replace(said(4, "maybe me").utterance, **probably),
            msgspec.structs.replace(said(6, "who knows").utterance, **unknown),
            said(8, "you you you you", doubt="loop").utterance,
        ]
        await log.append(*(ev.UtteranceSaid(utterance=u) for u in several))
        await expect(followed.locator("#u8 .doubt")).to_be_visible()
        await fresh.goto(f"{site.base}/m/{log.meeting}")
        for page in (followed, fresh):
            fixed = page.locator("#u1 .fixed")
            await expect(fixed).to_have_attribute("title", "heard: cube flow")
            await expect(page.locator("#u1 .text")).to_have_text(
                "we run Kubeflow (heard: cube flow) on Monday"
            )
            await expect(page.locator("#u4 .speaker")).to_have_text("Anna (probably)")
            await expect(page.locator("#u4 .speaker")).to_have_attribute("title", re.compile("70%"))
            await expect(page.locator("#u6 .speaker")).to_have_text("Unknown speaker")
            await expect(page.locator("#u8 .doubt")).to_have_text(
                "may be made up: the same words again and again"
            )
            await expect(page.locator("#notices")).to_contain_text("may be made up")
            assert await page.evaluate(CONTRAST) == []
        await log.append(  # a person takes the correction back
            ev.UtteranceSaid(
                utterance=msgspec.structs.replace(
                    base,
                    revision=2,
                    text="we run cube flow on Monday",
                    corrections=(msgspec.structs.replace(kubeflow, undone=True),),
                )
            )
        )
        await expect(followed.locator("#u1 .text")).to_have_text("we run cube flow on Monday")
        await expect(followed.locator("#u1 .fixed")).to_have_count(0)
