"""Numbers in a text as values, in words and digits alike: "four hundred and twelve" is 412.

A claim is a number some notes state; what was said is the set of values it must be found among.
Where speech leaves open what is meant ("eleven forty": 1140 or 11:40) the values said hold every
reading and a claim is content with any. English number words; digits in any language.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Sequence

import msgspec

Value = Hashable
"""A float, or ("t", hour on a clock face, minute)."""

_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    " sixteen seventeen eighteen nineteen"
)
_ORDINALS = (
    "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"
    " thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SMALL = {w: i for i, w in enumerate(_UNITS.split())} | {
    w: i for i, w in enumerate(_ORDINALS.split())
}
_TEN = {w: 10 * i for i, w in enumerate(_TENS.split(), 2)}
_TEN |= {w.removesuffix("y") + "ieth": v for w, v in list(_TEN.items())}
_SCALE = {
    "hundred": 100.0,
    "hundredth": 100.0,
    "dozen": 12.0,
    "thousand": 1e3,
    "thousandth": 1e3,
    "grand": 1e3,
    "million": 1e6,
    "billion": 1e9,
    "trillion": 1e12,
}
_SUFFIX = {"k": 1e3, "m": 1e6, "mio": 1e6, "bn": 1e9, "b": 1e9}
_IMPLIED: dict[str, tuple[float, ...]] = {
    "half": (0.5, 50.0, 30.0),
    "halves": (0.5,),
    "quarter": (0.25, 25.0, 15.0),
    "quarters": (0.25,),
    "both": (2.0,),
    "couple": (2.0,),
    "pair": (2.0,),
    "twice": (2.0,),
    "double": (2.0,),
    "once": (1.0,),
    "single": (1.0,),
    "a": (1.0,),
    "an": (1.0,),
    "triple": (3.0,),
    "none": (0.0,),
    "nobody": (0.0,),
    "nothing": (0.0,),
    "noon": (12.0,),
    "midday": (12.0,),
    "midnight": (0.0, 12.0),
}
"""Values a word stands for when it was said; in notes it is no claim, except "half"."""

_VAGUE = frozenset({"one", "first", "second", "zero"})
"""Said alone these are hardly ever numbers ("the first thing", "no one", "one of us")."""

_TOKEN = re.compile(r"\d+(?:[.,:]\d+)*|[^\W\d_]+")
_GROUPED = re.compile(r"\d{1,3}(?:[.,' ]\d{2,3})*[.,' ]\d{3}")
_NEAR = re.compile(r"[\s-]*")
_AFTER_SCALE = re.compile(r",?[\s-]*")
_MINUTES = 60


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A number as it is written, and the readings of it: one must be among the values said."""

    words: str
    readings: tuple[frozenset[Value], ...]

    def holds(self, said: frozenset[Value]) -> bool:
        """Whether a reading is wholly among ``said``."""
        return any(reading <= said for reading in self.readings)


class _Token(msgspec.Struct, frozen=True):
    word: str
    start: int
    end: int


class _Number(msgspec.Struct, frozen=True):
    """A number at ``text[start:end]``; ``values`` are its readings."""

    start: int
    end: int
    values: tuple[Value, ...]
    words: str


def claims(text: str) -> list[Claim]:
    """The numbers a text states."""
    found: list[Claim] = []
    numbers = _numbers(text)
    for run in _runs(text, numbers):
        pieces = [(frozenset([v]) for v in n.values) for n in run]
        if len(run) == 1:
            if run[0].words in _VAGUE:
                continue
            found.append(Claim(words=_shown(text, run), readings=tuple(pieces[0])))
            continue
        whole = tuple(frozenset([v]) for v in _joined(run))
        apart = frozenset(n.values[0] for n in run)
        found.append(Claim(words=_shown(text, run), readings=(*whole, apart)))
    for token in _tokens(text):
        if token.word == "half":
            values = tuple(frozenset([v]) for v in _IMPLIED["half"])
            found.append(Claim(words="half", readings=values))
    return found


def values_said(texts: Iterable[str]) -> frozenset[Value]:
    """Every value that the texts, each on its own, can be heard to name."""
    said: set[Value] = set()
    for text in texts:
        numbers = _numbers(text)
        for number in numbers:
            said.update(number.values)
            said.update(_parts(number))
        for run in _runs(text, numbers):
            for first in range(len(run)):
                for last in range(first + 2, len(run) + 1):
                    said.update(_joined(run[first:last]))
        tokens = _tokens(text)
        for token in tokens:
            said.update(_IMPLIED.get(token.word, ()))
        said.update(_past_and_to(tokens, numbers))
    return frozenset(said)


