"""Names and words never become markup."""

from __future__ import annotations

import unicodedata

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pipeline.export.escape import clean, inline, prose, quoted

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
MARKUP = st.text(alphabet=st.sampled_from("*_`[]()<>|~#-+=!&;:/.0123456789^$%\\ \n\tab'\"{}"))
HOSTILE = MARKUP | st.text()


def parts(markdown: str) -> tuple[str, set[str]]:
    """The visible text of markdown, and the kinds of tokens in it."""
    kinds: set[str] = set()
    text = []
    for token in PARSER.parse(markdown):
        kinds.add(token.type)
        for child in token.children or []:
            kinds.add(child.type)
            text.append(child.content)
    return "".join(text), kinds


PLAIN = {"paragraph_open", "paragraph_close", "inline", "text", "text_special"}


@settings(deadline=None)
@given(HOSTILE)
@example("1. not a list")
@example("- [x] not a task")
@example("+ plus")
@example("===")
@example("<img src=x onerror=alert(1)>")
@example("&lt;b&gt; &#60;")
@example("[a](javascript:alert(1))")
@example("| a | b |\n|---|---|")
@example("trailing backslash \\")
def test_inline_text_is_shown_as_it_was_and_is_only_text(text: str) -> None:
    shown, kinds = parts(inline(text))
    assert kinds <= PLAIN
    assert shown == clean(text)


@settings(deadline=None)
@given(HOSTILE)
def test_inline_text_stays_text_inside_a_list_item(text: str) -> None:
    _, kinds = parts(f"- [ ] {inline(text)}\n- {inline(text)}")
    assert kinds <= PLAIN | {
        "bullet_list_open",
        "bullet_list_close",
        "list_item_open",
        "list_item_close",
    }


@settings(deadline=None)
@given(HOSTILE)
def test_prose_is_only_text_and_addresses_that_show_themselves(text: str) -> None:
    _, kinds = parts(prose(text))
    assert kinds <= PLAIN | {"link_open", "link_close"}
    if "http" not in text:
        assert prose(text) == inline(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see https://example.org/a_b?c=1#d.", "see <https://example.org/a_b?c=1#d>."),
        ("https://example.org", "<https://example.org>"),
        ("(http://a.example/x)", "(<http://a.example/x>)"),
        ("https://a.example/<b>", "https:\\//a.example/\\<b\\>"),
        ("https://a.example/ - then", "<https://a.example/> - then"),
        ("javascript://a.example/x", "javascript:\\//a.example/x"),
    ],
)
def test_an_address_that_was_typed_stays_an_address(text: str, expected: str) -> None:
    assert prose(text) == expected


def test_ordinary_sentences_are_left_alone() -> None:
    said = "I don't know - (maybe) 3.5 boxes, 28 euros; isn't it? Yes: by Friday!"
    assert inline(said) == said


def test_marks_of_obsidian_and_github_are_escaped() -> None:
    assert inline("==x== %%y%% #tag [[z]] $a$ end ^u7") == (
        "\\=\\=x\\=\\= \\%\\%y\\%\\% \\#tag \\[\\[z\\]\\] \\$a\\$ end \\^u7"
    )


def test_text_that_reorders_or_breaks_lines_is_flattened() -> None:
    assert clean("a\u202eb\u2066c\u2069\nd\x00e\u2028f\tg") == "abc d e f g"


@pytest.mark.parametrize(
    "char", ["\u200e", "\u200f", "\u061c", "\u200b", "\u2060", "\u00ad", "\U000e0041", "\ufeff"]
)
def test_characters_nobody_sees_are_dropped(char: str) -> None:
    assert clean(f"An{char}na{char}") == "Anna"
    assert inline(char) == ""


def test_joiners_stay_where_they_join() -> None:
    family, persian = (
        "\U0001f468\u200d\U0001f469",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    )
    assert clean(family) == family
    assert clean(persian) == persian
    assert clean(" \u200d \u200c") == ""


@given(st.text())
def test_what_is_clean_is_seen_and_stays_as_it_is(text: str) -> None:
    assert clean(clean(text)) == clean(text)
    assert {c for c in clean(text) if unicodedata.category(c) in ("Cf", "Cc", "Cs")} <= set(
        "\u200c\u200d"
    )


@settings(deadline=None)
@given(HOSTILE)
def test_quoted_yaml_reads_back_as_the_clean_text(text: str) -> None:
    line = f"name: {quoted(text)}"
    assert "\n" not in line
    assert yaml.safe_load(line) == {"name": clean(text)}
