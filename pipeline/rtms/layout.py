"""Which media sockets a stream has, and which events it asks for (reference sections 5.2, 10)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from pipeline.model.events import Product
from pipeline.rtms.enums import EVERY_MEDIA, MEDIA_URL_KEY, EventType, MediaType
from pipeline.rtms.messages import EventChoice
from pipeline.rtms.products import PRODUCTS

Layout = Literal["all", "split"]


def single(media: MediaType) -> list[MediaType]:
    """The single types in a mask; ALL stands for every one."""
    return [one for one in EVERY_MEDIA if media & (one | MediaType.ALL)]


def total(media: Iterable[MediaType]) -> MediaType:
    """The mask of several types."""
    mask = MediaType.NONE
    for one in media:
        mask |= one
    return mask


def media_sockets(
    layout: Layout, product: Product, wanted: MediaType, urls: Mapping[str, str]
) -> dict[str, tuple[str, MediaType]]:
    """URL and media types of each socket to open, by its name. What ``split`` wants and the server
    does not offer is left out; a server that offers no single URL gets one socket for all."""
    if layout == "split":
        found = {
            MEDIA_URL_KEY[one]: (urls[MEDIA_URL_KEY[one]], one)
            for one in single(wanted)
            if MEDIA_URL_KEY[one] in urls
        }
        if found:
            return found
    keys = ("audio", "all") if product == "contact_center" else ("all", "audio")
    candidates = [urls[key] for key in keys if key in urls] + [
        url for url in urls.values() if url.lower().startswith(("wss:", "ws:"))
    ]
    return {"all": (candidates[0], wanted)} if candidates and wanted else {}


def subscription(product: Product, media: MediaType) -> list[EventChoice]:
    """The events to ask for, given the media that was granted."""
    numbers = list(PRODUCTS[product].events)
    if EventType.PARTICIPANT_JOIN in numbers:
        if MediaType.DESKSHARE in media:
            numbers += [EventType.SHARING_START, EventType.SHARING_STOP]
        if MediaType.VIDEO in media:
            numbers += [EventType.PARTICIPANT_VIDEO_ON, EventType.PARTICIPANT_VIDEO_OFF]
    return [EventChoice(event_type=int(number), subscribe=True) for number in numbers]
