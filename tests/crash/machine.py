"""Anything that can happen, in any order: a state machine over the real command (Q16).

Every step is something that people, UniFi, ServiceNow, the network or the machine do. However many of them there were,
loads in quiet have to make the CMDB what an independent model says, with nothing doubled, nothing of others touched,
and no CI gone that a person has edited.

``python -m tests.crash.machine --steps 50000 --minutes 600`` is what ``make soak`` runs.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import ClassVar

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RULE_MARKER, RuleBasedStateMachine, rule, run_state_machine_as_test

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.estate.models import Kind
from beast_dream_snow_loader.sandbox.estate.things import EstateDevice
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.sandbox.servicenow.ire.options import ItemFault
from tests.crash.checker import Place, doubled, edges, ours, touched
from tests.crash.harness import KILLED, Action, Arm, Ended, Forge
from tests.crash.race import HELD, Pair, pair
from tests.crash.stories import HELD_BACK, LOAD, REPLAY, Stage
from tests.crash.sweep import Sweep
from tests.scenarios import model
from tests.scenarios.estates import EstateBuilder

_WRITES = "/api/now/identifyreconcile/enhanced"
_MODELS = ("U7PRO", "UAL6", "UBB", "USPPDUP", "USL24P")
_CODES = frozenset({0, 3, 4, 5, 7, 8, HELD, KILLED})
"""Every way a command may end here; 1 would be a traceback, 2 a mistake in these lines."""
_at = st.one_of(st.integers(min_value=1, max_value=130), st.integers(min_value=1, max_value=400))
"""A load that changes nothing has about 120 calls, a first one about 400."""
LIVES = 10
"""Of one seed; the first of them is always the plainest there is, nothing but new firmware."""
_NEVER_OURS = ("comments", "asset_tag")
_any = st.integers(min_value=0, max_value=10_000)


def estate() -> Estate:
    builder = EstateBuilder()
    builder.console("console", "UDMPRO")
    builder.site("HQ", "console")
    builder.device("gw", "HQ", model="UDMPRO", name="gw", console="console")
    for number, code in enumerate(("USL24P", "USL16LP", "U7PRO", "UAL6", "U7PRO")):
        builder.device(f"d{number}", "HQ", model=code, name=f"dev-{number}", uplink="gw" if number < 2 else "d0")
    return builder.build()


@dataclass(frozen=True, slots=True, kw_only=True)
class Here(Sweep):
    """The sweep's fork server over this estate. Every life begins with the tables made."""

    def estate(self) -> Estate:
        return estate()

    def _warm_up(self, forge: Forge) -> None:
        """With a load that writes and one that has nothing to do."""
        with Place(estate=self.estate()) as place:
            for arguments in (LOAD, LOAD, REPLAY):
                ended = forge.run(*arguments, environment=place.sandbox.environment(), warm_up=True)
                assert ended.code == 0, ended.err
            forge.state.clear()
            ended = forge.run("runs", "list", "--env", "testing", environment=place.sandbox.environment())
            assert ended.code == 0, ended.err
        forge.state.keep_as_empty()


@dataclass(slots=True, kw_only=True)
class Tally:
    """How often each rule ran, and how each command ended."""

    rules: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)


