"""Sixty runs, six days apart, of the real command against the sandbox, judged after each by an independent model."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.sandbox.servicenow import oracle
from tests.conftest import Ended
from tests.scenarios.ageing import pass_time
from tests.scenarios.conftest import Town
from tests.scenarios.in_process import InProcess
from tests.scenarios.model import PRODUCTS
from tests.scenarios.year.churn import KINDS, Churn
from tests.scenarios.year.place import found
from tests.scenarios.year.truth import Moment, Rows, Truth, moment_now

_SIX_DAYS = 6 * 86400.0
_LOAD = ("load", "--env", "testing", "--json")
_OUTAGE_EVERY = 9
_SETTINGS = {
    "SNOWLOAD_CLIENTS__MODE": "create",
    "SNOWLOAD_RETIRE__ENABLED": "true",
    "SNOWLOAD_RETIRE__ALLOW_PERCENT": "100",  # its guard has scenarios of its own
}


@dataclass(slots=True, kw_only=True)
class Year:
    """``counts``: how often each kind of event came; ``problems`` of the run that failed, with its trace."""

    seed: int
    counts: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    problems: list[str] = field(default_factory=list)


class Simulation:
    def __init__(self, home: Path, *, seed: int, devices: int, clients: int) -> None:
        self.random = Random(seed)
        self.year = Year(seed=seed)
        self.town = Town(found(self.random, devices, clients), InProcess(home))
        self.truth = Truth(self.town.estate, self.town.app.instance)
        self.churn = Churn(self.random, self.town, self.truth)
        self._read: dict[str, int] = {}

    def live(self, runs: int, events: int) -> Year:
        """Ends with the first run after which the CMDB is not what it should be."""
        with self.town:
            self.town.run.variables |= _SETTINGS
            self._furnish()
            for number in range(runs):
                outage = bool(number) and number % _OUTAGE_EVERY == 0
                if number:
                    pass_time(_SIX_DAYS, self.town.estate, self.town.app.instance, self.town.run.home)
                    self.churn.happen(events, outage=outage)
                problems = self._one_run(number, outage=outage)
                self.year.runs += 1
                if problems:
                    self.year.problems = [f"run {number}:", *self.churn.trace, "--", *problems[:40]]
                    break
        self.year.counts = self.churn.counts + self.truth.counts
        return self.year

    def _furnish(self) -> None:
        instance = self.town.app.instance
        with instance.lock, instance.acting_as("admin"):
            maker = instance.insert("core_company", {"name": "Ubiquiti", "manufacturer": "true"})["sys_id"]
            for product in PRODUCTS.values():
                values = {"name": product.sku, "model_number": product.sku, "manufacturer": maker}
                instance.insert("cmdb_hardware_product_model", values)
            for site in self.town.estate.sites():
                instance.insert("cmn_location", {"name": site.title})

    def _one_run(self, number: int, *, outage: bool) -> list[str]:
        before, started = self._tables(), moment_now()
        problems = self._outage(before) if outage else []
        load = self.town.run(*_LOAD, timeout=600)
        stale = self._stands_in(number)
        expected = 3 if self.churn.down.keys() - stale else 0
        problems += self._told_stale(load, stale)
        if load.code != expected:
            told = load.document if load.out else {}
            errors = {k: told.get(k) for k in ("status", "held", "failed", "queued", "error")}
            problems.append(f"exit {load.code}, not {expected}: {errors} {load.err[-500:]}")
        after = self._tables()
        moment = Moment(
            before=before,
            after=after,
            started=started,
            ended=moment_now(),
            unread=frozenset(self.churn.down),
            day=number * _SIX_DAYS / 86400,
            outage=outage,
        )
        problems += [*self.truth.judge(moment), *self._confirmed(expected), *self._sound()]
        return [*problems, *self._again(self._tables(), expected)]

    def _stands_in(self, number: int) -> set[str]:
        """Consoles that are down and were read six days ago: what they were stands in, which is a warning (R6.3).
        Twelve days are too long."""
        self._read |= {c.host_id: number for c in self.town.estate.consoles() if c.host_id not in self.churn.down}
        return {host for host in self.churn.down if number - self._read[host] == 1}

    def _told_stale(self, load: Ended, stale: set[str]) -> list[str]:
        told = load.document.get("stale_consoles", []) if load.out else []
        wanted = sorted(console.name for console in self.town.estate.consoles() if console.host_id in stale)
        if wanted:
            self.churn.counts["stood_in"] += len(wanted)
        same = sorted(one["name"] for one in told) == wanted
        aged = all(6 * 86400 <= one["age_seconds"] < 7 * 86400 for one in told)
        return [] if same and aged else [f"stale consoles are {told}, not {wanted}"]

    def _confirmed(self, expected: int) -> list[str]:
        """A relation follows what moved when a second complete read confirms it, and nothing else may happen then."""
        if not self.truth.unfinished():
            return []
        before = self._tables()
        load = self.town.run(*_LOAD, timeout=600)
        after = self._tables()
        self.churn.counts["unlinked"] += load.document["written"]["unlinked"]
        problems = [f"exit {load.code} on confirming"] if load.code != expected else []
        gone = [place for place in before.keys() - after.keys() if not place.startswith("cmdb_rel_ci ")]
        problems += [f"{place} was deleted on confirming" for place in gone]
        changed = [place for place in after if before.get(place) != after[place]]
        problems += [
            f"{place} was written on confirming" for place in changed if not _named_again(place, before, after)
        ]
        left = sorted(self.truth.unfinished()) if not self.churn.down else []
        return [*problems, *(f"relation {edge} is not as UniFi shows it, twice read" for edge in left)]

    def _outage(self, before: dict[str, dict[str, str]]) -> list[str]:
        """ServiceNow is away for the first load: everything is queued, nothing is written, a replay sends it."""
        self.churn.counts["outage"] += 1
        faults = self.town.sandbox.servicenow.faults
        faults.add(Fault(effect=Effect.STATUS, status=503, path="/api/*"))
        away = self.town.run(*_LOAD, timeout=600)
        problems = [] if away.code in (8, 3) else [f"exit {away.code} while ServiceNow was away: {away.err[-500:]}"]
        if self._tables() != before:
            problems.append("something was written though ServiceNow was away")
        faults.clear()
        replay = self.town.run("replay-queue", "--env", "testing", "--json", timeout=600)
        self.churn.counts["replayed"] += replay.document.get("sent", 0)
        if replay.code:
            problems.append(f"the replay ended with {replay.code}: {replay.out[-1500:]}")
        return problems

    def _sound(self) -> list[str]:
        instance = self.town.app.instance
        found = {
            "a key twice": oracle.duplicate_keys(instance),
            "a relation twice": oracle.duplicate_edges(instance),
            "a serial number twice": oracle.duplicate_serials(instance),
        }
        return [f"{what}: {shared}" for what, shared in found.items() if shared]

    def _again(self, after: dict[str, dict[str, str]], expected: int) -> list[str]:
        writes = self.town.writes()
        again = self.town.run(*_LOAD, timeout=600)
        problems = [] if again.code == expected else [f"the second run ends with {again.code}"]
        if self.town.writes() != writes:
            problems.append(f"the second run wrote: {again.document.get('plan')}")
        if self._tables() != after:
            problems.append("the second run changed something")
        return problems

    def _tables(self) -> dict[str, dict[str, str]]:
        return {place: dict(row) for place, row in oracle.everything(self.town.app.instance).items()}


def _named_again(place: str, before: Rows, after: Rows) -> bool:
    """A relation, or what the engine stamps on its two ends when they are named."""
    if place.startswith("cmdb_rel_ci "):
        return place not in before
    was, now = before.get(place, {}), after[place]
    stamps = {"last_discovered", "discovery_source", "sys_updated_on", "sys_updated_by", "sys_mod_count"}
    differ = {name for name in was.keys() | now.keys() if was.get(name) != now.get(name)}
    return place in before and (place.startswith("sys_object_source ") or differ <= stamps)


def kinds() -> set[str]:
    return {*KINDS, "outage", "replayed", "unlinked", "retired", "not_retired", "set_back", "back_and_kept", "stood_in"}
