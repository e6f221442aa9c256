"""What the documents say and the repository promises, where a machine can check it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_command_help_in_the_docs_is_current() -> None:
    checked = subprocess.run(
        [sys.executable, ROOT / "tools/command_help.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr


def test_constraints_name_no_address_and_every_pin_is_exact() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert all(re.match(r"[a-z0-9.-]+==[^\s/]+( ; .*)?$", line) for line in lines), lines


@pytest.mark.parametrize(
    "page",
    ["README.md", "CONTRIBUTING.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))],
)
def test_links_between_our_own_documents_lead_somewhere(page: str) -> None:
    file = ROOT / page
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", file.read_text(encoding="utf-8")):
        if not target.startswith(("YOUR", "^")):
            assert (file.parent / target).exists(), f"{page}: {target}"


def test_every_dependency_has_its_line_in_the_decisions() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["local"]]
    decisions = (ROOT / "docs/decisions.md").read_text(encoding="utf-8")
    for requirement in wanted:
        name = re.split(r"[<>=;\s]", requirement)[0]
        known = {"av": "PyAV"}.get(name, name)
        assert known in decisions, f"{name} has no line in docs/decisions.md"