class Machine(RuleBasedStateMachine):
    """``two`` is set by whoever runs it."""

    two: ClassVar[Pair]
    tally: ClassVar[Tally] = Tally()

    def __init__(self) -> None:
        super().__init__()
        self.two.first.state.clear()
        self.place = Place(estate=estate()).__enter__()
        self.stage = Stage(forge=self.two.first, place=self.place)
        self.numbers = itertools.count(1)
        self.strangers: dict[str, Mapping[str, str]] = {}
        self.edited: dict[str, dict[str, str]] = {}
        self.by_hand: dict[str, dict[str, str]] = {}
        """CIs of ours that a person has edited, by sys_id, with what that person wrote where we never do."""

    def teardown(self) -> None:
        try:
            self._quiet()
        finally:
            self.place.__exit__()

    # What UniFi does.

    @rule(which=_any)
    def renamed(self, which: int) -> None:
        self._count("renamed")
        self.place.estate.rename_device(self._device(which).mac, f"renamed-{next(self.numbers)}")

    @rule(which=_any)
    def added(self, which: int) -> None:
        self._count("added")
        self._add(next(self.numbers), which)

    def _add(self, number: int, which: int) -> str:
        """A device of this number at some switch; its key."""
        site = self.place.estate.sites()[0].legacy_id
        code = _MODELS[which % len(_MODELS)]
        mac = f"00005E{number:06X}"
        self.place.estate.add_device(site=site, model=code, name=f"added-{number}", mac=mac, uplink=self._switch(which))
        return model.key_of(mac)

    @rule(which=_any)
    def removed(self, which: int) -> None:
        self._count("removed")
        if len(leaves := self._leaves()) > 2:
            self.place.estate.remove_device(leaves[which % len(leaves)].mac)

    @rule(which=_any, where=_any)
    def moved(self, which: int, where: int) -> None:
        self._count("moved")
        device, uplink = self._device(which), self._switch(where)
        if device.model.kind is not Kind.SWITCH:
            self.place.estate.change_uplink(device.mac, uplink)

    @rule()
    def firmware_upgraded(self) -> None:
        """The plainest of all rules, and so what the plainest life is made of."""
        self._count("firmware_upgraded")
        number = next(self.numbers)
        self.place.estate.upgrade_device(self._device(number).mac, f"7.{number}.1.17000")

    @rule(which=_any)
    def readopted(self, which: int) -> None:
        """Forgotten and adopted again: the same device under new ids."""
        self._count("readopted")
        self.place.estate.readopt_device(self._device(which).mac)

    @rule(which=_any)
    def replaced(self, which: int) -> None:
        """Another device of the model in the place of one, and called like it."""
        self._count("replaced")
        old = self._leaves()[which % len(self._leaves())]
        mac = f"00005E{next(self.numbers):06X}"
        self.place.estate.remove_device(old.mac)
        self.place.estate.add_device(site=old.site, model=old.model_code, name=old.name, mac=mac, uplink=old.uplink)

    # What people do in ServiceNow.

    @rule(which=_any, element=st.sampled_from(["comments", "asset_tag", "name", "short_description"]))
    def edited_by_hand(self, which: int, element: str) -> None:
        self._count("edited_by_hand")
        key = model.key_of(self._device(which).mac)
        for item in ours(self.place).get(key, [])[:1]:
            self._edit(key, item.sys_id, element, f"by hand {next(self.numbers)}")

    def _edit(self, key: str, sys_id: str, element: str, value: str) -> None:
        instance = self.place.app.instance
        with instance.lock, instance.acting_as("admin"):
            instance.update("cmdb_ci", sys_id, {element: value})
        self.edited.setdefault(key, {})[element] = value
        self.by_hand.setdefault(sys_id, {}).update({element: value} if element in _NEVER_OURS else {})

    @rule(which=_any)
    def stranger(self, which: int) -> None:
        """Somebody else's CI, called like one of our devices. Two of one name would be for a person to decide."""
        self._count("stranger")
        instance = self.place.app.instance
        name = self._device(which).name or "x"
        if any(row["name"] == name for row in self.strangers.values()):
            return
        values = {"name": name, "serial_number": f"OTHER-{next(self.numbers)}"}
        with instance.lock, instance.acting_as("admin"):
            row = instance.insert("cmdb_ci_netgear", values)
        self.strangers[row["sys_id"]] = dict(row)

    # What we do.

    @rule()
    def load(self) -> None:
        self._count("load")
        self._run(*LOAD)

    @rule()
    def load_read_only(self) -> None:
        self._count("load_read_only")
        writes = self.place.writes()
        self._run(*LOAD, **HELD_BACK)
        assert self.place.writes() == writes, "a load in read-only mode wrote"

    @rule()
    def replay(self) -> None:
        self._count("replay")
        self._run(*REPLAY)

    @rule(created=st.sampled_from(["retire", "delete"]), which=st.integers(min_value=0, max_value=3))
    def rolled_back(self, created: str, which: int) -> None:
        """The last load, or one of the three before it."""
        self._count("rolled_back")
        found = self.stage.forge.state.rows(
            "SELECT id FROM runs WHERE command = 'load' ORDER BY started_at DESC LIMIT 4"
        )
        if found:
            self._run("rollback", found[which % len(found)][0], "--env", "testing", "--created", created, "--json")

    @rule(which=_any, again=st.booleans())
    def undone_under_a_person(self, which: int, again: bool) -> None:
        """Somebody works on a CI that a load has just made, and that load is taken back; after another, or at once."""
        self._count("undone_under_a_person")
        number = next(self.numbers)
        key = self._add(number, which)
        self._run(*LOAD)
        (run,) = self.stage.forge.state.rows("SELECT id FROM runs ORDER BY started_at DESC LIMIT 1")
        for item in ours(self.place).get(key, [])[:1]:
            self._edit(key, item.sys_id, "comments", f"by hand {number}")
        if again:
            self._run(*LOAD, "--full")
        self._run("rollback", run[0], "--env", "testing", "--created", "delete", "--json")

    @rule(at=_at, side=st.sampled_from([Action.KILL_BEFORE, Action.KILL_AFTER]))
    def crash(self, at: int, side: Action) -> None:
        self._count("crash")
        self._run(*LOAD, arm=Arm(at=at, action=side))

    @rule(at=_at, tear=st.integers(min_value=1, max_value=1000))
    def power_lost(self, at: int, tear: int) -> None:
        self._count("power_lost")
        self._run(*LOAD, arm=Arm(at=at, power=True, tear=tear))

    @rule(at=_at)
    def crash_in_replay(self, at: int) -> None:
        self._count("crash_in_replay")
        self._run(*REPLAY, arm=Arm(at=at))

    @rule(wait=st.booleans())
    def second_process(self, wait: bool) -> None:
        self._count("second_process")
        other = replace(self.stage, forge=self.two.second)
        more = ("--lock-timeout", "1m") if wait else ()
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(other.run, *LOAD, *more)
            self._run(*LOAD)
            self._judge(running.result())

    # What ServiceNow and the network do.

    @rule(nth=st.integers(min_value=1, max_value=12))
    def outage(self, nth: int) -> None:
        """From some request on, for the rest of a load."""
        self._count("outage")
        self._under(Fault(effect=Effect.STATUS, status=503, path="/api/*", from_request=nth))

    @rule(effect=st.sampled_from([Effect.RESET_BEFORE, Effect.RESET_AFTER, Effect.CUT_JSON]))
    def unlucky_answer(self, effect: Effect) -> None:
        self._count("unlucky_answer")
        self._under(Fault(effect=effect, path=_WRITES, nth=1))

    @rule(which=_any, code=st.sampled_from(["LOCK_TIMEOUT", "REQUIRED_ATTRIBUTE_EMPTY"]))
    def item_refused(self, which: int, code: str) -> None:
        self._count("item_refused")
        self._options(ItemFault(native_key=model.key_of(self._device(which).mac), code=code, times=1))
        self._run(*LOAD)
        self._options()

    # How it is judged.

    def _run(self, *arguments: str, arm: Arm | None = None, **variables: str) -> Ended:
        ended = self.stage.run(*arguments, arm=arm, **variables)
        self._judge(ended)
        return ended

    def _judge(self, ended: Ended) -> None:
        self.tally.ended[str(ended.code)] += 1
        assert ended.code in _CODES, f"ended {ended.code}: {ended.err[-1500:]}"
        wrong = [*doubled(self.place), *(f"{one} of others was touched" for one in touched(self.place, self.strangers))]
        wrong += self._lost()
        assert not wrong, wrong[:5]

    def _lost(self) -> Iterator[str]:
        """Nothing that we do, a rollback that deletes least of all, takes away what a person has worked on."""
        for sys_id, written in self.by_hand.items():
            row = self.place.app.instance.get("cmdb_ci", sys_id)
            if row is None:
                yield f"the CI {sys_id}, edited by hand, is gone"
            else:
                yield from (f"{e} of {sys_id} is no longer {v!r}" for e, v in written.items() if row[e] != v)

    def _quiet(self) -> None:
        """Long after whatever was out of order: two complete reads move an edge, and the third load at the latest has
        nothing left to do."""
        if self.stage.forge.state.rows("SELECT 1 FROM breakers"):
            self._run("breakers", "reset", "--env", "testing", "--json")
        for last in (False, False, True):
            writes = self.place.writes()
            ended = self._run(*LOAD)
            assert ended.code == 0, f"in quiet a load ended {ended.code}: {_why(ended)}"
            if not last and self.place.writes() == writes and not any(self._wrong()):
                break
        assert self.place.writes() == writes, ended.document["plan"]
        wrong = list(self._wrong())
        assert not wrong, wrong[:8]
        left = list(self._left())
        assert not left, left[:5]

    def _left(self) -> Iterator[str]:
        """What waits still. What was queued of a device that UniFi no longer shows waits for a replay."""
        shown = {model.key_of(device.mac) for device in self._devices()}
        pending = "SELECT subject, state FROM journal WHERE state IN ('open', 'unknown', 'later')"
        for subject, state in self.stage.forge.state.rows(pending):
            keys = {word for word in subject.split() if word.startswith("device/")}
            if state != "later" or keys <= shown:
                yield f"{subject} is left {state}"

    def _wrong(self) -> Iterator[str]:
        there, instance = ours(self.place), self.place.app.instance
        for device in self._devices():
            key = model.key_of(device.mac)
            if len(there.get(key, [])) != 1:
                yield f"{key} is there {len(there.get(key, []))} times"
                continue
            values, edited = there[key][0].values, self.edited.get(key, {})
            for element, value in model.fields_of(device, self.place.estate, instance).items():
                if element not in edited and values.get(element) != value:
                    yield f"{key}: {element} is {values.get(element)!r}, not {value!r}"
            if "name" not in edited and values.get("name") not in model.name_forms(device, self.place.estate):
                yield f"{key} is called {values.get('name')!r}, not {device.name!r}"
        drawn = set(edges(self.place).values())
        wanted = {(p, kind, c) for p, kind, c in model.edges_of(self._devices(), self.place.estate)}
        shown = {model.key_of(device.mac) for device in self._devices()}
        yield from (f"the edge {edge} is missing" for edge in sorted(wanted - drawn))
        yield from (f"the edge {edge} is not true" for edge in sorted(drawn - wanted) if edge[0] in shown)

    # Small things.

    def _count(self, name: str) -> None:
        self.tally.rules[name] += 1

    def _devices(self) -> list[EstateDevice]:
        return [d for console in self.place.estate.consoles() for d in self.place.estate.devices(console.host_id)]

    def _leaves(self) -> list[EstateDevice]:
        return [d for d in self._devices() if not any(other.uplink == d.mac for other in self._devices())]

    def _device(self, which: int) -> EstateDevice:
        mine = [device for device in self._devices() if not device.is_console]
        return mine[which % len(mine)]

    def _switch(self, which: int) -> str:
        found = [device.mac for device in self._devices() if device.model.kind is Kind.SWITCH or device.is_console]
        return found[which % len(found)]

    def _under(self, fault: Fault) -> None:
        faults = self.place.sandbox.servicenow.faults
        faults.add(fault)
        try:
            self._run(*LOAD, SNOWLOAD_RETRY__MAX_ATTEMPTS="1")
        finally:
            faults.clear()

    def _options(self, *faults: ItemFault) -> None:
        backend = self.place.app.backend
        backend.set_options(ire=replace(backend.options.ire, item_faults=faults))


