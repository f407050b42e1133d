"""What the CMDB should be after each run, by the model of the CMDB alone: nothing of the program's core is used here.

From the tables before a run and what UniFi shows, :class:`Truth` says what the tables may be afterwards: every field of
every CI, ours and foreign, every relation, key, serial number and adapter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.estate.things import EstateClient, EstateDevice
from beast_dream_snow_loader.sandbox.servicenow.records import Instance
from tests.scenarios import model

Row = Mapping[str, str]
Rows = Mapping[str, Row]
OURS = ("name", "mac_address", "model_number", "model_id", "manufacturer", "ports")
ALWAYS = ("firmware_version", "ip_address")
_STAMPS = frozenset({"last_discovered", "discovery_source"})
_SYSTEM = frozenset({"sys_updated_on", "sys_updated_by", "sys_mod_count"})
_ADAPTER = "cmdb_ci_network_adapter"
_IN_SERVICE, _RETIRED = ("1", "1"), ("7", "6")
_GRACE = 14


@dataclass(slots=True, kw_only=True)
class Ours:
    """A CI that we keep. ``written``: the last value we wrote of each field; ``base``: UniFi's name it was named by."""

    sys_id: str
    created: bool
    base: str
    written: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One run seen from outside: the tables before and after. ``unread`` are the consoles that were not read; ``day``
    counts from the beginning of the year. ``outage``: ServiceNow was away first, and what was queued then was sent."""

    before: Rows
    after: Rows
    started: datetime
    ended: datetime
    unread: frozenset[str]
    day: float = 0.0
    outage: bool = False


class Truth:
    """``problems`` of a run are sentences; none means that the CMDB is exactly what it should be."""

    def __init__(self, estate: Estate, instance: Instance) -> None:
        self.estate, self.instance = estate, instance
        self.ours: dict[str, Ours] = {}
        self.edges: set[tuple[str, str, str]] = set()
        self._wanted: set[tuple[str, str, str]] = set()
        self._theirs: set[tuple[str, str, str]] = set()
        self._problems: list[str] = []
        self.retired: set[str] = set()
        self.counts: Counter[str] = Counter()
        self._seen_at: dict[str, str] = {}
        self._missing_since: dict[str, float] = {}

    def stale(self) -> set[tuple[str, str, str]]:
        """Relations that we drew, are still there, and are no longer true: the lower end hangs somewhere else now.
        Of what is missing the last known relations stay."""
        moved = {(lower, kind) for lower, kind, _ in self._wanted}
        ours = self._drawn_now() & self.edges - self._theirs
        return {edge for edge in ours - self._wanted if edge[:2] in moved}

    def merged(self, key: str) -> None:
        """A person has merged the CI: the relations it has now are that person's, not ours to remove."""
        self._theirs |= {edge for edge in self._drawn_now() if key in edge}

    def unfinished(self) -> set[tuple[str, str, str]]:
        """Relations that are true and not there, and those that are there and no longer true; of gear that is offline
        the last known ones stay."""
        offline = {model.key_of(device.mac) for device in self.devices() if not device.online}
        every = self.stale() | (self._wanted - self._drawn_now())
        return {edge for edge in every if edge[0] not in offline}

    def _drawn_now(self) -> set[tuple[str, str, str]]:
        rows = {f"cmdb_rel_ci {row['sys_id']}": row for row in self.instance.rows("cmdb_rel_ci")}
        return self._told(self._drawn(rows), {ours.sys_id: key for key, ours in self.ours.items()})

    def devices(self, unread: frozenset[str] = frozenset()) -> list[EstateDevice]:
        consoles = [console for console in self.estate.consoles() if console.host_id not in unread]
        return [d for console in consoles for d in self.estate.devices(console.host_id) if d.adopted and d.listed]

    def clients(self, unread: frozenset[str] = frozenset()) -> list[EstateClient]:
        sites = [site for site in self.estate.sites() if site.host_id not in unread]
        return [client for site in sites for client in self.estate.clients(site.legacy_id)]

    def judge(self, moment: Moment) -> list[str]:
        """Compares, and takes over what was right: call it once per run."""
        self._problems = []
        untouched = {place for place in moment.before if place.startswith("cmdb ")}
        devices, clients = self.devices(moment.unread), self.clients(moment.unread)
        # The cloud still tells of the devices of a console that does not answer: their names are taken.
        forms = [model.name_forms(device, self.estate) for device in self.devices()]
        bases = Counter(form.casefold() for tried in forms for form in tried[:2])
        names = self._names(moment)
        for device in devices:
            self._item(model.key_of(device.mac), self._mapped(device), moment, untouched, device, (bases, names))
        for client in clients:
            self._item(f"client/{client.mac.lower()}", self._of_client(client), moment, untouched, None, (bases, names))
        shown = self._seen(devices, clients)
        leaving = self._absences(moment, shown, untouched)
        self._edges(moment, devices, clients, shown | leaving)
        self._rest(moment, untouched)
        return self._problems

    # Who is gone (cmdb-model 6.10).

    def _seen(self, devices: list[EstateDevice], clients: list[EstateClient]) -> set[str]:
        """Whoever is shown is missed no more, whatever it was."""
        sites = {site.legacy_id: site.host_id for site in self.estate.sites()}
        places = {model.key_of(device.mac): device.host_id for device in devices}
        places |= {f"client/{client.mac.lower()}": sites[client.site] for client in clients}
        self._seen_at |= places
        for key in places:
            self._missing_since.pop(key, None)
        self.retired -= places.keys()
        return set(places)

    def _absences(self, moment: Moment, shown: set[str], untouched: set[str]) -> set[str]:
        """Gone is what a complete read of its console has missed for 14 days; each run reads at least twice. What is
        gone is retired, if it is our CI and its status is still what we wrote. The keys that are retired now."""
        leaving = set()
        for key in sorted(self.ours.keys() - shown - self.retired):
            if self._seen_at[key] in moment.unread:
                continue
            since = self._missing_since.setdefault(key, moment.day)
            before = moment.before.get(f"cmdb {self.ours[key].sys_id}")
            if moment.day - since >= _GRACE and before and self._may_retire(key, before):
                self._leaves(key, before, moment)
                untouched.discard(f"cmdb {self.ours[key].sys_id}")
                leaving.add(key)
        self.retired |= leaving
        self.counts["retired"] += len(leaving)
        return leaving

    def _may_retire(self, key: str, before: Row) -> bool:
        if _status(before) == _IN_SERVICE and self.ours[key].created:
            return True
        self.counts["not_retired"] += 1
        return False

    def _leaves(self, key: str, before: Row, moment: Moment) -> None:
        """Both fields, its last sign of life as it was, none of our relations."""
        after = moment.after.get(f"cmdb {before['sys_id']}", {})
        wanted = {**before, "install_status": _RETIRED[0], "operational_status": _RETIRED[1]}
        for name in sorted((before.keys() | after.keys()) - _SYSTEM - {"discovery_source"}):
            if after.get(name, "") != wanted.get(name, ""):
                self._differs(f"{key}, which is gone", name, after.get(name, ""), wanted.get(name, ""))
        left = {edge for edge in self._drawn_now() & self.edges - self._theirs if key in (edge[0], edge[2])}
        self._problems += [f"relation {edge} is there though {key} is retired" for edge in sorted(left)]

    # One CI.

    def _mapped(self, device: EstateDevice) -> dict[str, str]:
        return model.fields_of(device, self.estate, self.instance)

    def _of_client(self, client: EstateClient) -> dict[str, str]:
        colons = model.colons(client.mac)
        return {
            "name": f"{client.host_name} ({colons})",
            "mac_address": colons,
            "ip_address": client.ip,
            "correlation_id": f"client/{client.mac.lower()}",
            "install_status": "1",
            "operational_status": "1",
            "discovery_source": model.SOURCE,
        }

    def _item(
        self,
        key: str,
        mapped: dict[str, str],
        moment: Moment,
        untouched: set[str],
        device: EstateDevice | None,
        naming: tuple[Counter[str], Mapping[str, set[str]]],
    ) -> None:
        known, earlier = self.ours.get(key), ""
        if known is not None and f"cmdb {known.sys_id}" not in moment.before:
            # Somebody deleted it: it is made again, and what was queued for it still calls it by its earlier name.
            earlier = known.written.get("name", "") if moment.outage and known.base == _base(device) else ""
            known = None
        sys_id = self._target(key, moment)
        if sys_id is None:
            self._problem(f"{key} has {len(self._targets(key, moment))} CIs, not one")
            return
        after = moment.after[f"cmdb {sys_id}"]
        was_there = moment.before.get(f"cmdb {sys_id}")
        untouched.discard(f"cmdb {sys_id}")
        if device is not None:
            kept = was_there is None and after.get("name", "") == earlier != ""
            name = earlier if kept else self._name(key, device, known, was_there, after, naming)
            mapped = {**mapped, "name": name}
        if was_there is None:
            self._created(key, mapped, after, moment, device)
            known = Ours(sys_id=sys_id, created=True, base=_base(device), written=_written(mapped))
        else:
            known = self._kept(key, mapped, known, was_there, after, moment, device)
        self.ours[key] = known

    def _target(self, key: str, moment: Moment) -> str | None:
        found = self._targets(key, moment)
        return found[0] if len(found) == 1 and f"cmdb {found[0]}" in moment.after else None

    def _targets(self, key: str, moment: Moment) -> list[str]:
        rows = self.instance.find("sys_object_source", id=key)
        return [row["target_sys_id"] for row in rows if row["name"] == model.SOURCE]

    def _created(
        self, key: str, mapped: Mapping[str, str], after: Row, moment: Moment, device: EstateDevice | None
    ) -> None:
        match = self._matching(key, moment)
        if match:
            self._problem(f"{key} was created though the CI {match} is the device")
        wanted = {**model.defaults_of(after["sys_class_name"], self.instance), **mapped}
        for name in sorted((after.keys() | wanted.keys()) - {"first_discovered", "last_discovered"}):
            if not name.startswith("sys_") and after.get(name, "") != wanted.get(name, ""):
                self._differs(key, name, after.get(name, ""), wanted.get(name, ""))
        if device is not None and after["sys_class_name"] != model.class_of(device, self.instance):
            self._differs(key, "class", after["sys_class_name"], model.class_of(device, self.instance))
        adapters = self.instance.find(_ADAPTER, cmdb_ci=after["sys_id"])
        serials = self.instance.find("cmdb_serial_number", cmdb_ci=after["sys_id"])
        if len(adapters) != 1 or len(serials) != (device is not None):
            self._problem(f"{key} has {len(adapters)} adapters and {len(serials)} serial numbers")

    def _matching(self, key: str, moment: Moment) -> str:
        """A CI that was there before and has the device's serial number."""
        mac = key.partition("/")[2].upper()
        rows = self.instance.find("cmdb_ci_hardware", serial_number=mac) if key.startswith("device/") else []
        return next((row["sys_id"] for row in rows if f"cmdb {row['sys_id']}" in moment.before), "")

    def _kept(
        self,
        key: str,
        mapped: Mapping[str, str],
        known: Ours | None,
        before: Row,
        after: Row,
        moment: Moment,
        device: EstateDevice | None,
    ) -> Ours:
        """A CI that was there. ``known`` None, or another one: it is recognised now, and only enriched."""
        if known is None or known.sys_id != after["sys_id"]:
            known = Ours(sys_id=after["sys_id"], created=False, base=_base(device))
        wanted = dict(before)
        if key in self.retired:
            wanted |= self._back_in_service(before)
        fields = self.instance.fields(before["sys_class_name"])
        for name, value in mapped.items():
            if name in fields and self._goes_in(name, value, known, before):
                wanted[name] = value
                known.written[name] = value
        online = device is None or device.online
        for name in sorted((before.keys() | after.keys() | wanted.keys()) - _SYSTEM - _STAMPS):
            if after.get(name, "") != wanted.get(name, ""):
                self._differs(key, name, after.get(name, ""), wanted.get(name, ""))
        self._stamps(key, before, after, moment, online=online, fresh=device is not None)
        if not known.created or after.get("name", "") == known.written.get("name", ""):
            known.base = _base(device)  # a person's name in its place is made from nothing that UniFi says
        return known

    def _back_in_service(self, before: Row) -> dict[str, str]:
        """A retired device is back: only what still is as we left it is set back."""
        ours = _status(before) == _RETIRED
        self.counts["set_back" if ours else "back_and_kept"] += 1
        return {"install_status": _IN_SERVICE[0], "operational_status": _IN_SERVICE[1]} if ours else {}

    def _goes_in(self, name: str, value: str, known: Ours, before: Row) -> bool:
        held = before.get(name, "")
        if held == value or name == "discovery_source":
            return False
        if name in ALWAYS:
            return True
        if name in OURS and known.created:
            return not held or held == known.written.get(name, "")
        fillable = name in OURS or name in ("serial_number", "correlation_id")
        return fillable and not held

    def _stamps(self, key: str, before: Row, after: Row, moment: Moment, *, online: bool, fresh: bool) -> None:
        """An online device was seen now; one that is offline never, and its last sign of life does not go back."""
        seen, source = after.get("last_discovered", ""), after.get("discovery_source", "")
        now = f"{moment.started:%Y-%m-%d %H:%M:%S}" <= seen <= f"{moment.ended:%Y-%m-%d %H:%M:%S}"
        if online and fresh and not now:
            self._differs(key, "last_discovered", seen, "now")
        was = before.get("last_discovered", "")
        if not online and (seen < was or (now and seen != was)):
            self._differs(key, "last_discovered", seen, was)
        if source != model.SOURCE and (online or source != before.get("discovery_source", "")):
            self._differs(key, "discovery_source", source, model.SOURCE)

    # Names.

    def _names(self, moment: Moment) -> Mapping[str, set[str]]:
        """By name, without case: the hardware CIs that have it, before or after."""
        names: dict[str, set[str]] = {}
        for rows in (moment.before, moment.after):
            for place, row in rows.items():
                if place.startswith("cmdb ") and row["sys_class_name"] != _ADAPTER:
                    names.setdefault(row.get("name", "").casefold(), set()).add(row["sys_id"])
        return names

    def _name(
        self,
        key: str,
        device: EstateDevice,
        known: Ours | None,
        before: Row | None,
        after: Row,
        naming: tuple[Counter[str], Mapping[str, set[str]]],
    ) -> str:
        """The name we want it to have: kept while UniFi's is the same, else the first form that nothing else has."""
        bases, names = naming
        if known is not None and known.created and before is not None and known.base == _base(device):
            return known.written["name"]
        if before is not None and not (known is not None and known.created):
            return before.get("name", "") or after.get("name", "")
        forms, given = model.name_forms(device, self.estate), after.get("name", "")
        hand = before is not None and known is not None and before.get("name") != known.written.get("name")
        if hand:
            return forms[0]  # a person named it: whatever we want does not go in
        if given not in forms:
            self._problem(f"{key} is called {given!r}, none of {forms}")
            return given
        for form in forms[: forms.index(given)]:
            others = names.get(form.casefold(), set()) - {after["sys_id"]}
            shared = bases[form.casefold()] > 1 or (form == forms[0] and not model.is_named(device))
            wanted = any(other.casefold() == form.casefold() for other in self._wanted_by_others(key))
            if not others and not shared and not wanted:
                self._problem(f"{key} is called {given!r} though {form!r} is free")
        if others := {s for s in names.get(given.casefold(), set()) if s != after["sys_id"]} & self._now(given):
            self._problem(f"{key} is called {given!r} like {len(others)} other CIs")
        return given

    def _now(self, name: str) -> set[str]:
        return {row["sys_id"] for row in self.instance.find("cmdb_ci_hardware", name=name)}

    def _wanted_by_others(self, key: str) -> Iterator[str]:
        return (ours.written.get("name", "") for other, ours in self.ours.items() if other != key)

    # Relations and everything else.

    def _edges(
        self, moment: Moment, devices: list[EstateDevice], clients: list[EstateClient], judged: set[str]
    ) -> None:
        wanted = model.edges_of(devices, self.estate)
        shown = {model.key_of(device.mac) for device in devices}
        for client in clients:
            if model.key_of(client.uplink) in shown:
                wanted.add((f"client/{client.mac.lower()}", model.UPLINK, model.key_of(client.uplink)))
        drawn, before = self._drawn(moment.after), self._drawn(moment.before)
        keys = {ours.sys_id: key for key, ours in self.ours.items()}
        told, told_before = self._told(drawn, keys), self._told(before, keys)
        waiting = {edge for edge in wanted - told if self._elsewhere(edge, told_before & told)}
        self._problems += [f"relation {edge} is missing" for edge in sorted(wanted - told - waiting)]
        extra = {edge for edge in drawn - before if (keys.get(edge[0]), edge[1], keys.get(edge[2])) not in wanted}
        self._problems += [f"relation {edge} was drawn and is not true" for edge in sorted(extra)]
        self._problems += list(self._removed(before - drawn, keys, wanted, judged))
        self.edges |= wanted
        self._theirs -= told - told_before
        self._wanted = wanted
        if len(drawn) != sum(1 for place in moment.after if place.startswith("cmdb_rel_ci ")):
            self._problem("a relation is there twice")

    def _elsewhere(self, edge: tuple[str, str, str], told: set[tuple[str, str, str]]) -> bool:
        """The lower end still hangs where we saw it before: it moves when a second complete read says so."""
        return any(edge[:2] == old[:2] and old in self.edges for old in told)

    def _told(self, drawn: set[tuple[str, str, str]], keys: Mapping[str, str]) -> set[tuple[str, str, str]]:
        return {(keys.get(parent, parent), kind, keys.get(child, child)) for parent, kind, child in drawn}

    def _removed(
        self,
        gone: set[tuple[str, str, str]],
        keys: Mapping[str, str],
        wanted: set[tuple[str, str, str]],
        judged: set[str],
    ) -> Iterator[str]:
        """Only relations that we drew, and that are no longer true, may go; of what is missing they stay until it, or
        what it hangs on, is retired (``judged``: shown, or retired now)."""
        for parent, kind, child in sorted(gone):
            told = (keys.get(parent, parent), kind, keys.get(child, child))
            if told not in self.edges - self._theirs or told in wanted or not {told[0], told[2]} & judged:
                yield f"relation {told} was removed"

    def _drawn(self, rows: Rows) -> set[tuple[str, str, str]]:
        types = {row["sys_id"]: row["name"] for row in self.instance.rows("cmdb_rel_type")}
        relations = (row for place, row in rows.items() if place.startswith("cmdb_rel_ci "))
        return {(row["parent"], types.get(row["type"], row["type"]), row["child"]) for row in relations}

    def _rest(self, moment: Moment, untouched: set[str]) -> None:
        """Foreign CIs and ours that UniFi did not show now: not one field may differ, but for what the engine stamps
        on an end of a new relation."""
        mine = {f"cmdb {ours.sys_id}" for ours in self.ours.values()}
        for place in sorted(untouched):
            before, after = moment.before[place], moment.after.get(place)
            if after is None:
                self._problem(f"{place} ({before.get('name')}) was deleted")
            elif before != after and before["sys_class_name"] != _ADAPTER:
                differ = {n for n in before.keys() | after.keys() if before.get(n) != after.get(n)}
                if place not in mine or differ - _SYSTEM - {"discovery_source"}:
                    self._problem(f"{place} ({before.get('name')}) was changed: {sorted(differ)}")
        for place in sorted(moment.after.keys() - moment.before.keys()):
            row = moment.after[place]
            if place.startswith("cmdb ") and row["sys_class_name"] != _ADAPTER and place not in mine:
                self._problem(f"{place} ({row.get('name')}) came from nowhere")

    def _differs(self, key: str, element: str, now: str, wanted: str) -> None:
        self._problem(f"{key}: {element} is {now!r}, not {wanted!r}")

    def _problem(self, text: str) -> None:
        self._problems.append(text)


def _status(row: Row) -> tuple[str, str]:
    return row.get("install_status", ""), row.get("operational_status", "")


def _base(device: EstateDevice | None) -> str:
    return (device.name or device.model.name) if device is not None else ""


def _written(mapped: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in mapped.items() if name != "discovery_source"}


def moment_now() -> datetime:
    return datetime.now(UTC)
