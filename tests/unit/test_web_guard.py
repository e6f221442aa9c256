"""Who may ask the page's listener anything."""

from __future__ import annotations

import pytest

from pipeline.web.guard import CSP, is_loopback


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:8088",
        "LocalHost:80",
        "127.0.0.1",
        "127.0.0.1:8088",
        "127.1.2.3:1",
        "[::1]",
        "[::1]:8088",
    ],
)
def test_this_machine_is_let_in(host: str) -> None:
    assert is_loopback([host])


@pytest.mark.parametrize(
    "host",
    [
        "",
        "example.org",
        "localhost.example.org",
        "127.0.0.1.example.org",
        "127.0.0.1.nip.io:8088",
        "127.0.0.1@example.org",
        "example.org#127.0.0.1",
        "192.168.1.2:8088",
        "0.0.0.0:8088",
        "10.0.0.1",
        "2130706433",
        "0x7f000001",
        "127.1",
        "[::2]:80",
        "[::1",
        "[::1]x",
        "::1",
        "localhost:80x",
        "localhost:8\u0660",
        "localhost:80, evil.example",
        "xn--localhost-x",
    ],
)
def test_every_other_name_is_refused(host: str) -> None:
    assert not is_loopback([host])


def test_a_request_names_exactly_one_host() -> None:
    assert not is_loopback([])
    assert not is_loopback(["localhost", "localhost"])


def test_the_policy_allows_nothing_inline_and_nothing_from_elsewhere() -> None:
    assert "unsafe" not in CSP
    assert CSP.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "frame-ancestors 'none'" in CSP
