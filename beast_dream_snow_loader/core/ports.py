"""What the pipeline asks of its neighbours. They fit by shape; ``app/wiring.py`` puts them together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeVar

from beast_dream_snow_loader.core.audit import Deed
from beast_dream_snow_loader.core.changes import Change, ItemChange, LinkChange, UnlinkChange
from beast_dream_snow_loader.core.desired import Reference
from beast_dream_snow_loader.core.facts import InstanceFacts, MadeRow
from beast_dream_snow_loader.core.healing import Look
from beast_dream_snow_loader.core.identity import SourceKey, SysId
from beast_dream_snow_loader.core.known import Candidate, Drawn, KnownItem, KnownRelation, KnownState
from beast_dream_snow_loader.core.matching import Match
from beast_dream_snow_loader.core.observed import Snapshot
from beast_dream_snow_loader.core.past import PastWrite
from beast_dream_snow_loader.core.presence import Attendance
from beast_dream_snow_loader.core.receipts import Receipt
from beast_dream_snow_loader.core.remembered import Part
from beast_dream_snow_loader.core.run import Run

T = TypeVar("T")
R = TypeVar("R")


class Source(Protocol):
    """UniFi."""

    def read(self) -> Snapshot:
        """Everything, with a completeness verdict per console and site.

        One console failing is in the verdicts; SourceUnavailable only when nothing at all could be read,
        NotAuthenticated or NotAuthorised when that is because every credential was refused.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a run needs to know of the instance. ``elements`` are the fields that the records of a chain have; ``roles``
    the relation types that would do for one kind of edge each. ``again``: asked before, in vain.

    ``engine``: whether the account may write through the identification engine.
    """

    class_chains: frozenset[tuple[str, ...]]
    relation_types: frozenset[str]
    references: frozenset[Reference]
    elements: Mapping[tuple[str, ...], frozenset[str]] = field(default_factory=dict, hash=False)
    roles: frozenset[tuple[str, ...]] = frozenset()
    choices: bool = True
    life_cycle: bool = False
    """The values of the CSDM life cycle too."""
    engine: bool = False
    base: bool = True
    """Facts about the base class too, should anything have to go there."""
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One request. ``carried`` are known items named again because a link needs both its ends in the payload."""

    lane: str
    items: tuple[ItemChange, ...]
    links: tuple[LinkChange, ...] = ()
    carried: tuple[ItemChange, ...] = ()


