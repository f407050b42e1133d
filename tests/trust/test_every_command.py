"""No command is forgotten where secrets are looked for (S1)."""

from __future__ import annotations

from collections.abc import Mapping

from tests.commands import every_command
from tests.trust import canaries

WITHOUT: Mapping[tuple[str, ...], str] = {
    ("sandbox",): "has no settings, and runs until a signal",
    ("schedule", "print"): "reads no setting and no secret",
    ("config", "schema"): "reads nothing",
    ("config", "init"): "reads nothing",
}


def test_canaries_are_looked_for_in_what_every_command_says() -> None:
    there = set(every_command())
    tried = {command[:length] for command in canaries.COMMANDS for length in (1, 2)}
    assert there - tried == set(WITHOUT)
