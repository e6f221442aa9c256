from __future__ import annotations

import pytest

from pipeline.summarize.people import call_names, resolve_owner, same_person

ROSTER = ("Tom Carter", "Tom Weber", "Dr. Zoë Ray (she/her)", "Nina Berg | Sales")


@pytest.mark.parametrize(
    ("heard", "name", "candidates", "on_roster"),
    [
        ("Nina", "Nina Berg | Sales", (), True),
        ("zoe", "Dr. Zoë Ray (she/her)", (), True),
        ("Dr. Ray", "Dr. Zoë Ray (she/her)", (), True),
        ("Tom", None, ("Tom Carter", "Tom Weber"), False),
        ("Tom Weber", "Tom Weber", (), True),
        ("Thom", "Thom", (), False),
        ("Sales", "Sales", (), False),
    ],
)
def test_a_name_is_one_person_several_or_nobody(
    heard: str, name: str | None, candidates: tuple[str, ...], on_roster: bool
) -> None:
    owner = resolve_owner(heard, ROSTER)
    assert owner is not None
    assert (owner.name, owner.candidates, owner.on_roster) == (name, candidates, on_roster)


def test_no_name_is_nobody() -> None:
    assert resolve_owner(" ,.", ROSTER) is None
    assert resolve_owner("Mr.", ROSTER) is None


def test_what_people_are_called() -> None:
    assert call_names(ROSTER) == {"tom", "carter", "weber", "zoe", "ray", "nina", "berg"}
    assert same_person("Tom", "Tom Weber")
    assert not same_person("Tomas", "Tom Weber")
    assert not same_person("", "Tom")
