from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.errors import OutsideError
from pipeline.base.url_guard import ForbiddenUrl, Resolver, UrlGuard

GUARD = UrlGuard()
LOCAL = UrlGuard(allow_loopback=True)
PUBLIC = "170.114.1.1"


def to(*addresses: str) -> Resolver:
    def resolver(host: str, port: int) -> Iterable[str]:
        return addresses

    return resolver


@pytest.mark.parametrize(
    "url",
    [
        "wss://zoom.us",
        "wss://zoom.us/",
        "wss://rtms-sjc1.zoom.us:443/signaling?stream=a/b==",
        "WSS://RTMS.ZOOM.US./x",
        "wss://zoom。us/x",  # IDNA's full stop: the same name
    ],
)
def test_zooms_own_addresses_pass(url: str) -> None:
    GUARD.check(url)
    assert GUARD.addresses(url, to(PUBLIC, PUBLIC, "2407:30c0::1")) == [PUBLIC, "2407:30c0::1"]


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("ws://rtms.zoom.us/", "only wss://"),
        ("https://rtms.zoom.us/", "not a websocket URL"),
        ("file:///etc/passwd", "not a websocket URL"),
        ("//rtms.zoom.us/", "not a websocket URL"),
        ("", "not a websocket URL"),
        ("wss://", "not a websocket URL"),
        ("wss:///x", "not a websocket URL"),
        ("wss://rtms.zoom.us:8443/", "only port 443"),
        ("wss://rtms.zoom.us:0/", "only port 443"),
        ("wss://rtms.zoom.us:99999/", "not a URL"),
        ("wss://rtms.zoom.us:x/", "not a URL"),
        ("wss://[::1", "not a URL"),
        ("wss://" + "a" * 70 + ".zoom.us/", "not a URL"),
        ("wss://.zoom.us/", "not a URL"),
        ("wss://evil.com/", "host is not under zoom.us"),
        ("wss://evilzoom.us/", "host is not under"),
        ("wss://zoom.us.evil.com/", "host is not under"),
        ("wss://zoom.us\n.evil.com/", "host is not under"),
        ("wss://evil.com/zoom.us", "host is not under"),
        ("wss://evil.com?.zoom.us", "host is not under"),
        ("wss://evil.com#.zoom.us", "host is not under"),
        ("wss://z\u043e\u043em.us/", "host is not under"),  # Cyrillic letters
        ("wss://127.0.0.1/", "host is not under"),
        ("wss://[::1]/", "host is not under"),
        ("wss://localhost/", "host is not under"),
        ("wss://169.254.169.254/latest/meta-data", "host is not under"),
        ("wss://2130706433/", "host is not under"),
        ("wss://zoom.us@evil.com/", "user name or password"),
        ("wss://user:pw@rtms.zoom.us/", "user name or password"),
        ("wss://@rtms.zoom.us/", "user name or password"),
        ("wss://evil.com\\.zoom.us/", "not a host name"),
        ("wss://evil.com\\@rtms.zoom.us/", "user name or password"),
        ("wss://evil.com%2f.zoom.us/", "not a host name"),
        ("wss://a b.zoom.us/", "not a host name"),
        ("wss://[fe80::1%25eth0]/", "not a host name"),
    ],
)
def test_everything_else_is_refused_by_its_rule(url: str, rule: str) -> None:
    for check in (GUARD.check, lambda u: GUARD.addresses(u, to(PUBLIC))):
        with pytest.raises(ForbiddenUrl, match=rule) as refused:
            check(url)
        assert "\n" not in str(refused.value)
        assert (refused.value.kind, refused.value.retryable) == ("forbidden_url", False)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "255.255.255.255",
        "198.18.0.1",
        "224.0.0.1",
        "::1",
        "::",
        "fe80::1%eth0",
        "fc00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",  # NAT64 of 127.0.0.1
        "64:ff9b::a00:1",
        "2002:7f00:1::",  # 6to4 of 127.0.0.1
        "2002:a9fe:a9fe::",
        "::127.0.0.1",  # the old "compatible" form
        "::ffff:0:127.0.0.1",  # translated
        "64:ff9b:1::a00:1",  # NAT64 with a prefix for use inside networks
        "fec0::1",  # site-local
        "4000::1",  # nobody's
    ],
)
def test_an_allowed_name_must_not_lead_inside(address: str) -> None:
    for found in ((address,), (PUBLIC, address)):
        with pytest.raises(ForbiddenUrl, match="not public"):
            GUARD.addresses("wss://rtms.zoom.us/", to(*found))