class Cmdb(Protocol):
    """ServiceNow. Any method may raise a TransportError or CmdbAsleep."""

    def ping(self) -> None:
        """One small read: returns when the instance answers this account."""

    def facts(self, wishes: Wishes) -> InstanceFacts:
        """What the instance is like. A part that cannot be read becomes a finding, not an error."""

    def make_row(self, reference: Reference, values: Mapping[str, str]) -> MadeRow:
        """The row of a reference that has none, made with ``values`` after one more look; never sent twice."""

    def simulate(self, changes: Sequence[ItemChange]) -> Sequence[Match]:
        """What the engine would do with these new items; commits nothing (``queryEnhanced``).

        Rejected, NotAuthorised when the instance does not offer it.
        """

    def candidates(self, sys_ids: Iterable[str], elements: Iterable[str]) -> Mapping[str, Candidate]:
        """A second, read-only look at existing CIs and their adapters; ``elements`` fill ``Candidate.values``."""

    def by_serial(self, serials: Iterable[str], *, anywhere: bool = False) -> Mapping[str, Sequence[str]]:
        """The sys_ids of hardware, or of CIs of any class, with these serial numbers, by serial in upper case. Serials
        that cannot be asked for safely are left out. Rejected, NotAuthorised when these cannot be read."""

    def by_name(self, names: Iterable[str]) -> Mapping[str, Sequence[SysId]]:
        """The sys_ids of hardware with these names, whoever it belongs to, by name in lower case. Rejected,
        NotAuthorised when it cannot be read."""

    def hardware(self, sys_ids: Iterable[SysId]) -> frozenset[SysId]:
        """Those of these CIs that are hardware of whatever class. Rejected, NotAuthorised when it cannot be read."""

    def count_sources(self) -> int | None:
        """How many CIs carry our native keys; None when the account may not see."""

    def find(self, keys: Sequence[SourceKey] | None = None) -> Mapping[SourceKey, tuple[SysId, ...]]:
        """The CIs behind native keys (all of ours when None), checked to exist. Several: a duplicate."""

    def owners(self, sys_ids: Iterable[SysId]) -> Mapping[SysId, tuple[SourceKey, ...]]:
        """The records of ours whose native keys lead to these CIs. Rejected, NotAuthorised when that is closed."""

    def find_base(self, keys: Iterable[SourceKey]) -> Mapping[SourceKey, tuple[Candidate, ...]]:
        """The CIs of any class that carry these keys as ``correlation_id`` and are no duplicates: what the engine never
        saw is found by nothing else. Rejected, NotAuthorised when CIs cannot be read."""

    def look(self, wanted: Mapping[SourceKey, SysId], drawn: Sequence[KnownRelation] = ()) -> Look:
        """One look at the CIs of these records, at where their native keys lead, and at these edges."""

    def apply(self, batch: Batch, falling: Callable[[], None]) -> Sequence[Receipt]:
        """Write one batch. One receipt per item and link of the batch, never fewer; and one per carried item that was
        gone and is a new CI now. ``falling`` is called before the Table API gets what was planned for the engine.

        Does not raise for what happened to the batch: an unreachable instance gives LATER receipts with the error's
        code, an unanswered request UNKNOWN ones, a refused one REFUSED. Raises only NotAuthenticated.
        """

    def by_mac(self, wanted: Iterable[str]) -> Mapping[str, tuple[SysId, ...]]:
        """The CIs that have one of these MACs (12 hex digits), themselves or on an adapter; duplicates left out.
        Rejected, NotAuthorised when that cannot be read."""

    def connect(self, device: KnownItem, links: Sequence[LinkChange]) -> Sequence[Receipt]:
        """Draw edges between CIs of others (``lower_sys_id``) and one device; no field is written. One receipt per
        link, as :meth:`apply` gives them."""

    def edges_between(self, wanted: Iterable[KnownRelation]) -> Mapping[str, tuple[SysId, ...]]:
        """Every row that joins the ends of these edges as they do, by relation key."""

    def drawn_to(self, sys_ids: Iterable[SysId]) -> Sequence[Drawn]:
        """Every relation of these CIs, whoever drew it. Rejected, NotAuthorised when relations cannot be read."""

    def find_edges(self, wanted: Iterable[KnownRelation]) -> Mapping[str, SysId]:
        """The rows of cmdb_rel_ci behind these edges, by relation key. One that is gone, or was turned into another
        edge since, is not in the answer."""

    def find_drawn(self, wanted: Iterable[KnownRelation]) -> Mapping[str, Drawn]:
        """The same, with when and by whom they were made."""

    def unlink(self, changes: Sequence[UnlinkChange]) -> Sequence[Receipt]:
        """Remove edges: one receipt per change, in order, with outcomes as for :meth:`apply`.

        An edge that is gone already is DONE. One that another source recorded too stays: DONE, with operation NONE.
        """

    def sweep(self, sys_ids: Sequence[SysId]) -> Collection[SysId]:
        """Remove the serial numbers and adapters that deleted CIs left behind, as far as that is possible. Those of
        which nothing is left."""

    def delete(self, changes: Sequence[ItemChange]) -> Deleted:
        """Delete CIs by sys_id, and what hangs on them. One that is gone already is DONE."""

    def read_back(self, sys_ids: Iterable[SysId], elements: Iterable[str]) -> Mapping[SysId, Mapping[str, str]]:
        """Stored values, by sys_id; a CI that is gone is not in the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """One receipt per change, in order, with outcomes as for :meth:`Cmdb.apply`; and the CIs whose serial numbers and
    adapters are all gone too."""

    receipts: Sequence[Receipt]
    swept: Collection[SysId]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """A change and what became of it, settled together in one transaction. ``own`` False: it may be due to what it was
    sent together with."""

    change: Change
    receipt: Receipt
    own: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """``id`` orders entries; ``attempts`` counts sends that ServiceNow got to see and that did not help. ``state`` is
    the journal's word (open, unknown, later, dead), ``settled_at`` since when."""

    id: int
    run_id: str
    change: Change
    intended_at: datetime
    attempts: int = 0
    code: str = ""
    message: str = ""
    state: str = ""
    settled_at: datetime | None = None
    content: str = ""

    @property
    def waits(self) -> bool:
        """To be sent, again or for the first time."""
        return self.state == "later"


class Journal(Protocol):
    """Intend, write, settle. Every method is durable when it returns."""

    def pending(self) -> Mapping[str, int]:
        """How many entries wait, by state."""

    def intend(self, run_id: str, changes: Sequence[Change]) -> None:
        """Before the request leaves. An earlier open entry for the same subject is superseded."""

    def settle(self, run_id: str, settlements: Sequence[Settlement]) -> None:
        """Afterwards. DONE also updates the ledger, LATER leaves the entry queued, UNKNOWN leaves it open. What came
        from the queue and is REFUSED stays there, until it is parked."""

    def enqueue(self, run_id: str, changes: Sequence[Change], code: str, message: str) -> None:
        """Queue changes that are not even tried; a queued one of the same subject is replaced and keeps its place, and
        one that was sent without an answer has the newer one behind it until it is settled.

        QueueFull, and nothing queued, when more would wait than may.
        """

    def suspects(self) -> frozenset[str]:
        """Subjects of pending changes that the next attempt in vain parks: to be sent alone, each for itself."""

    def parked(self) -> Sequence[JournalEntry]:
        """Dead letters, oldest first."""

    def unknown(self) -> Sequence[JournalEntry]:
        """Entries intended and not settled, or settled unknown: to be looked up before anything is repeated."""

    def doubted(self) -> Sequence[JournalEntry]:
        """What was sent without an answer and looked for in vain, oldest first: the instance may have carried it out
        since. That ends when the instance cannot be at it any more; that another one has taken its place and was done,
        or that it was parked or dropped, does not end it."""

    def carried_out(self, run_id: str, late: Mapping[int, Settlement]) -> None:
        """Doubted entries, by id, that are seen to have been carried out: DONE as by :meth:`settle`. What has taken
        their place since stays."""

    def end_doubt(self, entry_ids: Iterable[int]) -> None:
        """These cannot be carried out any more."""

    def queued(self, limit: int | None = None) -> Sequence[JournalEntry]:
        """Entries settled "later", oldest first; those behind one that is not settled too."""

    def done_in(self, run_ids: Iterable[str]) -> frozenset[str]:
        """Subjects of changes that these runs brought about and no other run has written or undone since."""

    def done(self, run_id: str) -> Sequence[Settlement]:
        """What a run did, in the order it was intended, which of one record is the order it was done in."""

    def since(self, run_id: str) -> Iterable[JournalEntry]:
        """Whatever was intended from the beginning of this run on, by any run, of the records that it wrote, and every
        edge, which may have named them again."""

    def history(self, key: SourceKey, limit: int) -> Sequence[PastWrite]:
        """The newest changes to this record and to the edges of which it is the lower end, newest first."""

    def supersede(self, subjects: Iterable[str]) -> int:
        """A newer plan covers these subjects: drop what is queued for them or, where nothing is, what is not settled.
        Returns how many."""


