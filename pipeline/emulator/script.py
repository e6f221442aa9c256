"""Reads faults from JSON and YAML, and says in one line what is wrong with them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

import msgspec
import yaml

from pipeline.base.errors import BadInput, NotFound
from pipeline.emulator.faults import AnyFault, Fault

KINDS: Final[dict[str, type[Fault]]] = {
    kind.__struct_config__.tag: kind for kind in get_args(AnyFault)
}
"""Every fault by its name."""

MAX_SCRIPT: Final = 1 << 20
"""Bytes of a script."""


class BadFault(BadInput):
    """A fault that cannot be understood; the message names the entry and the allowed words."""


class _Loader(yaml.SafeLoader):
    """YAML as people mean it: ``on`` and ``off`` are words, only true and false are bool."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:bool"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))


def read_script(path: Path) -> list[AnyFault]:
    """A list of faults, or an object whose ``faults`` is one. Raises NotFound, BadFault."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"{path}: no such script") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}") from error
    return parse_script(raw, path.name)


def parse_script(raw: bytes, name: str) -> list[AnyFault]:
    """As ``read_script``; ``name`` stands at the front of errors."""
    if len(raw) > MAX_SCRIPT:
        raise BadFault(f"{name}: longer than {MAX_SCRIPT} bytes")
    values, lines = _entries(raw, name)
    found = []
    for number, value in enumerate(values, 1):
        line = f", line {lines[number - 1]}" if lines else ""
        found.append(fault_of(value, f"{name}{line}, fault {number}"))
    return found


def faults_of(value: object, name: str) -> list[AnyFault]:
    """One fault or a list of them, as plain values. Raises BadFault."""
    if isinstance(value, list):
        return [fault_of(one, f"{name} {n}") for n, one in enumerate(value, 1)]
    return [fault_of(value, name)]


def fault_of(value: object, where: str) -> AnyFault:
    """One fault from plain values. Raises BadFault, which begins with ``where``."""
    if isinstance(value, Fault):
        return value  # type: ignore[return-value]
    if not isinstance(value, dict):
        raise BadFault(f"{where}: not an object like {{fault: drop, at: 12}}")
    name = value.get("fault")
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        what = "'fault' is missing" if name is None else f"unknown fault {name!r}"
        raise BadFault(f"{where}: {what}; allowed: {', '.join(sorted(KINDS))}")
    try:
        return msgspec.convert(value, kind)  # type: ignore[return-value]
    except msgspec.ValidationError as error:
        raise BadFault(f"{where} ({name}): {_explained(str(error), kind)}") from None


def _explained(problem: str, kind: type[Fault]) -> str:
    """msgspec's words, and what would have been right."""
    text, _, path = problem.partition(" - at `$.")
    field = path.rstrip("`")
    fields = {one.encode_name: one.name for one in msgspec.structs.fields(kind)}
    if text.startswith("Object contains unknown field"):
        word = text.split("`")[1]
        return f"unknown field {word!r}; allowed: {', '.join(sorted(fields))}"
    if text.startswith("Object missing required field"):
        return f"{text.split('`')[1]!r} is missing"
    if not field:
        return text
    allowed = ()
    if text.startswith("Invalid enum value"):
        allowed = get_args(get_type_hints(kind)[fields[field.split(".")[0]]])
        wrong = text.removeprefix("Invalid enum value ")
        return f"{field} = {wrong}; allowed: {', '.join(allowed)}"
    plain = text.replace("`", "").replace("Expected", "must be", 1)
    return f"{field}: {plain}"


def _entries(raw: bytes, name: str) -> tuple[list[Any], list[int]]:
    """The list's values, and for YAML the line each begins at."""
    if raw.lstrip()[:1] in (b"[", b"{"):
        try:
            return _listed(msgspec.json.decode(raw), name), []
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass  # YAML's flow style begins alike
    try:
        loader = _Loader(raw)
        try:
            node = loader.get_single_node()
            value = None if node is None else loader.construct_document(node)
        finally:
            loader.dispose()
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise BadFault(f"{name}{line}: neither JSON nor YAML: {problem}") from None
    values = _listed([] if value is None else value, name)
    if isinstance(node, yaml.MappingNode):
        node = next(inner for key, inner in node.value if key.value == "faults")
    marks = node.value if isinstance(node, yaml.SequenceNode) else []
    return values, [one.start_mark.line + 1 for one in marks]


def _listed(value: object, name: str) -> list[Any]:
    if isinstance(value, dict) and set(value) == {"faults"}:
        value = value["faults"]
    if not isinstance(value, list):
        raise BadFault(f"{name}: not a list of faults like - {{fault: drop, at: 12}}")
    return value
