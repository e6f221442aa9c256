"""What stands beside the text of a chat message, in words for people; names still unescaped."""

from __future__ import annotations

from pipeline.model.speech import Message, SharedFile
from pipeline.model.state import MeetingState


def audience(message: Message) -> str:
    """Whom a message was for, empty when it was for everybody: ``private, to Ben``."""
    to = message.to_name or (
        "one person" if message.to_id or message.session == "individual" else ""
    )
    match message.session:
        case "individual":
            return f"private, to {to}"
        case "group":
            return (
                f"private, to group {message.chat_group}"
                if message.chat_group
                else ("private, to a group")
            )
        case "hosts":
            return "private, to hosts and panelists"
        case "other":
            return f"private, to {to or 'some'}"
        case _:
            return f"private, to {to}" if message.private else ""


def files_line(message: Message) -> str:
    """``file: plan.pdf (120 kB)``; names only, the content is not here."""
    if not message.files:
        return ""
    word = "file" if len(message.files) == 1 else "files"
    return f"{word}: {', '.join(_file(file) for file in message.files)}"


def reactions_line(message: Message) -> str:
    """``+1 Maya, Ben; tada Ada``: each emoji with who put it there."""
    by: dict[str, list[str]] = {}
    for reaction in message.reactions:
        by.setdefault(reaction.emoji, []).append(reaction.speaker or "somebody")
    return "; ".join(f"{emoji} {', '.join(names)}" for emoji, names in by.items())


def answered(message: Message, state: MeetingState) -> Message | None:
    """The message that this one answers, if it is here and shown."""
    if message.parent is None or message.parent == message.zoom_id:
        return None
    for other in state.messages.values():
        if other.zoom_id == message.parent:
            return None if other.deleted else other
    return None


def _file(file: SharedFile) -> str:
    name = file.name or "without a name"
    return name if file.size is None else f"{name} ({_size(file.size)})"


def _size(size: int) -> str:
    if size < 1_000:
        return f"{size} B"
    return f"{size / 1_000:.0f} kB" if size < 1_000_000 else f"{size / 1_000_000:.1f} MB"
