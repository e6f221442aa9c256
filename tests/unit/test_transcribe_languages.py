from __future__ import annotations

import pytest

from pipeline.transcribe.languages import primary, tag_of


@pytest.mark.parametrize(
    ("tag", "language"),
    [("en", "en"), ("en-US", "en"), ("PT_br", "pt"), ("zh-Hans-CN", "zh"), ("", ""), ("e", "")],
)
def test_the_language_of_a_tag(tag: str, language: str) -> None:
    assert primary(tag) == language


@pytest.mark.parametrize(
    ("said", "tag"),
    [
        ("english", "en"),
        ("English", "en"),
        ("EN", "en"),
        ("en_US", "en"),
        ("norwegian", "no"),
        ("castilian", "es"),
        ("mandarin", "zh"),
        ("cantonese", "yue"),
        ("klingon", None),
        ("", None),
        (None, None),
        (7, None),
        ("en; rm -rf", None),
    ],
)
def test_what_servers_call_a_language(said: object, tag: str | None) -> None:
    assert tag_of(said) == tag


def test_whispers_own_codes_are_all_known() -> None:
    codes = pytest.importorskip("faster_whisper.tokenizer")._LANGUAGE_CODES
    assert {tag_of(code) for code in codes} == set(codes)
