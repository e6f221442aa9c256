"""Which media sockets a stream has, and which events it asks for (reference sections 5.2, 10)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal

from pipeline.model.events import Product
from pipeline.rtms.enums import EVERY_MEDIA, MEDIA_URL_KEY, EventType, MediaType
from pipeline.rtms.messages import EventChoice
from pipeline.rtms.products import PRODUCTS, url_list

Layout = Literal["all", "split"]

CHAT_GROUP_EVENTS: Final = tuple(
    range(EventType.CHAT_GROUP_CREATE, EventType.CHAT_GROUP_MEMBER_STATUS_UPDATE + 1)
)


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
    does not offer is left out; a server that offers no single URL gets one socket for all.

    One socket for all goes to ``all``, or to ``audio`` (a contact center's first, section 5.2) if
    audio is among what is wanted: a URL of one type takes no connection without that type.
    """
    types = single(wanted)
    apart = {
        MEDIA_URL_KEY[one]: (_first(urls[MEDIA_URL_KEY[one]]), one)
        for one in types
        if MEDIA_URL_KEY[one] in urls
    }
    if layout == "split" and apart:
        return apart
    keys = ("audio", "all") if product == "contact_center" else ("all", "audio")
    fitting = [key for key in keys if key in urls and (key == "all" or MediaType.AUDIO in types)]
    candidates = [urls[key] for key in fitting]
    if not candidates and apart:
        return apart
    candidates += [url for url in urls.values() if url.lower().startswith(("wss:", "ws:"))]
    return {"all": (_first(candidates[0]), wanted)} if candidates and wanted else {}


def subscription(product: Product, media: MediaType) -> list[EventChoice]:
    """The events to ask for, given the media that was granted."""
    numbers = list(PRODUCTS[product].events)
    if EventType.PARTICIPANT_JOIN in numbers:
        if MediaType.DESKSHARE in media:
            numbers += [EventType.SHARING_START, EventType.SHARING_STOP]
        if MediaType.VIDEO in media:
            numbers += [EventType.PARTICIPANT_VIDEO_ON, EventType.PARTICIPANT_VIDEO_OFF]
        if MediaType.CHAT in media:
            numbers += CHAT_GROUP_EVENTS
    return [EventChoice(event_type=int(number), subscribe=True) for number in numbers]


def _first(url: str) -> str:
    """Several URLs, one a protocol, may stand in one text, as in webhooks (section 2.2)."""
    return next(iter(url_list(url)), url)
