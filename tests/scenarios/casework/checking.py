"""What a run did to the tables against what its file says: whatever the file does not name must be as it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from beast_dream_snow_loader.sandbox.servicenow import oracle
from tests.scenarios import model
from tests.scenarios.casework.reading import Run, Table, known
from tests.scenarios.casework.world import World

Rows = Mapping[str, Mapping[str, str]]
_OWN_WORDS = ("class", "is_now", "keeps_serial")
_STAMPS = ("last_discovered", "discovery_source")
"""What the engine stamps on every CI that it is told of."""
_UNHEARD = ("sys_updated_on", "sys_updated_by", "sys_mod_count")
_CI, _ADAPTER = "cmdb", "cmdb_ci_network_adapter"
_KINDS = {"connects to": model.UPLINK, "is managed by": model.MANAGED_BY}


def tables(world: World) -> Rows:
    return oracle.everything(world.instance)


class Check:
    """``problems`` is empty when the run did what its file says and nothing else."""

    def __init__(self, world: World, run: Run, before: Rows, after: Rows, started: datetime) -> None:
        self.world, self.run = world, run
        self.before, self.after = before, after
        self.started = started.replace(microsecond=0)
        self.ended = datetime.now(UTC) + timedelta(seconds=1)
        self.problems: list[str] = []
        self.touched = {*run.changed, *run.seen, *(end for link in run.links for end in _ends(link)[::2])}

    def all(self) -> list[str]:
        new, gone, moved = self._difference()
        self._born({place: row for place, row in new.items() if place.startswith(f"{_CI} ")})
        for place in moved:
            if place.startswith(f"{_CI} "):
                self._changed(self.before[place], self.after[place])
        self._unchanged_labels({self.after[place]["sys_id"] for place in moved if place.startswith(f"{_CI} ")})
        self._relations(new, gone, moved)
        self._companions(new, moved)
        for place in gone:
            if not place.startswith("cmdb_rel_ci "):
                self.problems.append(f"{place} was deleted: {self.before[place]}")
        return self.problems

    def _difference(self) -> tuple[Rows, Rows, list[str]]:
        new = {place: row for place, row in self.after.items() if place not in self.before}
        gone = {place: row for place, row in self.before.items() if place not in self.after}
        shared = self.before.keys() & self.after.keys()
        return new, gone, sorted(place for place in shared if self.before[place] != self.after[place])

    def _name(self, row: Mapping[str, str]) -> str:
        keys = self.world.instance.find("sys_object_source", target_sys_id=row["sys_id"])
        named = [self.world.label(key["id"]) for key in keys]
        own = self.world.label(row["sys_id"])
        return own if own != row["sys_id"] else named[0] if named else f"{row['name']} ({row['sys_id'][:6]})"

    # Configuration items.

    def _born(self, rows: Rows) -> None:
        born = {self._name(row): row for row in rows.values() if row["sys_class_name"] != _ADAPTER}
        for label in sorted(born.keys() | self.run.created.keys()):
            if label not in born:
                self.problems.append(f"{label} should have been created and was not")
            elif label not in self.run.created:
                self.problems.append(f"{label} was created and the file does not say so: {born[label]}")
            else:
                self._new_ci(label, born[label], self.run.created[label])

    def _new_ci(self, label: str, row: Mapping[str, str], said: Table) -> None:
        wanted = self._as_mapped(label, said)
        here = {name: value for name, value in row.items() if not name.startswith("sys_")}
        discovered = [here.pop(name, "") for name in ("first_discovered", "last_discovered")]
        for name in sorted(here.keys() | wanted.keys()):
            if here.get(name, "") != wanted.get(name, ""):
                self._differs(label, name, here.get(name, ""), wanted.get(name, ""))
        if row["sys_class_name"] != wanted.get("sys_class_name", row["sys_class_name"]):
            self._differs(label, "class", row["sys_class_name"], wanted["sys_class_name"])
        if self._online(label) and not all(self._now(moment) for moment in discovered):
            self.problems.append(f"{label}: discovered {discovered}, not now")

    def _as_mapped(self, label: str, said: Table) -> dict[str, str]:
        """By the field table of the model, and on top of it what the file says."""
        world, instance = self.world, self.world.instance
        device = world.estate.find_device(world.devices.get(label, ""))
        words = {name: value for name, value in said.items() if name in _OWN_WORDS}
        class_name = words.get("class") or (model.class_of(device, instance) if device else "")
        known([n for n in said if n not in _OWN_WORDS], instance.fields(class_name), f"created.{label}")
        mapped = model.fields_of(device, world.estate, instance) if device else {}
        mapped = {name: value for name, value in mapped.items() if name in instance.fields(class_name)}
        named = {"name": device.name or ""} if device else {}
        wanted = {**model.defaults_of(class_name, instance), **named, **mapped, **self._stored(class_name, said)}
        shown = {n: v for n, v in wanted.items() if v and not n.startswith("sys_")}
        return shown if not class_name else {**shown, "sys_class_name": class_name} if "class" in words else shown

    def _stored(self, class_name: str, said: Table) -> dict[str, str]:
        """References by their names."""
        values: dict[str, str] = {}
        for name, value in said.items():
            if name in _OWN_WORDS:
                continue
            definition = self.world.instance.fields(class_name)[name]
            if definition.is_reference and value:
                rows = self.world.instance.find(definition.reference, name=str(value))
                values[name] = rows[0]["sys_id"] if rows else f"no {definition.reference} called {value}"
            else:
                values[name] = str(value)
        return values

    def _changed(self, before: Mapping[str, str], after: Mapping[str, str]) -> None:
        label = self._name(after)
        said = self.run.changed.get(label, {})
        if before["sys_class_name"] == _ADAPTER:
            self._adapter(before, after)
            return
        known([n for n in said if n not in _OWN_WORDS], self.world.instance.fields(after["sys_class_name"]), label)
        wanted = {**self._recognised(said, before), **self._stored(after["sys_class_name"], said)}
        for name in sorted(before.keys() | after.keys() | wanted.keys()):
            was, now = before.get(name, ""), after.get(name, "")
            if name == "sys_class_name":
                if now != said.get("class", was):
                    self._differs(label, "class", now, said.get("class", was))
            elif name in _STAMPS and name not in wanted and label in self.touched:
                if now not in (was, model.SOURCE) and not self._now(now):
                    self._differs(label, name, now, f"{was} or now")
            elif name not in _UNHEARD and now != wanted.get(name, was):
                self._differs(label, name, now, wanted.get(name, was))

    def _adapter(self, before: Mapping[str, str], after: Mapping[str, str]) -> None:
        """Where the file lets its owner change, an adapter may follow to the address that the owner has now."""
        owner = self.world.instance.get("cmdb_ci", after.get("cmdb_ci", "")) or {"sys_id": "", "name": "nobody"}
        differ = {n for n in before.keys() | after.keys() if before.get(n) != after.get(n)} - set(_UNHEARD)
        follows = differ == {"ip_address"} and after.get("ip_address") == owner.get("ip_address")
        label = self._name(owner)
        if not follows or label not in self.run.changed:
            self.problems.append(f"an adapter of {label} was changed: {sorted(differ)}")

    def _recognised(self, said: Table, before: Mapping[str, str]) -> dict[str, str]:
        device = self.world.estate.find_device(self.world.devices.get(said.get("is_now", ""), ""))
        return model.recognised(device, before, self.world.estate, self.world.instance) if device else {}

    def _unchanged_labels(self, moved: set[str]) -> None:
        for label in self.run.changed:
            if self.world.ci(label) not in moved:
                self.problems.append(f"{label} should have been changed and was not")
        for label in self.run.seen:
            row = self.world.instance.get("cmdb_ci", self.world.ci(label)) or {}
            if not self._now(row.get("last_discovered", "")):
                self.problems.append(f"{label} should have been seen now, not {row.get('last_discovered')}")

    # Relations, keys, serial numbers, adapters.

    def _relations(self, new: Rows, gone: Rows, moved: list[str]) -> None:
        for word, rows, said in (("drawn", new, self.run.links), ("removed", gone, self.run.unlinks)):
            found = {self._edge(row, gone) for place, row in rows.items() if place.startswith("cmdb_rel_ci ")}
            self.problems += [f"relation {one!r} was {word} and the file does not say so" for one in found - said]
            self.problems += [f"relation {one!r} should have been {word}" for one in said - found]
        self.problems += [f"{place} was changed" for place in moved if place.startswith("cmdb_rel_ci ")]

    def _edge(self, row: Mapping[str, str], gone: Rows) -> str:
        types = {kind["sys_id"]: kind["name"] for kind in self.world.instance.rows("cmdb_rel_type")}
        ends = []
        for sys_id in (row["parent"], row["child"]):
            ci = (
                self.after.get(f"{_CI} {sys_id}")
                or self.before.get(f"{_CI} {sys_id}")
                or {"sys_id": sys_id, "name": ""}
            )
            ends.append(self._name(ci))
        kind = types.get(row["type"], row["type"])
        word = next((word for word, name in _KINDS.items() if name == kind), f"| {kind} |")
        return f"{ends[0]} {word} {ends[1]}"

    def _companions(self, new: Rows, moved: list[str]) -> None:
        """A key, a serial number and an adapter for each new CI; a key for each that was recognised."""
        wanted = set()
        for label in self.run.created:
            wanted |= {("key", label), ("serial", label), ("adapter", label)}
        for label, said in self.run.changed.items():
            if "is_now" in said and not self._had_key(label):
                wanted |= {("key", label)}
        expected = {*self.run.created, *(label for label, said in self.run.changed.items() if "is_now" in said)}
        found = set(self._added(new)) | {("key", label) for label in self._led_over(moved) if label in expected}
        optional = {(k, n) for n, s in self.run.changed.items() if "is_now" in s for k in ("serial", "adapter")}
        clients = {
            ("serial", label)
            for label in self.run.created
            if self.world.estate.find_device(self.world.devices.get(label, "")) is None
        }
        for kind, label in sorted(found - wanted - optional):
            self.problems.append(f"a {kind} was added to {label} and the file does not say so")
        for kind, label in sorted(wanted - found - clients):
            self.problems.append(f"{label} should have got a {kind}")
        for kind, label in sorted(found & optional):
            if kind == "serial" and self.run.changed[label].get("keeps_serial"):
                self.problems.append(f"{label} keeps its serial number and got another row of it")
        self.problems += list(self._moved_keys(moved))
        self.problems += self._strangers(new, moved)

    def _had_key(self, label: str) -> bool:
        """A person's merge has led it here before the run."""
        keys = (row for place, row in self.before.items() if place.startswith("sys_object_source "))
        return any(row["target_sys_id"] == self.world.ci(label) for row in keys)

    def _added(self, new: Rows) -> Iterator[tuple[str, str]]:
        for place, row in new.items():
            if place.startswith("sys_object_source "):
                yield "key", self._name({"sys_id": row["target_sys_id"], "name": row["id"]})
            elif place.startswith("cmdb_serial_number "):
                yield "serial", self._name({"sys_id": row.get("cmdb_ci", ""), "name": ""})
            elif place.startswith(f"{_CI} ") and row["sys_class_name"] == _ADAPTER:
                yield "adapter", self._name({"sys_id": row.get("cmdb_ci", ""), "name": ""})

    def _moved_keys(self, moved: list[str]) -> Iterator[str]:
        """The time of the last scan moves with every write; where a key leads to does not."""
        for label in self._led_over(moved):
            if "is_now" not in self.run.changed.get(label, {}) and label not in self.run.created:
                yield f"a key leads to {label} now and the file does not say so"

    def _led_over(self, moved: list[str]) -> Iterator[str]:
        """The CIs that keys lead to which led elsewhere before."""
        for place in moved:
            if place.startswith("sys_object_source "):
                target = self.after[place]["target_sys_id"]
                if target != self.before[place]["target_sys_id"]:
                    yield self._name({"sys_id": target, "name": ""})

    def _strangers(self, new: Rows, moved: list[str]) -> list[str]:
        ours = ("cmdb ", "cmdb_rel_ci ", "sys_object_source ", "cmdb_serial_number ")
        places = [place for place in (*new, *moved) if not place.startswith(ours)]
        places += [place for place in moved if place.startswith("cmdb_serial_number ")]
        return [f"{place} was written" for place in places]

    def _online(self, label: str) -> bool:
        device = self.world.estate.find_device(self.world.devices.get(label, ""))
        return device is None or device.online

    def _now(self, moment: str) -> bool:
        try:
            then = datetime.strptime(moment, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        except ValueError:
            return False
        return self.started <= then <= self.ended

    def _differs(self, label: str, element: str, now: str, wanted: str) -> None:
        self.problems.append(f"{label}: {element} is {now!r}, not {wanted!r}")


def report_problems(
    world: World, run: Run, code: int, document: Mapping[str, Any], *, again: bool = False
) -> list[str]:
    """Exit code, findings, held and failed records, as the command told them. The second time (``again``) a finding
    may be missing: it told of something that was done the first time."""
    problems = [] if code == run.exit else [f"exit {code}, not {run.exit}"]

    def told(entries: list[Mapping[str, str]], rule: str, record: str) -> list[str]:
        return sorted({f"{entry[rule]}: {world.label(entry[record])}" for entry in entries})

    pairs = (
        ("findings", told(document.get("findings", []), "rule", "record"), run.findings),
        ("held", told(document.get("held", []), "rule", "key"), run.held),
        ("failed", told(document.get("failed", []), "code", "key"), run.failed),
    )
    for name, here, wanted in pairs:
        missing_is_fine = again and name == "findings" and set(here) <= set(wanted)
        if here != sorted(set(wanted)) and not missing_is_fine:
            problems.append(f"{name} are {here}, not {sorted(set(wanted))}")
    if document.get("queued", 0) != run.queued:
        problems.append(f"{document.get('queued')} changes are queued, not {run.queued}")
    return problems


def _ends(link: str) -> tuple[str, str, str]:
    for word in _KINDS:
        parent, found, child = link.partition(f" {word} ")
        if found:
            return parent, word, child
    parent, kind, child = (part.strip() for part in link.split("|"))
    return parent, kind, child
