"""ServiceNow as the pipeline sees it: ``core.ports.Cmdb`` over the instance's public REST APIs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.core.changes import ItemChange, LinkChange, UnlinkChange
from beast_dream_snow_loader.core.desired import Reference
from beast_dream_snow_loader.core.events import Listener, ignore
from beast_dream_snow_loader.core.facts import ClassFacts, InstanceFacts, MadeRow
from beast_dream_snow_loader.core.healing import Look
from beast_dream_snow_loader.core.identity import SourceKey, SysId
from beast_dream_snow_loader.core.known import Candidate, Drawn, KnownItem, KnownRelation
from beast_dream_snow_loader.core.mapping_tables import BASE_CLASS, HARDWARE
from beast_dream_snow_loader.core.matching import Match
from beast_dream_snow_loader.core.ports import Batch, Deleted, Wishes
from beast_dream_snow_loader.core.receipts import Receipt
from beast_dream_snow_loader.servicenow import base_class, edges, looking, lookup, macs, sources, stored
from beast_dream_snow_loader.servicenow.apis.table import TableRead
from beast_dream_snow_loader.servicenow.base_class import BaseClassWriter
from beast_dream_snow_loader.servicenow.calling import Caller
from beast_dream_snow_loader.servicenow.classes import ClassBook
from beast_dream_snow_loader.servicenow.config import ServiceNowSettings
from beast_dream_snow_loader.servicenow.connecting import Connector
from beast_dream_snow_loader.servicenow.deleting import delete_items, sweep
from beast_dream_snow_loader.servicenow.engine import EngineDoor
from beast_dream_snow_loader.servicenow.making import Maker
from beast_dream_snow_loader.servicenow.preflight import Preflight
from beast_dream_snow_loader.servicenow.query import Query
from beast_dream_snow_loader.servicenow.reading import Reader
from beast_dream_snow_loader.servicenow.references import references
from beast_dream_snow_loader.servicenow.unlinking import Unlinker
from beast_dream_snow_loader.servicenow.writer import Writer
from beast_dream_snow_loader.transport.port import Transport


class ServiceNowAPIClient:
    """One instance, one account. ``transport`` already logs in (:func:`authentication.authenticating`) and retries.

    Any method may raise a TransportError or CmdbAsleep; ``apply``, ``connect`` and ``unlink`` only NotAuthenticated.
    Thread-safe but for :meth:`facts`.
    """

    def __init__(
        self,
        settings: ServiceNowSettings,
        transport: Transport,
        clock: Clock,
        listener: Listener = ignore,
        *,
        write_adapters: bool = False,
    ) -> None:
        self._caller = Caller(settings=settings, transport=transport, clock=clock)
        self._reader = Reader(self._caller)
        self._classes = ClassBook(self._caller)
        self._engine = EngineDoor(self._caller)
        self._preflight = Preflight(self._caller, self._reader)
        base = BaseClassWriter(self._caller, self._reader) if settings.base_class_fallback else None
        self._writer = Writer(self._caller, self._reader, listener, base, adapter_items=write_adapters)
        self._maker = Maker(self._caller, self._reader)
        self._connector = Connector(self._caller, self._reader)
        self._unlinker = Unlinker(self._caller, self._reader)
        self._facts: dict[Wishes, InstanceFacts] = {}

    def ping(self) -> None:
        """One small read: returns when the instance answers this account, raises otherwise. For health checks."""
        self._reader.table.total(TableRead(table="cmdb_ci", query=Query(), fields=()))

    def facts(self, wishes: Wishes) -> InstanceFacts:
        """What the instance is like; asked once for the same wishes, each class once whatever the wishes."""
        if wishes not in self._facts:
            self._facts[wishes] = self._read_facts(wishes)
        return self._facts[wishes]

    def _read_facts(self, wishes: Wishes) -> InstanceFacts:
        if wishes.again:
            self._classes.prefetch(wishes.class_chains)
        classes = self._classes.resolve(wishes.class_chains)
        engine, about_engine = self._engine.usable() if wishes.engine else (True, ())
        types, about_types = lookup.relation_types(self._reader, wishes.relation_types)
        source = self._caller.settings.data_source
        choices, about_choices, unknown = lookup.choices(self._reader, source) if wishes.choices else ({}, (), "")
        stages = lookup.life_cycle(self._reader) if wishes.life_cycle else {}
        rows, about_rows = references(self._reader, wishes.references)
        fallback = self._caller.settings.base_class_fallback and wishes.base
        if fallback and not (engine and _all_usable(wishes, classes)):
            classes = {**classes, BASE_CLASS: self._classes.base()}
        return InstanceFacts(
            engine=engine,
            read_at=self._caller.clock.now(),
            classes=classes,
            relation_types=types,
            references=rows,
            choices={**choices, **stages},
            unregistered=unknown if engine else "",
            findings=(*self._classes.findings, *about_engine, *about_types, *about_choices, *about_rows),
        )

    def make_row(self, reference: Reference, values: Mapping[str, str]) -> MadeRow:
        """The row of a reference, made with ``values`` when there is none."""
        return self._maker.make(reference, values)

    def simulate(self, changes: Sequence[ItemChange]) -> Sequence[Match]:
        """What the engine would do with these new items; commits nothing."""
        return self._preflight.simulate(changes)

    def candidates(self, sys_ids: Iterable[str], elements: Iterable[str]) -> Mapping[str, Candidate]:
        """Existing CIs with their adapters, enough for a person to decide."""
        return stored.candidates(self._reader, sys_ids, elements)

    def by_serial(self, serials: Iterable[str], *, anywhere: bool = False) -> Mapping[str, Sequence[str]]:
        """The sys_ids of hardware, or of CIs of any class, with these serial numbers, by serial in upper case."""
        return stored.by_serial(self._reader, serials, BASE_CLASS if anywhere else "cmdb_ci_hardware")

    def by_name(self, names: Iterable[str]) -> Mapping[str, Sequence[SysId]]:
        """The sys_ids of hardware with these names, by name in lower case."""
        return stored.by_name(self._reader, names)

    def hardware(self, sys_ids: Iterable[SysId]) -> frozenset[SysId]:
        """Those of these CIs that are hardware of whatever class."""
        return stored.hardware(self._reader, sys_ids)

    def count_sources(self) -> int | None:
        """How many CIs carry our native keys; None when the account may not see."""
        return sources.count(self._caller, self._reader)

    def find(self, keys: Sequence[SourceKey] | None = None) -> Mapping[SourceKey, tuple[SysId, ...]]:
        """The CIs behind native keys (all of ours when None), checked to exist."""
        return sources.find(self._caller, self._reader, keys)

    def owners(self, sys_ids: Iterable[SysId]) -> Mapping[SysId, tuple[SourceKey, ...]]:
        """The native keys of ours that lead to these CIs."""
        return sources.owners(self._caller, self._reader, sys_ids)

    def find_base(self, keys: Iterable[SourceKey]) -> Mapping[SourceKey, tuple[Candidate, ...]]:
        """The CIs of any class that carry these keys as correlation id."""
        return base_class.find(self._reader, keys)

    def look(self, wanted: Mapping[SourceKey, SysId], drawn: Sequence[KnownRelation] = ()) -> Look:
        """The CIs of these records and the rows of these edges as they are now, and where native keys lead."""
        return looking.look(self._caller, self._reader, wanted, drawn)

    def apply(self, batch: Batch, falling: Callable[[], None] = lambda: None) -> Sequence[Receipt]:
        """Write one batch: one receipt per item and link. ``falling`` is called before the Table API gets what was
        planned for the engine."""
        return self._writer.apply(batch, falling)

    def find_edges(self, wanted: Iterable[KnownRelation]) -> Mapping[str, SysId]:
        """The rows behind edges we drew, by relation key; one that is gone is not in the answer."""
        return {key: SysId(row["sys_id"]) for key, row in edges.find(self._reader, wanted).items()}

    def find_drawn(self, wanted: Iterable[KnownRelation]) -> Mapping[str, Drawn]:
        """The same, with what the rows say of themselves."""
        return {key: edges.drawn(row) for key, row in edges.find(self._reader, wanted).items()}

    def edges_between(self, wanted: Iterable[KnownRelation]) -> Mapping[str, tuple[SysId, ...]]:
        """Every row that joins the ends of these edges as they do, by relation key."""
        return edges.between(self._reader, wanted)

    def drawn_to(self, sys_ids: Iterable[SysId]) -> Sequence[Drawn]:
        """Every relation of these CIs, whoever drew it."""
        return edges.drawn_to(self._reader, sys_ids)

    def by_mac(self, wanted: Iterable[str]) -> Mapping[str, tuple[SysId, ...]]:
        """The CIs that have one of these MACs, themselves or on an adapter, by MAC."""
        return macs.by_mac(self._reader, wanted)

    def connect(self, device: KnownItem, links: Sequence[LinkChange]) -> Sequence[Receipt]:
        """Draw edges between CIs of others and one device: one receipt per link, in order."""
        return self._connector.connect(device, links)

    def unlink(self, changes: Sequence[UnlinkChange]) -> Sequence[Receipt]:
        """Remove edges: one receipt per change, in order."""
        return self._unlinker.unlink(changes)

    def sweep(self, sys_ids: Sequence[SysId]) -> Collection[SysId]:
        """Remove the serial numbers and adapters that deleted CIs left behind, as far as that is possible. Those of
        which nothing is left."""
        return sweep(self._caller, self._reader, sys_ids)

    def delete(self, changes: Sequence[ItemChange]) -> Deleted:
        """Delete CIs, and what hangs on them."""
        return delete_items(self._caller, self._reader, changes)

    def read_back(self, sys_ids: Iterable[SysId], elements: Iterable[str]) -> Mapping[SysId, Mapping[str, str]]:
        """Stored values by sys_id; a CI that is gone is not in the answer."""
        return stored.read_back(self._reader, sys_ids, elements)


def _all_usable(wishes: Wishes, classes: Mapping[str, ClassFacts]) -> bool:
    """False when a chain has nothing. One that does not reach its end was asked for a better class only."""
    whole = (chain for chain in wishes.class_chains if HARDWARE in chain)
    return all(any(name in classes and classes[name].usable for name in chain) for chain in whole)