def test_public_addresses_behind_nat64_are_public() -> None:
    hidden = "64:ff9b::aa72:101"  # 170.114.1.1
    assert GUARD.addresses("wss://rtms.zoom.us/", to(hidden)) == [hidden]


def test_a_name_that_does_not_resolve_may_resolve_later() -> None:
    def fails(host: str, port: int) -> Iterable[str]:
        raise OSError("no such host")

    for resolver in (fails, to()):
        with pytest.raises(OutsideError) as refused:
            GUARD.addresses("wss://rtms.zoom.us/", resolver)
        assert (refused.value.kind, refused.value.retryable) == ("dns", True)


def test_the_resolver_is_asked_for_the_checked_name_and_port() -> None:
    asked: list[tuple[str, int]] = []

    def resolver(host: str, port: int) -> Iterable[str]:
        asked.append((host, port))
        return [PUBLIC]

    GUARD.addresses("wss://RTMS.zoom.us./x", resolver)
    LOCAL.addresses("ws://localhost:9001/x", lambda h, p: asked.append((h, p)) or ["127.0.0.1"])
    assert asked == [("rtms.zoom.us", 443), ("localhost", 9001)]


@pytest.mark.parametrize(
    "url",
    [
        "ws://localhost:9001/x",
        "wss://localhost:9001/x",
        "ws://127.0.0.1:80/",
        "ws://127.9.9.9/",
        "ws://[::1]:5/",
    ],
)
def test_loopback_opens_this_machine_for_the_fake_zoom(url: str) -> None:
    LOCAL.check(url)
    assert LOCAL.addresses(url, to("127.0.0.1", "::1")) == ["127.0.0.1", "::1"]
    with pytest.raises(ForbiddenUrl):
        GUARD.check(url)


@pytest.mark.parametrize(
    "url",
    [
        "ws://10.0.0.1/",
        "ws://rtms.zoom.us/",
        "wss://localhost.evil.com/",
        "ws://0.0.0.0/",
        "ws://user@localhost/",
        "wss://evil.com/",
    ],
)
def test_loopback_opens_nothing_else(url: str) -> None:
    with pytest.raises(ForbiddenUrl):
        LOCAL.check(url)


@pytest.mark.parametrize("address", [PUBLIC, "10.0.0.1", "169.254.169.254"])
def test_localhost_that_leads_elsewhere_is_refused(address: str) -> None:
    with pytest.raises(ForbiddenUrl, match="not to this machine"):
        LOCAL.addresses("ws://localhost:9001/", to(address))


def test_a_zoom_name_that_leads_to_this_machine_is_refused_even_then() -> None:
    with pytest.raises(ForbiddenUrl, match="not public"):
        LOCAL.addresses("wss://rtms.zoom.us/", to("127.0.0.1"))


def test_other_domains_can_be_allowed() -> None:
    guard = UrlGuard(domains=("zoom.us", "zoomgov.com"))
    guard.check("wss://rtms.zoomgov.com/")
    with pytest.raises(ForbiddenUrl, match=r"zoom\.us, zoomgov\.com"):
        guard.check("wss://example.com/")


def test_messages_hold_no_query_and_one_line() -> None:
    with pytest.raises(ForbiddenUrl) as refused:
        GUARD.check("wss://evil.com/" + "x" * 500 + "?token=s3cret")
    assert "s3cret" not in str(refused.value)
    assert len(str(refused.value)) < 250


@given(st.text())
def test_any_text_is_either_allowed_or_refused(text: str) -> None:
    for url in (text, "wss://" + text, f"wss://{text}.zoom.us/"):
        try:
            GUARD.check(url)
        except ForbiddenUrl as error:
            assert "\n" not in str(error)  # noqa: PT017 - both outcomes are fine
