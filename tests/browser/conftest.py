"""Debian's chromium driven by playwright, and the page's listener on a real store.

Missing chromium is a skip on a person's machine and a failure where CI=true.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from playwright.async_api import Browser, async_playwright

from pipeline.base.clock import SystemClock
from pipeline.base.ids import SequentialIds
from pipeline.model import events as ev
from pipeline.model.live import LiveWords
from pipeline.model.log import MeetingLog
from pipeline.store.store import Store
from pipeline.web.app import page_app
from pipeline.web.settings import WebSettings

GOLDEN = Path(__file__).parents[1] / "unit" / "golden" / "holiday_boxes.events.jsonl"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Site:
    """The page's listener; it can be stopped and started again on the same port."""

    store: Store
    live: LiveWords = field(default_factory=LiveWords)
    port: int = 0
    runner: web.AppRunner | None = None

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        app = page_app(
            reader=self.store.reader,
            settings=WebSettings(retry_ms=50),
            health=lambda: {"status": "ok"},
            live=self.live,
        )
        self.runner = web.AppRunner(app, shutdown_timeout=5)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", self.port).start()
        self.port = self.runner.addresses[0][1]

    async def stop(self) -> None:
        if self.runner is not None:
            await self.runner.cleanup()
            self.runner = None

    async def holiday(self, upto: int | None = None) -> tuple[MeetingLog, list[ev.Body]]:
        """The golden meeting up to an event, and the bodies that follow."""
        bodies = [ev.decode_body(line) for line in GOLDEN.read_bytes().splitlines()]
        opened = bodies[0]
        assert isinstance(opened, ev.MeetingOpened)
        log = await self.store.create(opened)
        await log.append(*bodies[1:upto])
        return log, bodies[upto:] if upto else []


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    store = Store.open(tmp_path / "home", clock=SystemClock(), ids=SequentialIds())
    site = Site(store)
    await site.start()
    yield site
    await site.stop()
    await store.close()


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail("chromium is missing: apt-get install chromium")
        pytest.skip("chromium is not installed")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        await browser.close()
