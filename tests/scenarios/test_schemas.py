"""What a command prints with ``--json`` keeps to the schema that ships with it."""

from __future__ import annotations

from collections.abc import Callable

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from tests.scenarios.conftest import Town
from tests.scenarios.desk import keeps

ENDS = ("--env", "testing", "--json")


def test_every_document_keeps_to_its_schema(town: Callable[[Estate], Town]) -> None:
    here = town(Estate.demo())
    commands = [
        ("load", "--dry-run"),
        ("load",),
        ("load",),
        ("validate",),
        ("health",),
        ("doctor",),
        ("report",),
        ("replay-queue",),
        ("queue", "list"),
        ("audit", "verify"),
        ("config", "show"),
        ("metrics",),
    ]
    for command in commands:
        keeps(here.run(*command, *ENDS).document)
    runs = here.run("runs", "list", *ENDS).document
    keeps(runs)
    keeps(here.run("rollback", runs["runs"][-1]["run_id"], "--dry-run", *ENDS).document)


def test_every_document_keeps_to_its_schema_also_when_the_command_fails(town: Callable[[Estate], Town]) -> None:
    here = town(Estate.demo())
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.STATUS, status=503, path="/api/*"))
    for command in (("load", "--full"), ("replay-queue",), ("health",), ("doctor",), ("validate",)):
        keeps(here.run(*command, *ENDS).document)
    keeps(here.run("load", "--json").document)