RULES = frozenset(name for name, value in vars(Machine).items() if hasattr(value, RULE_MARKER))


def steps(examples: int, length: int, number: int | None = None) -> None:
    """So many lives of ``length`` steps; the same ones each time, or those of a seed."""
    chosen = settings(
        max_examples=examples,
        stateful_step_count=length,
        deadline=None,
        database=None,
        derandomize=number is None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    machine = Machine if number is None else seed(number)(type("Machine", (Machine,), {}))
    run_state_machine_as_test(machine, settings=chosen)


def _soak(given: argparse.Namespace) -> int:
    until, number, failed = time.monotonic() + given.minutes * 60, given.seed, 0
    while sum(Machine.tally.rules.values()) < given.steps and time.monotonic() < until:
        try:
            steps(LIVES, 50, number)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is told, and the soak goes on
            failed += 1
            told = (f"seed {number}: {type(error).__name__}: {str(error)[:3000]}", *getattr(error, "__notes__", ()))
            print(*told, sep="\n", flush=True)  # noqa: T201
        number += 1
    ran, never = Machine.tally.rules, RULES - Machine.tally.rules.keys()
    print(f"{sum(ran.values())} steps, {failed} violations: {dict(ran)}; ended {dict(Machine.tally.ended)}")  # noqa: T201
    print(f"never ran: {sorted(never)}" if never else "every rule ran")  # noqa: T201
    return 1 if failed or never else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=50_000)
    parser.add_argument("--minutes", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with pair(Here()) as two:
        Machine.two = two
        return _soak(given)


if __name__ == "__main__":
    sys.exit(main())


def _why(ended: Ended) -> str:
    document = json.loads(ended.out) if ended.out else {}
    return f"{ended.err[-800:]} held: {document.get('held')} failed: {document.get('failed')}"
