"""Small inventories under faults: exit 0 exactly when the CMDB is right, and whatever went wrong is mended later.

``python -m tests.scenarios.truthfulness --examples 10000`` is what ``make truth`` runs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.sandbox.servicenow import oracle
from beast_dream_snow_loader.sandbox.servicenow.ire.options import ItemFault, SilentField
from tests.conftest import Ended
from tests.scenarios.conftest import Town
from tests.scenarios.estates import EstateBuilder
from tests.scenarios.in_process import InProcess
from tests.scenarios.model import PRODUCTS, key_of
from tests.scenarios.year.place import LEAVES, SWITCHES
from tests.scenarios.year.truth import Moment, Rows, Truth, moment_now

_LOAD = ("load", "--env", "testing", "--json")
_WRITES = "/api/now/identifyreconcile/enhanced"
_NAMES = ("", "switch", "Switch", "access point", "core", "édge-1", "lab")


class Example:
    """One inventory and its faults, both drawn from the seed. ``faults`` says in words what was done to it."""

    def __init__(self, home: Path, seed: int) -> None:
        self.random = Random(seed)
        self.faults: list[str] = []
        builder = EstateBuilder()
        builder.console("console", "UDMPRO")
        builder.site("HQ", "console")
        builder.device("gw", "HQ", model="UDMPRO", name="gw", console="console")
        for number in range(self.random.randrange(1, 9)):
            name = self.random.choice((*_NAMES, f"dev-{number}"))
            uplink = self.random.choice(list(builder.devices))
            builder.device(f"d{number}", "HQ", model=self._model(), name=name or None, uplink=uplink)
        self.town = Town(builder.build(), InProcess(home))
        self.instance = self.town.app.instance
        self._furnish()

    def _model(self) -> str:
        return self.random.choice(LEAVES + SWITCHES)

    def _furnish(self) -> None:
        with self.instance.lock, self.instance.acting_as("admin"):
            maker = self.instance.insert("core_company", {"name": "Ubiquiti", "manufacturer": "true"})["sys_id"]
            for product in PRODUCTS.values():
                values = {"name": product.sku, "model_number": product.sku, "manufacturer": maker}
                self.instance.insert("cmdb_hardware_product_model", values)
            self.instance.insert("cmn_location", {"name": "HQ"})
            if self.random.random() < 0.3:
                name = self.random.choice(_NAMES[1:])
                self.instance.insert("cmdb_ci_netgear", {"name": name, "serial_number": "FOREIGN1"})

    def break_things(self) -> None:
        """None, one or two of the faults."""
        for _ in range(self.random.choice((0, 1, 1, 2))):
            name = self.random.choice(sorted(FAULTS))
            FAULTS[name](self)
            self.faults.append(name)

    def mend(self) -> None:
        self.town.sandbox.servicenow.faults.clear()
        self._ire(item_faults=(), silent_fields=())

    def load(self) -> Ended:
        return self.town.run(*_LOAD)

    def wrong(self, before: Rows, started: Any) -> list[str]:
        """What is not as it should be after a first load, by the independent model."""
        moment = Moment(before=before, after=self.tables(), started=started, ended=moment_now(), unread=frozenset())
        return Truth(self.town.estate, self.instance).judge(moment)

    def tables(self) -> Rows:
        return oracle.everything(self.instance)

    def _ire(self, **changes: Any) -> None:
        backend = self.town.app.backend
        backend.set_options(ire=replace(backend.options.ire, **changes))

    def _add(self, name: str, one: object) -> None:
        self._ire(**{name: (*getattr(self.town.app.backend.options.ire, name), one)})

    def _key(self) -> str:
        return key_of(self.random.choice(self.town.estate.devices(self.town.estate.consoles()[0].host_id)).mac)

    def _lost(self, effect: Effect) -> None:
        self.town.sandbox.servicenow.faults.add(Fault(effect=effect, path=_WRITES, nth=self.random.choice((1, 1, 2))))

    def class_closed(self) -> None:
        fault = ItemFault(class_name="cmdb_ci_wap_network", code="INSERT_NOT_ALLOWED_FOR_SOURCE", times=None)
        self._add("item_faults", fault)

    def rule_refuses(self) -> None:
        self._add("item_faults", ItemFault(native_key=self._key(), code="REQUIRED_ATTRIBUTE_EMPTY", times=None))

    def lock_once(self) -> None:
        self._add("item_faults", ItemFault(native_key=self._key(), code="LOCK_TIMEOUT", times=1))

    def field_dropped(self) -> None:
        element = self.random.choice(("ip_address", "firmware_version", "correlation_id", "short_description"))
        self._add("silent_fields", SilentField(element=element, native_key=self._key()))

    def field_cut(self) -> None:
        self._add("silent_fields", SilentField(element="short_description", native_key=self._key(), keep=10))

    def answer_lost(self) -> None:
        self._lost(Effect.RESET_AFTER)

    def answer_cut(self) -> None:
        self._lost(Effect.CUT_JSON)

    def request_lost(self) -> None:
        self._lost(Effect.RESET_BEFORE)

    def away(self) -> None:
        self.town.sandbox.servicenow.faults.add(Fault(effect=Effect.STATUS, status=503, path=_WRITES))


FAULTS = {
    name: getattr(Example, name)
    for name in (
        "class_closed", "rule_refuses", "lock_once", "field_dropped", "field_cut", "answer_lost", "answer_cut",
        "request_lost", "away",
    )
}  # fmt: skip


def problems_of(seed: int, counts: Counter[str]) -> list[str]:
    """Sentences; none when the exit codes told the truth. ``counts`` are added to: faults, right and wrong ends."""
    with tempfile.TemporaryDirectory() as home:
        example = Example(Path(home), seed)
        with example.town:
            return _problems(example, counts)


def _problems(example: Example, counts: Counter[str]) -> list[str]:
    before, started = example.tables(), moment_now()
    example.break_things()
    first = example.load()
    wrong = example.wrong(before, started)
    counts.update([*example.faults, "right" if not wrong else "wrong"])
    lost = [name for name in example.faults if name in ("answer_lost", "answer_cut", "request_lost")]
    unheard = len(lost) > 1 and lost != ["request_lost", "request_lost"]
    if unheard and first.code == 8 and not wrong:
        counts["unheard"] += 1  # the answer and the second chance lost: it is there, and nobody could know
        return []
    if (first.code == 0) != (not wrong):
        return [f"exit {first.code} with {example.faults}, while: {wrong[:4] or 'the CMDB is right'}", first.err[-300:]]
    if first.code == 0:
        return _writes_nothing(example)
    if {"field_dropped", "field_cut"} & set(example.faults):
        return []  # reported; what an instance will not keep is not tried again until UniFi changes it
    example.mend()
    second = example.load()
    wrong = example.wrong(before, started)
    if second.code or wrong:
        return [f"after {example.faults} were mended: exit {second.code}, {wrong[:4]}", second.out[-1500:]]
    counts["mended"] += 1
    return _writes_nothing(example)


def _writes_nothing(example: Example) -> list[str]:
    writes, tables = example.town.writes(), example.tables()
    again = example.load()
    if (again.code, example.town.writes()) == (0, writes) and example.tables() == tables:
        return []
    return [f"after {example.faults} the next run ended with {again.code} and wrote {again.document.get('written')}"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the first example; they count up from there")
    parser.add_argument("--examples", type=int, default=10_000)
    asked = parser.parse_args()
    counts: Counter[str] = Counter()
    failed = 0
    for seed in range(asked.seed, asked.seed + asked.examples):
        if problems := problems_of(seed, counts):
            failed += 1
            print(f"seed {seed}:", *problems, sep="\n  ", flush=True)  # noqa: T201
    print(f"{asked.examples} examples, {failed} failed: {dict(counts)}")  # noqa: T201
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
