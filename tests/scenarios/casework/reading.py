"""A case file read and checked: unknown words are refused with the nearest one that is known."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

Table = Mapping[str, Any]

TOP = {"title", "proves", "settings", "instance", "cmdb", "relations", "unifi", "run", "again"}
INSTANCE = {"class_models", "without", "locations", "models", "manufacturers", "adapters_match_by"}
UNIFI = {"console", "site", "device", "client"}
CONSOLE = {"model", "mac", "name"}
SITE = {"console"}
DEVICE = {"site", "model", "name", "mac", "ip", "uplink", "console", "online", "firmware"}
CLIENT = {"site", "name", "mac", "uplink", "wired"}
CI = {"class", "adapters", "serials", "key"}
RUN = {
    "says", "after", "unifi", "cmdb", "bind", "command", "exit", "created", "changed", "seen", "links", "unlinks",
    "findings", "held", "failed", "queued",
}  # fmt: skip
EVENTS: Mapping[str, frozenset[str]] = {
    "add": frozenset(DEVICE),
    "remove": frozenset(),
    "rename": frozenset({"to"}),
    "uplink": frozenset({"to"}),
    "move": frozenset({"site", "uplink"}),
    "offline": frozenset(),
    "online": frozenset({"ip"}),
    "upgrade": frozenset({"firmware"}),
    "readdress": frozenset({"ip"}),
    "readopt": frozenset(),
    "roam": frozenset({"to"}),
    "leave": frozenset(),
    "console_down": frozenset(),
    "console_up": frozenset(),
    "cloud_down": frozenset(),
    "cloud_up": frozenset(),
}
"""What may happen in UniFi; each names a thing, the rest are its arguments."""
DEEDS: Mapping[str, frozenset[str] | None] = {
    "edit": None,
    "add": None,
    "delete": frozenset(),
    "merge": frozenset({"into"}),
    "reclassify": frozenset({"to"}),
    "discover": None,
    "mark_duplicate": frozenset({"of"}),
    "unrelate": frozenset({"from"}),
    "relate": frozenset({"to", "type"}),
    "away": frozenset(),
    "back": frozenset(),
    "refuse": frozenset({"because"}),
    "allow": frozenset(),
    "model": frozenset(),
    "cut": frozenset({"field", "to"}),
    "drop_relations": frozenset(),
    "mend": frozenset(),
}
"""What may happen in ServiceNow. None: any field of the CI."""


class CaseError(ValueError):
    """The file, not the program, is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of the command: what happened before it, and everything that it may change. ``bind``: the operator's
    bindings from now on, by label of the device; None leaves them as they are."""

    says: str = ""
    after: float = 0.0
    unifi: tuple[Table, ...] = ()
    cmdb: tuple[Table, ...] = ()
    bind: Table | None = None
    command: tuple[str, ...] = ("load",)
    exit: int = 0
    created: Table = field(default_factory=dict)
    changed: Table = field(default_factory=dict)
    seen: frozenset[str] = frozenset()
    links: frozenset[str] = frozenset()
    unlinks: frozenset[str] = frozenset()
    findings: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    queued: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """``again``: after the last run the same command once more, which must write nothing."""

    path: Path
    title: str
    settings: Table
    instance: Table
    cmdb: Table
    relations: tuple[str, ...]
    unifi: Table
    runs: tuple[Run, ...]
    again: bool


def read_case(path: Path) -> Case:
    """CaseError names the file, the place and the nearest word."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        return _case(path, document)
    except (tomllib.TOMLDecodeError, CaseError, TypeError, ValueError) as error:
        raise CaseError(f"{path.name}: {error}") from error


def known(given: Iterable[str], allowed: Collection[str], where: str) -> None:
    for word in given:
        if word not in allowed:
            near = get_close_matches(word, allowed, n=1, cutoff=0.4)
            meant = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(sorted(allowed))}"
            raise CaseError(f"{where} knows no {word!r}{meant}")


def seconds(text: str) -> float:
    """``15 days``, ``25 hours``."""
    number, _, unit = text.partition(" ")
    units = {"minute": 60, "hour": 3600, "day": 86400, "week": 604800}
    known([unit.rstrip("s")], units, f"the time {text!r}")
    return float(number) * units[unit.rstrip("s")]


def _case(path: Path, document: Table) -> Case:
    known(document, TOP, "the file")
    if not document.get("title"):
        raise CaseError("a title is missing: one sentence that says what is promised")
    if not document.get("run"):
        raise CaseError("a [[run]] is missing")
    known(document.get("instance", {}), INSTANCE, "[instance]")
    unifi = document.get("unifi", {})
    known(unifi, UNIFI, "[unifi]")
    for kind, words in (("console", CONSOLE), ("site", SITE), ("device", DEVICE), ("client", CLIENT)):
        for label, values in unifi.get(kind, {}).items():
            known(values, words, f"[unifi.{kind}.{label}]")
    labels = {*document.get("cmdb", {}), *unifi.get("device", {}), *unifi.get("client", {})}
    return Case(
        path=path,
        title=document["title"],
        settings=document.get("settings", {}),
        instance=document.get("instance", {}),
        cmdb=document.get("cmdb", {}),
        relations=tuple(document.get("relations", ())),
        unifi=unifi,
        runs=tuple(_run(number, run, labels) for number, run in enumerate(document["run"], start=1)),
        again=bool(document.get("again", True)),
    )


def _run(number: int, values: Table, labels: set[str]) -> Run:
    where = f"run {number}"
    known(values, RUN, where)
    for event in values.get("unifi", ()):
        _happening(event, EVENTS, f"{where}, unifi")
        labels |= {event["add"]} if "add" in event else set()
    for deed in values.get("cmdb", ()):
        _happening(deed, DEEDS, f"{where}, cmdb")
        labels |= (
            {deed["add"]} if "add" in deed else {deed.get("as", deed["discover"])} if "discover" in deed else set()
        )
    for name in ("created", "changed", "seen", "bind"):
        known(values.get(name, ()), labels, f"{where}, {name}")
    given = {name: value for name, value in values.items() if name not in ("after", "command")}
    for name in ("unifi", "cmdb", "findings", "held", "failed"):
        given[name] = tuple(given.get(name, ()))
    for name in ("seen", "links", "unlinks"):
        given[name] = frozenset(given.get(name, ()))
    return Run(
        after=seconds(values["after"]) if "after" in values else 0.0,
        command=tuple(str(values.get("command", "load")).split()),
        **given,
    )


def _happening(values: Table, words: Mapping[str, frozenset[str] | None], where: str) -> None:
    """The first word says what happens."""
    what = next(iter(values), "")
    known([what], words, where)
    allowed = words[what]
    if allowed is not None:
        known([word for word in values if word != what], allowed, f"{where}, {what}")