class Audit(Protocol):
    """The audit trail, for modifications that no entry of the journal stands for; those of the journal are in it
    already. AuditDamaged when it cannot be written: then nothing may be sent."""

    def intend(self, run_id: str, deeds: Sequence[Deed]) -> None:
        """Before the request leaves."""

    def settle(self, run_id: str, deeds: Sequence[Deed]) -> None:
        """With what came of them."""


class Ledger(Protocol):
    def known(self) -> KnownState:
        """Everything we wrote and still believe in."""

    def in_class(self, class_name: str) -> int:
        """How many of the CIs we wrote are of this class."""

    def note(self, items: Iterable[KnownItem]) -> None:
        """What was found out about these CIs without writing them: class, values by hand, fields fought over."""

    def follow(self, items: Iterable[KnownItem]) -> None:
        """These records are other CIs from now on; their edges are to be drawn anew."""

    def checked(self, counts: Mapping[SourceKey, int | None], at: datetime) -> None:
        """These were looked at; ``counts`` are their ``sys_mod_count`` as far as compared."""

    def read_back(self, fields: Mapping[SourceKey, Mapping[str, str | None]]) -> None:
        """What became of fields just written: kept (None), or what the CMDB holds in their place, to be tried again."""

    def forget(self, keys: Iterable[SourceKey]) -> None:
        """The CMDB no longer holds these: they will be planned as new."""

    def attend(self, attendance: Attendance) -> None:
        """Take over the counters and places of one read. A read that was counted already changes nothing."""

    def watch(self, edges: Iterable[KnownRelation]) -> None:
        """Remember what was found out about these edges without writing them: where they seem to move, whether they
        are there, and when they were looked for."""

    def settled_without_us(self, keys: Iterable[SourceKey], retired_at: datetime | None) -> None:
        """These CIs' status is somebody else's doing: found Retired, or (None) kept though they are back."""

    def forget_relations(self, relation_keys: Iterable[str]) -> None:
        """The CMDB no longer holds these edges, or they are none of ours."""


class Memory(Protocol):
    """Runs, snapshots, instance facts."""

    def start_run(self, run: Run) -> None: ...

    def finish_run(self, run: Run) -> None: ...

    def run(self, run_id: str) -> Run | None: ...

    def runs(
        self, since: datetime | None = None, until: datetime | None = None, limit: int | None = None
    ) -> Sequence[Run]:
        """Newest first; the interval is half open."""

    def remember(self, parts: Sequence[Part]) -> None:
        """Keep the last good snapshot of each of these consoles. A partial one does not replace a complete one, it is
        kept beside it until the next complete one comes."""

    def remembered(self) -> Sequence[Part]:
        """All that is kept, in no order; what no longer reads is left out."""

    def stood_in(self, consoles: Iterable[str], at: datetime) -> None:
        """What is kept of these consoles was worked from: until then, from ``at`` on, they could not be read."""

    def standing_in(self) -> Mapping[str, datetime]:
        """The consoles that were worked from memory when they were asked last, and since when."""

    def fell(self, target: str, run_id: str) -> None:
        """This run writes by the Table API what it had planned for the engine: a late insert is then a double."""

    def fallen(self, target: str) -> str | None:
        """The last run of which that is true."""

    def save_facts(self, target: str, facts: InstanceFacts) -> None: ...

    def facts(self, target: str) -> InstanceFacts | None: ...


class Spread(Protocol):
    """How lanes are worked on side by side (``operations/spreading.py``)."""

    def __call__(self, work: Callable[[T], R], parts: Sequence[T], workers: int) -> list[R]:
        """``work`` over every part, at most ``workers`` at once; results in the order of the parts."""
