"""What servers and models call a language, as BCP-47."""

from __future__ import annotations

import re
from typing import Final

_TAG = re.compile(r"([A-Za-z]{2,3})(?:[-_][A-Za-z0-9]{1,8})*")

_NAMES: Final = (  # tag, English name, tag, English name, ...
    "en english zh chinese de german es spanish ru russian ko korean fr french ja japanese"
    " pt portuguese tr turkish pl polish ca catalan nl dutch ar arabic sv swedish it italian"
    " id indonesian hi hindi fi finnish vi vietnamese he hebrew uk ukrainian el greek ms malay"
    " cs czech ro romanian da danish hu hungarian ta tamil no norwegian th thai ur urdu"
    " hr croatian bg bulgarian lt lithuanian la latin mi maori ml malayalam cy welsh sk slovak"
    " te telugu fa persian lv latvian bn bengali sr serbian az azerbaijani sl slovenian"
    " kn kannada et estonian mk macedonian br breton eu basque is icelandic hy armenian"
    " ne nepali mn mongolian bs bosnian kk kazakh sq albanian sw swahili gl galician"
    " mr marathi pa punjabi si sinhala km khmer sn shona yo yoruba so somali af afrikaans"
    " oc occitan ka georgian be belarusian tg tajik sd sindhi gu gujarati am amharic yi yiddish"
    " lo lao uz uzbek fo faroese tk turkmen nn nynorsk mt maltese sa sanskrit lb luxembourgish"
    " my myanmar bo tibetan tl tagalog mg malagasy as assamese tt tatar haw hawaiian ln lingala"
    " ha hausa ba bashkir jv javanese su sundanese yue cantonese"
    # other names of some, which servers use too
    " my burmese nl flemish ca valencian es castilian zh mandarin si sinhalese pa panjabi"
    " ro moldavian ps pashto ps pushto lb letzeburgesch ht haitian"
)
_TAGS: Final = dict(zip(_NAMES.split()[1::2], _NAMES.split()[::2], strict=True))
"""English names as Whisper's tokenizer has them, which ``verbose_json`` repeats."""


def primary(tag: str) -> str:
    """The language of a BCP-47 tag, lower case: ``en`` of ``en-US``; empty when it is no tag."""
    found = _TAG.fullmatch(tag.strip())
    return found[1].lower() if found else ""


def tag_of(text: object) -> str | None:
    """The BCP-47 tag of what a server calls a language (``english``, ``EN``, ``en_US``), or
    None when that cannot be told."""
    if not isinstance(text, str):
        return None
    name = text.strip().lower()
    if name in _TAGS:
        return _TAGS[name]
    found = _TAG.fullmatch(name)
    return found[1] if found else None
