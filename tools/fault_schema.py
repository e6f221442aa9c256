"""Writes docs/schemas/faults.schema.json from the structs; ``--check`` only compares (CI)."""

from __future__ import annotations

import inspect
import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from pipeline.emulator.faults import AnyFault

OUT = Path(__file__).resolve().parent.parent / "docs" / "schemas" / "faults.schema.json"


def render() -> str:
    """The schema of a script: a list of faults, or an object whose ``faults`` is one."""
    found = msgspec.json.schema(list[AnyFault])
    kinds: dict[str, dict[str, Any]] = found["$defs"]
    for kind in kinds.values():  # docstrings keep their indent before Python 3.13
        kind["description"] = inspect.cleandoc(kind["description"])
    rows = {key: value for key, value in found.items() if key != "$defs"}
    longer = {
        "type": "object",
        "properties": {"faults": rows},
        "required": ["faults"],
        "additionalProperties": False,
    }
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A fault script of rtms-notes emulate, version 1",
        "oneOf": [rows, longer],
        "$defs": kinds,
    }
    return json.dumps(schema, indent=1) + "\n"


if __name__ == "__main__":
    if "--check" not in sys.argv:
        OUT.write_text(render(), encoding="utf-8")
    elif OUT.read_text(encoding="utf-8") != render():
        sys.exit(f"{OUT.name} is not what the faults say: run python tools/fault_schema.py")
