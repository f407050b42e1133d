"""What a command prints with ``--json`` keeps to the schema that ships with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import resources
from typing import Any

import jsonschema

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from tests.scenarios.conftest import Town


def keeps(document: dict[str, Any]) -> None:
    name = document["schema"].removeprefix("snowload.").removesuffix("/1")
    file = resources.files("beast_dream_snow_loader") / "schemas" / f"{name}.schema.json"
    jsonschema.validate(document, json.loads(file.read_text(encoding="utf-8")))


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
        ("config", "show"),
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
