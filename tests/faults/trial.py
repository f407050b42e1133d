"""One fault at one step of a load, judged by the tables: what the load came to, and whether the next one mends it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import filterfalse
from pathlib import Path

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.sandbox.servicenow import oracle
from tests.conftest import Ended
from tests.faults.faults import READ_TIMEOUT
from tests.faults.steps import Step
from tests.scenarios.ageing import pass_time
from tests.scenarios.conftest import Town
from tests.scenarios.estates import EstateBuilder
from tests.scenarios.in_process import InProcess
from tests.scenarios.year.truth import Moment, Rows, Truth, moment_now

_LOAD = ("load", "--env", "testing", "--json")
_SETTINGS = {
    "SNOWLOAD_RETRY__MAX_ATTEMPTS": "2",
    "SNOWLOAD_RETRY__BASE_DELAY_SECONDS": "0.01",
    "SNOWLOAD_CIRCUIT_BREAKER__FIRST_WAIT_SECONDS": "60",
    "SNOWLOAD_CIRCUIT_BREAKER__JITTER": "false",
}
"""A breaker that has opened stays so for the rest of the load, at any speed of the machine."""
_IMPATIENT = {
    "SNOWLOAD_SERVICENOW__READ_TIMEOUT_SECONDS": str(READ_TIMEOUT),
    "SNOWLOAD_UNIFI__READ_TIMEOUT_SECONDS": str(READ_TIMEOUT),
}
_DAY = 90_000.0
"""Seconds; a little more, so that a sign of life is due."""
_STAMPS = frozenset({"last_discovered", "sys_updated_on", "sys_mod_count", "last_scan", "source_recency_timestamp"})
"""What says when something was seen, by the second: a load that follows within one leaves them as they are."""


class State(StrEnum):
    """The CMDB after the faulty load."""

    RIGHT = "right"
    PART = "part"
    """Some of the changes are in, and what is in is right."""
    AS_BEFORE = "as before"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What a load came to: its exit code, and what the CMDB was then."""

    code: int
    state: State

    def __str__(self) -> str:
        return f"{self.code} {self.state}"


class Trials:
    """A town in which one fault after another is tried; between two of them the CMDB is right."""

    def __init__(self, home: Path) -> None:
        self.town = Town(_estate(), InProcess(home))
        self.town.run.variables |= _SETTINGS
        self.truth = Truth(self.town.estate, self.town.app.instance)
        self._number = 0
        self._settled: Rows = {}

    def __enter__(self) -> Trials:
        self.town.__enter__()
        self._settled = self.tables()
        return self

    def __exit__(self, *_: object) -> None:
        self.town.__exit__()

    def tables(self) -> Rows:
        return {place: dict(row) for place, row in oracle.everything(self.town.app.instance).items()}

    def first(self) -> None:
        """A load without a fault."""
        before, started = self.tables(), moment_now()
        self._mended(before, started)

    def try_one(self, step: Step, fault: Fault) -> Cell:
        """UniFi changes, a load meets the fault, the next one does not: AssertionError when that leaves anything wrong.

        One device is renamed, one upgraded, one new: an update, a create and a relation are due."""
        self._change()
        pass_time(_DAY, self.town.estate, self.town.app.instance, self.town.run.home)
        before, started = self.tables(), moment_now()
        server = step.server(self.town)
        server.faults.add(_laid(fault, step))
        faulty = self.town.run(*_LOAD, **_IMPATIENT if fault.effect is Effect.HANG else {})
        struck = sum(entry.struck for entry in server.faults.listing())
        server.faults.clear()
        assert struck, f"{step.name}: no request met the fault"
        _honest(faulty)
        server.late.act_now()
        after = self.tables()
        self._mended(before, started)
        return Cell(code=faulty.code, state=_state(before, after, self._settled))

    def _mended(self, before: Rows, started: datetime) -> None:
        load = self.town.run(*_LOAD)
        assert load.code == 0, f"the next load ended with {load.code}: {load.err[-1500:]} {load.out[-3000:]}"
        self._settled = self.tables()
        moment = Moment(before=before, after=self._settled, started=started, ended=moment_now(), unread=frozenset())
        wrong = [*filterfalse(_tolerated, self.truth.judge(moment)), *self._doubles()]
        assert not wrong, f"the CMDB after the next load: {wrong[:5]}"

    def _doubles(self) -> list[str]:
        instance = self.town.app.instance
        found = (oracle.duplicate_keys(instance), oracle.duplicate_edges(instance), oracle.duplicate_serials(instance))
        return [f"twice: {shared}" for shared in found if shared]

    def _change(self) -> None:
        estate, number = self.town.estate, self._number
        self._number += 1
        console = estate.consoles()[0]
        renamed, upgraded, *_ = [d for d in estate.devices(console.host_id) if not d.is_gateway]
        estate.rename_device(renamed.mac, f"renamed-{number}")
        estate.upgrade_device(upgraded.mac, f"9.{number}.1.17000")
        estate.add_device(site=renamed.site, model="U7PRO", name=f"new-{number}", mac=f"00005F{number:06X}")


def _estate() -> Estate:
    builder = EstateBuilder()
    builder.console("console", "UDMPRO")
    builder.site("HQ", "console")
    builder.device("gw", "HQ", model="UDMPRO", name="gw", console="console")
    for number in range(3):
        builder.device(f"d{number}", "HQ", model="USL24P", name=f"sw-{number}", uplink="gw")
    return builder.build()


def _laid(fault: Fault, step: Step) -> Fault:
    return replace(fault, method=step.method, path=step.path)


def _honest(ended: Ended) -> None:
    """Never a defect of ours, never a traceback, always one document and, when it went wrong, a reason."""
    assert ended.code not in (1, 2, 6), f"exit {ended.code}: {ended.err[-2000:]}"
    assert "Traceback" not in ended.err
    assert ended.document["exit_code"] == ended.code
    if ended.code:
        assert ended.err.strip(), f"exit {ended.code} and not a word on stderr"


def _state(before: Rows, after: Rows, mended: Rows) -> State:
    if _plain(after) == _plain(mended):
        return State.RIGHT
    return State.AS_BEFORE if _plain(after) == _plain(before) else State.PART


def _plain(rows: Rows) -> Mapping[str, Mapping[str, str]]:
    """Without what differs by the hour alone, rows by what they say and not by their ids."""
    return {place: {n: v for n, v in row.items() if n not in _STAMPS} for place, row in rows.items()}


def _tolerated(problem: str) -> bool:
    """Where nothing could be tried before it was written, names are the longest form, and stay; a CI that moved up
    from the base class has none of the defaults that an insert into its own class gives."""
    return " is free" in problem or ": can_" in problem
