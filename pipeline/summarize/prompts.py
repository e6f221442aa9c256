"""Prompts as files: YAML front matter, then a jinja2 template in two parts.

The bundled ones are in the wheel (``pipeline/_prompts``) or, in a checkout, in ``prompts/`` beside
the package. A user's folder goes before them, name by name.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import jinja2.nodes
import jinja2.sandbox
import msgspec
import yaml

from pipeline.base.errors import BadInput, NotFound
from pipeline.openai_client.answer import Message

VARIABLES: Mapping[str, frozenset[str]] = {
    "rolling": frozenset({"schema", "glossary", "roster", "meeting", "before", "new", "items"}),
    "final": frozenset({"schema", "glossary", "roster", "meeting", "transcript", "items", "part"}),
}
"""What each prompt is given; text that holds one JSON value a line where it is data."""

_FRONT = re.compile(r"\A---[ \t]*\n(.*?\n)---[ \t]*\n", re.DOTALL)
_USER = re.compile(r"^=== user ===[ \t]*\n", re.MULTILINE)
_UNDEFINED = re.compile(r"'(\w+)' is undefined")


class PromptError(BadInput):
    """A prompt file cannot be used; the message names file, line and what is wrong."""


class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Model parameters of a prompt; None leaves them to the settings or the server."""

    temperature: float | None = None
    max_output_tokens: int | None = None


class _Front(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    version: int
    purpose: str
    schema: dict[str, Any]
    parameters: Parameters = Parameters()


class Prompt(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt that was read and checked. ``hash`` is of the file's text, 12 hex digits."""

    name: str
    version: int
    purpose: str
    schema: dict[str, Any]
    parameters: Parameters
    hash: str
    path: str
    system: str
    user: str
    offset: int
    """Lines of the file before the first of the template."""

    def render(self, **variables: Any) -> tuple[Message, ...]:
        """The messages of a call. Raises PromptError for a variable that is not given."""
        return (
            Message("system", self._fill(self.system, self.offset, variables)),
            Message("user", self._fill(self.user, self._user_offset, variables)),
        )

    @property
    def _user_offset(self) -> int:
        return self.offset + self.system.count("\n") + 1

    def _fill(self, source: str, offset: int, variables: Mapping[str, Any]) -> str:
        try:
            return _environment.from_string(source).render(**variables).strip()
        except jinja2.TemplateError as error:
            line = _line_in_template(error)
            where = f"{self.path}:{offset + line}" if line else self.path
            raise PromptError(f"{where}: {_clear(error)}") from error


class Prompts:
    """The prompts at hand, by name."""

    def __init__(self, prompts: Mapping[str, Prompt]) -> None:
        self._prompts = dict(prompts)

    @classmethod
    def load(cls, folder: str | Path = "") -> Prompts:
        """Bundled prompts with those of ``folder`` before them. Raises PromptError, NotFound."""
        found = {p.name: p for p in map(read_prompt, _files(_bundled()))}
        if folder:
            path = Path(folder).expanduser()
            if not path.is_dir():
                raise NotFound(f"{path}: no such folder of prompts (summarize.prompts)")
            found |= {p.name: p for p in map(read_prompt, _files(path))}
        return cls(found)

    def names(self) -> list[str]:
        """Names in order."""
        return sorted(self._prompts)

    def get(self, name: str) -> Prompt:
        """A prompt. Raises NotFound, naming those there are."""
        if name not in self._prompts:
            raise NotFound(f"no prompt {name!r}; there are {', '.join(self.names()) or 'none'}")
        return self._prompts[name]


def read_prompt(path: Path) -> Prompt:
    """Read and check one file. Raises PromptError, which names file, line and variable."""
    try:
        text = path.read_text(encoding="utf-8").replace("\r\n", "\n")
    except OSError as error:
        raise PromptError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise PromptError(f"{path}: not UTF-8 text") from error
    return parse_prompt(text, str(path))


def parse_prompt(text: str, path: str) -> Prompt:
    """A prompt out of a file's text; ``path`` is for messages. Raises PromptError."""
    head = _FRONT.match(text)
    if head is None:
        raise PromptError(f"{path}:1: no front matter between two lines of ---")
    front = _read_front(head[1], path)
    offset = head[0].count("\n")
    parts = _USER.split(text[head.end() :])
    if len(parts) != 2:
        raise PromptError(f"{path}:{offset + 1}: needs exactly one line '=== user ==='")
    system, user = parts
    prompt = Prompt(
        name=front.name,
        version=front.version,
        purpose=front.purpose,
        schema=front.schema,
        parameters=front.parameters,
        hash=hashlib.sha256(text.encode()).hexdigest()[:12],
        path=path,
        system=system,
        user=user,
        offset=offset,
    )
    _check(prompt, system, offset)
    _check(prompt, user, prompt._user_offset)
    return prompt


def _read_front(text: str, path: str) -> _Front:
    try:
        loaded = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 2 if error.problem_mark else 1
        raise PromptError(f"{path}:{line}: front matter: {error.problem}") from error
    except yaml.YAMLError as error:
        raise PromptError(f"{path}:1: front matter is not YAML") from error
    try:
        return msgspec.convert(loaded, _Front)
    except msgspec.ValidationError as error:
        field = re.search(r"\$\.(\w+)", str(error)) or re.search(r"field `(\w+)`", str(error))
        raise PromptError(f"{path}:{_line_of(field, text)}: front matter: {error}") from error


def _line_of(field: re.Match[str] | None, text: str) -> int:
    if field is not None:
        for number, line in enumerate(text.splitlines(), 2):
            if line.startswith(f"{field[1]}:"):
                return number
    return 1


def _check(prompt: Prompt, source: str, offset: int) -> None:
    """Syntax, and every variable known; the names a template sets itself are its own."""
    try:
        tree = _environment.parse(source)
    except jinja2.TemplateSyntaxError as error:
        raise PromptError(f"{prompt.path}:{offset + error.lineno}: {error.message}") from error
    known = VARIABLES.get(prompt.name)
    if known is None:
        return
    own = {n.name for n in tree.find_all(jinja2.nodes.Name) if n.ctx in ("store", "param")}
    for node in tree.find_all(jinja2.nodes.Name):
        if node.ctx == "load" and node.name not in known | own | _GLOBALS:
            raise PromptError(
                f"{prompt.path}:{offset + node.lineno}: unknown variable {node.name!r};"
                f" there are {', '.join(sorted(known))}"
            )


# Prompts are text for a model, not HTML; data in them is JSON whose < is escaped (digest.py).
_environment = jinja2.sandbox.SandboxedEnvironment(
    undefined=jinja2.StrictUndefined,
    autoescape=False,
    keep_trailing_newline=True,
    trim_blocks=True,
    lstrip_blocks=True,
)
_GLOBALS = frozenset(_environment.globals)


def _line_in_template(error: jinja2.TemplateError) -> int | None:
    if isinstance(error, jinja2.TemplateSyntaxError):
        return error.lineno
    line = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _clear(error: jinja2.TemplateError) -> str:
    undefined = _UNDEFINED.search(str(error))
    return f"variable {undefined[1]!r} is not given" if undefined else str(error)


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.glob("*.md") if p.name.lower() != "readme.md")


def _bundled() -> Path:
    in_wheel = importlib.resources.files("pipeline") / "_prompts"
    path = Path(str(in_wheel))
    return path if path.is_dir() else Path(__file__).resolve().parents[2] / "prompts"