def unsaid(text: str, said: frozenset[Value]) -> list[str]:
    """The numbers of ``text``, as written there, that are not among the values said."""
    return list(dict.fromkeys(c.words for c in claims(text) if not c.holds(said)))


# -- reading numbers ----------------------------------------------------------------------


def _tokens(text: str) -> list[_Token]:
    return [_Token(m.group().lower(), m.start(), m.end()) for m in _TOKEN.finditer(text)]


def _numbers(text: str) -> list[_Number]:
    tokens = _tokens(text)
    found: list[_Number] = []
    at = 0
    while at < len(tokens):
        token = tokens[at]
        if token.word == "oh" and found and _NEAR.fullmatch(text, found[-1].end, token.start):
            found.append(_Number(token.start, token.end, (0.0,), "oh"))
            at += 1
            continue
        number, at = _read(text, tokens, at)
        if number is not None:
            found.append(number)
    return found


def _read(text: str, tokens: Sequence[_Token], at: int) -> tuple[_Number | None, int]:
    """The number that begins at a token, if one does, and the token to go on with."""
    first = tokens[at]
    if first.word[0].isdecimal():
        values, end = _digits(text, tokens, at)
    else:
        spoken, end = _spoken(text, tokens, at)
        if spoken is None:
            return None, at + 1
        values = [spoken]
    values, end = _fraction(tokens, end, values)
    words = " ".join(t.word for t in tokens[at:end])
    return _Number(first.start, tokens[end - 1].end, tuple(dict.fromkeys(values)), words), end


def _digits(text: str, tokens: Sequence[_Token], at: int) -> tuple[list[Value], int]:
    token = tokens[at]
    values = _written(token.word)
    after = tokens[at + 1] if at + 1 < len(tokens) else None
    if after is None:
        return values, at + 1
    if after.start == token.end and after.word in _SUFFIX:
        scaled: list[Value] = [v * _SUFFIX[after.word] for v in values if isinstance(v, float)]
        return scaled + values, at + 1
    scale = _SCALE.get(after.word)
    if scale is not None and _NEAR.fullmatch(text, token.end, after.start):
        return [v * scale for v in values if isinstance(v, float)], at + 2
    return values, at + 1


def _written(digits: str) -> list[Value]:
    if ":" in digits:
        hour, minute = (int(part) for part in re.split(r"[:.,]", digits)[:2])
        values: list[Value] = [_clock(hour, minute)] if minute < _MINUTES else []
        if minute == 0:
            values += [float(hour), float(hour % 12 or 12)]
        return values or [float(hour)]
    values = []
    if _GROUPED.fullmatch(digits):
        values.append(float(re.sub(r"\D", "", digits)))
    parts = re.split(r"[.,]", digits)
    if len(parts) == 1:
        values.append(float(digits))
    elif len(parts) == 2:
        values.append(float(f"{parts[0]}.{parts[1]}"))
        hour, minute = int(parts[0]), int(parts[1])
        if hour < 24 and len(parts[1]) == 2 and minute < _MINUTES:
            values.append(_clock(hour, minute))
    else:
        values.append(tuple(parts))
    return values


def _clock(hour: int, minute: int) -> Value:
    return ("t", hour % 12, minute)


def _spoken(text: str, tokens: Sequence[_Token], at: int) -> tuple[float | None, int]:
    """A number in words: the value of the longest one that begins here."""
    total = current = 0.0
    last = ""  # what came before: "", "unit", "ten" or "scale"
    end = at
    while end < len(tokens):
        word = tokens[end].word
        near = _AFTER_SCALE if last == "scale" else _NEAR
        if end > at and not near.fullmatch(text, tokens[end - 1].end, tokens[end].start):
            break
        if word in _SMALL and last != "unit" and not (last == "ten" and _SMALL[word] > 9):
            current += _SMALL[word]
            last = "unit"
        elif word in _TEN and last in ("", "scale"):
            current += _TEN[word]
            last = "ten"
        elif word in _SCALE:
            scale = _SCALE[word]
            if scale < 1e3:
                current = (current or 1.0) * scale
            else:
                total += (current or 1.0) * scale
                current = 0.0
            last = "scale"
        elif not _is_filler(tokens, end, last):
            break
        end += 1
    if not last:
        return None, at
    value = total + current
    if end < len(tokens) and tokens[end].word == "point":
        value, end = _decimals(tokens, end, value)
        if end < len(tokens) and tokens[end].word in _SCALE:
            return value * _SCALE[tokens[end].word], end + 1
    return value, end


