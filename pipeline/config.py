"""The one place that reads settings: file, then environment, then flags.

Every room declares a frozen struct; here they become sections of one ``Settings``. The file is
TOML with a table a section; the environment is ``RTMS_NOTES_<SECTION>_<FIELD>``; Zoom's
credentials are read from the names every Zoom sample uses. Nothing else of the environment is
looked at: a shell's ``OPENAI_*`` turns nothing on.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, get_args, get_origin
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import platformdirs

from pipeline.audio.settings import AudioSettings
from pipeline.base.errors import ConfigError
from pipeline.base.secret import Secret
from pipeline.meeting.settings import MeetingSettings
from pipeline.openai_client.settings import LlmSettings
from pipeline.rtms.credentials import ApiSettings
from pipeline.rtms.settings import RtmsSettings
from pipeline.store.settings import StoreSettings
from pipeline.summarize.settings import SummarizeSettings
from pipeline.transcribe.settings import SttSettings, TranscribeSettings
from pipeline.web.settings import WebSettings

PREFIX = "RTMS_NOTES_"

Stt = Literal["native", "both", "local", "whisper", "openai", "openai-realtime", "deepgram"]
MediaName = Literal["audio", "video", "share", "transcript", "chat"]


class ZoomSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Credentials of the Zoom app (docs/zoom-setup.md)."""

    client_id: str = ""
    client_secret: Secret = Secret("")
    secret_token: Secret = Secret("")


class GeneralSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What belongs to no single room."""

    home: str = ""  # folder of the store; empty: the platform's data folder
    zone: str = ""  # IANA zone dates are resolved in; empty: the machine's
    stt: Stt = "native"  # where the words come from
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_json: bool = False
    webhook_host: str = "127.0.0.1"
    webhook_port: int = 8090
    host: str = "127.0.0.1"  # of the page; loopback only
    port: int = 8088
    stt_port: int | None = None  # of the OpenAI-compatible transcription server; none: not served
    restart_grace_s: float = 60.0  # wait for a new stream after a stop that calls for a restart
    media: tuple[MediaName, ...] = ()  # to receive, beside what stt and [meeting] need
    tapes: str = ""  # record every stream as a tape into this folder; empty: none


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings by section."""

    general: GeneralSettings = GeneralSettings()
    zoom: ZoomSettings = ZoomSettings()
    zoom_api: ApiSettings = ApiSettings()
    rtms: RtmsSettings = RtmsSettings()
    meeting: MeetingSettings = MeetingSettings()
    audio: AudioSettings = AudioSettings()
    transcribe: TranscribeSettings = TranscribeSettings()
    stt: SttSettings = SttSettings()
    llm: LlmSettings = LlmSettings()
    summarize: SummarizeSettings = SummarizeSettings()
    store: StoreSettings = StoreSettings()
    web: WebSettings = WebSettings()

    @property
    def home(self) -> Path:
        """The folder of the store."""
        return Path(self.general.home) if self.general.home else default_home()

    @property
    def zone(self) -> str:
        """The IANA zone of the meetings."""
        return self.general.zone or machine_zone()


_ZOOM_NAMES = {
    "ZOOM_CLIENT_ID": ("zoom", "client_id"),
    "ZOOM_CLIENT_SECRET": ("zoom", "client_secret"),
    "ZOOM_SECRET_TOKEN": ("zoom", "secret_token"),
    "ZOOM_ACCOUNT_ID": ("zoom_api", "account_id"),
    "ZOOM_API_CLIENT_ID": ("zoom_api", "client_id"),
    "ZOOM_API_CLIENT_SECRET": ("zoom_api", "client_secret"),
}
_PLAIN = {"HOME": "home", "ZONE": "zone", "STT": "stt", "MEDIA": "media", "TAPES": "tapes"}
"""Short environment names of general settings, beside ``RTMS_NOTES_GENERAL_<FIELD>``."""


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """Settings and, for each ``section.field`` that is not a default, where it came from."""

    settings: Settings
    sources: dict[str, str]


def load(
    *,
    file: Path | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Loaded:
    """Compose the settings. ``flags`` maps ``section.field`` to a value; None means not given.

    Raises ConfigError in one line that names file or variable, section and field.
    """
    environ = os.environ if environ is None else environ
    values: dict[str, dict[str, Any]] = {}
    sources: dict[str, str] = {}

    def put(section: str, field: str, value: Any, source: str) -> None:
        _known(section, field, source)
        values.setdefault(section, {})[field] = value
        sources[f"{section}.{field}"] = source

    path = file or _file_from(environ)
    if path is not None:
        for section, fields in _read_file(path).items():
            if not isinstance(fields, dict):
                raise ConfigError(f"{path}: {section} must be a table like [{section}]")
            for field, value in fields.items():
                put(section, field, value, str(path))
    for name, (section, field) in _ZOOM_NAMES.items():
        if environ.get(name):
            put(section, field, environ[name], name)
    for name, value in environ.items():
        if name.startswith(PREFIX) and name != PREFIX + "CONFIG":
            section, field = _from_environment(name)
            _known(section, field, name)
            put(section, field, _from_text(_field_type(section, field), value), name)
    for key, value in (flags or {}).items():
        if value is not None:
            section, field = key.split(".", 1)
            put(section, field, value, "--" + field.replace("_", "-"))

    settings = _convert(values, sources)
    _check_zone(settings, sources)
    return Loaded(settings=settings, sources=sources)


def _check_zone(settings: Settings, sources: Mapping[str, str]) -> None:
    try:
        ZoneInfo(settings.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        source = sources.get("general.zone", "the machine's zone")
        raise ConfigError(
            f"{source}: no time zone {settings.zone!r}; use an IANA name like Europe/Berlin"
            " (RTMS_NOTES_ZONE)"
        ) from error


def rows(loaded: Loaded) -> list[tuple[str, str, str]]:
    """Every setting as (``section.field``, value with secrets masked, source)."""
    table = []
    effective = {
        "general.home": str(loaded.settings.home),
        "general.zone": loaded.settings.zone,
    }
    for section in msgspec.structs.fields(Settings):
        struct = getattr(loaded.settings, section.name)
        for field in msgspec.structs.fields(type(struct)):
            key = f"{section.name}.{field.name}"
            value = getattr(struct, field.name)
            shown = ("***" if value else "") if isinstance(value, Secret) else _shown(value)
            source = loaded.sources.get(key, "default")
            if key in effective and not value:
                shown, source = effective[key], "default of this machine"
            table.append((key, shown, source))
    return table


def default_home() -> Path:
    """The platform's data folder for this program."""
    return Path(platformdirs.user_data_dir("rtms-notes", appauthor=False))


def machine_zone() -> str:
    """The machine's IANA zone, or UTC when it cannot be told."""
    name = os.environ.get("TZ", "").lstrip(":")
    if name and "/" in name and not name.startswith("/"):
        return name
    try:
        link = str(Path("/etc/localtime").readlink())
    except OSError:
        return "UTC" if datetime.now().astimezone().utcoffset() is None else _etc_timezone()
    return link.split("zoneinfo/", 1)[1] if "zoneinfo/" in link else _etc_timezone()


def _etc_timezone() -> str:
    try:
        return Path("/etc/timezone").read_text().strip() or "UTC"
    except OSError:
        return "UTC"


def _file_from(environ: Mapping[str, str]) -> Path | None:
    named = environ.get(PREFIX + "CONFIG")
    if named:
        return Path(named)
    usual = Path(platformdirs.user_config_dir("rtms-notes", appauthor=False)) / "config.toml"
    return usual if usual.is_file() else None


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML ({error})") from error


def _section_types() -> dict[str, type[msgspec.Struct]]:
    return {f.name: f.type for f in msgspec.structs.fields(Settings)}


def _field_type(section: str, field: str) -> Any:
    for known in msgspec.structs.fields(_section_types()[section]):
        if known.name == field:
            return known.type
    raise AssertionError(f"{section}.{field} was checked before")


def _known(section: str, field: str, source: str) -> None:
    sections = _section_types()
    if section not in sections:
        raise ConfigError(f"{source}: no section [{section}]; there are {', '.join(sections)}")
    names = [f.name for f in msgspec.structs.fields(sections[section])]
    if field not in names:
        raise ConfigError(f"{source}: [{section}] has no {field!r}; it has {', '.join(names)}")


def _from_environment(name: str) -> tuple[str, str]:
    rest = name.removeprefix(PREFIX)
    if rest in _PLAIN:
        return "general", _PLAIN[rest]
    # The longest section that fits: zoom_api before zoom.
    sections = sorted(_section_types(), key=len, reverse=True)
    section = next((s for s in sections if rest.lower().startswith(s + "_")), "")
    field = rest.lower().removeprefix(section + "_")
    if not section or not field:
        raise ConfigError(
            f"{name}: no such setting; names are {PREFIX}<SECTION>_<FIELD>"
            " (see `rtms-notes config`)"
        )
    return section, field


def _from_text(kind: Any, text: str) -> Any:
    if get_origin(kind) is tuple:
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def _allowed(kind: Any) -> str:
    """The values a field may have, where they can be listed."""
    inner = get_args(kind)[0] if get_origin(kind) is tuple else kind
    values = get_args(inner) if get_origin(inner) is Literal else ()
    return f" (one of {', '.join(map(str, values))})" if values else ""


def _convert(values: dict[str, dict[str, Any]], sources: Mapping[str, str]) -> Settings:
    built: dict[str, Any] = {}
    for section, struct in _section_types().items():
        fields = values.get(section, {})
        for field, value in fields.items():
            kind = _field_type(section, field)
            try:
                fields[field] = msgspec.convert(value, kind, strict=False, dec_hook=_decode)
            except (msgspec.ValidationError, TypeError) as error:
                source = sources[f"{section}.{field}"]
                text = f"{source}: {section}.{field}: {error}{_allowed(kind)}"
                raise ConfigError(text) from error
        try:
            built[section] = struct(**fields)
        except (TypeError, ValueError) as error:
            given = ", ".join(dict.fromkeys(sources[f"{section}.{field}"] for field in fields))
            raise ConfigError(f"{given}: [{section}] {error}") from error
    return Settings(**built)


def _decode(kind: type, value: Any) -> Any:
    if kind is Secret and isinstance(value, str | Secret):
        return value if isinstance(value, Secret) else Secret(value)
    raise TypeError(f"expected {kind.__name__}")


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return str(value)