def _is_filler(tokens: Sequence[_Token], at: int, last: str) -> bool:
    """The "and" of "hundred and twelve", the "a" of "a hundred"."""
    following = tokens[at + 1].word if at + 1 < len(tokens) else ""
    if tokens[at].word == "and":
        return last == "scale" and (following in _SMALL or following in _TEN)
    return tokens[at].word == "a" and not last and following in _SCALE


def _decimals(tokens: Sequence[_Token], at: int, value: float) -> tuple[float, int]:
    digits = ""
    end = at + 1
    while end < len(tokens):
        word = tokens[end].word
        if word in _SMALL and _SMALL[word] < 10:
            digits += str(_SMALL[word])
        elif (word in _TEN or word in _SMALL) and not digits:
            number = _TEN.get(word) or _SMALL[word]
            unit = tokens[end + 1].word if end + 1 < len(tokens) else ""
            if word in _TEN and 0 < _SMALL.get(unit, 0) < 10:
                number += _SMALL[unit]
                end += 1
            digits = str(number)
        elif word.isdecimal() and not digits:
            digits = word
        else:
            break
        end += 1
    return (float(f"{int(value)}.{digits}"), end) if digits else (value, at)


def _fraction(tokens: Sequence[_Token], at: int, values: list[Value]) -> tuple[list[Value], int]:
    """The rest of "two and a half (million)"."""
    words = [t.word for t in tokens[at : at + 3]]
    if words[:2] != ["and", "a"] or words[2:] not in (["half"], ["quarter"]):
        return values, at
    part = 0.5 if words[2] == "half" else 0.25
    scale = _SCALE.get(tokens[at + 3].word) if at + 3 < len(tokens) else None
    found: list[Value] = [(v + part) * (scale or 1.0) for v in values if isinstance(v, float)]
    return found or values, at + (3 if scale is None else 4)


# -- numbers beside one another -----------------------------------------------------------


def _runs(text: str, numbers: Sequence[_Number]) -> list[list[_Number]]:
    """Numbers with nothing but a blank between them, which may be one ("twenty twenty six")."""
    runs: list[list[_Number]] = []
    for number in numbers:
        if (
            runs
            and text[number.start].isalpha()
            and text[runs[-1][-1].start].isalpha()
            and _NEAR.fullmatch(text, runs[-1][-1].end, number.start)
        ):
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs


def _joined(run: Sequence[_Number]) -> list[Value]:
    """What several numbers in a row mean together: a year, a time, digits one by one."""
    parts = [n.values[0] for n in run]
    if not all(isinstance(p, float) and p == int(p) and 0 <= p < 100 for p in parts):
        return []
    whole = [int(p) for p in parts if isinstance(p, float)]
    values: list[Value] = [float("".join(map(str, whole)))]
    hour, minutes = whole[0], whole[1:]
    if len(minutes) == 2 and minutes[0] == 0:
        minutes = minutes[1:]
    if len(minutes) == 1:
        if hour < 24 and minutes[0] < _MINUTES:
            values.append(_clock(hour, minutes[0]))
        values.append(float(100 * hour + minutes[0]))
    return values


def _parts(number: _Number) -> list[Value]:
    """Hour and minute of a time that was typed, as values of their own."""
    return [
        float(part)
        for value in number.values
        if isinstance(value, tuple) and value[0] == "t"
        for part in re.findall(r"\d+", number.words)
    ]


def _past_and_to(tokens: Sequence[_Token], numbers: Sequence[_Number]) -> set[Value]:
    """Times such as "half past ten" and "twenty to six"."""
    starts = {n.start: n for n in numbers}
    ends = {n.end: n for n in numbers}
    said: set[Value] = set()
    for before, word, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if word.word not in ("past", "to", "after", "till", "before") or after.start not in starts:
            continue
        minutes: Value | None = {"half": 30.0, "quarter": 15.0}.get(before.word)
        if minutes is None and before.end in ends:
            minutes = ends[before.end].values[0]
        hour = starts[after.start].values[0]
        if isinstance(minutes, float) and isinstance(hour, float) and 0 < minutes < _MINUTES:
            is_past = word.word in ("past", "after")
            said.add(
                _clock(int(hour), int(minutes))
                if is_past
                else _clock(int(hour) - 1, _MINUTES - int(minutes))
            )
    return said


def _shown(text: str, run: Sequence[_Number]) -> str:
    return text[run[0].start : run[-1].end]
