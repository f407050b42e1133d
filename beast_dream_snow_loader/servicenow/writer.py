"""Writes one batch and says what became of each item and link in it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from beast_dream_snow_loader.core.events import FindingRaised, Listener
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.mapping_tables import BASE_CLASS
from beast_dream_snow_loader.core.ports import Batch
from beast_dream_snow_loader.core.receipts import Operation, Outcome, Receipt
from beast_dream_snow_loader.errors import CmdbAsleep, TransportError
from beast_dream_snow_loader.servicenow import adapters
from beast_dream_snow_loader.servicenow.answers import AnswerKind, Refusal
from beast_dream_snow_loader.servicenow.apis.ire import BODY_MAX, IreApi
from beast_dream_snow_loader.servicenow.apis.ire_payload import Payload, PayloadStyle, build, class_of
from beast_dream_snow_loader.servicenow.apis.ire_results import IreAnswer, read_answer
from beast_dream_snow_loader.servicenow.base_class import BaseClassWriter
from beast_dream_snow_loader.servicenow.batches import (
    apart,
    halves,
    in_class,
    moved,
    part,
    subjects,
    touching,
)
from beast_dream_snow_loader.servicenow.calling import Caller
from beast_dream_snow_loader.servicenow.engine import shut, unavailable
from beast_dream_snow_loader.servicenow.reading import Reader
from beast_dream_snow_loader.servicenow.receipts import Told, by_answer, by_error, recreated, tell_all
from beast_dream_snow_loader.servicenow.second_tries import (
    as_known,
    kept_back,
    named_twins,
    refused_types,
    twins,
    without_types,
)

_NO_RULE = "IDENTIFICATION_RULE_MISSING"
_NO_LOOKUP_RULE = frozenset({"IDENTIFICATION_RULE_FOR_LOOKUP_MISSING", "IDENTIFICATION_RULE_FOR_RELATED_ITEM_MISSING"})

_LOOKUPS_OFF = (
    "The instance has no identification rule for serial numbers or adapters: CIs are identified without them. "
    "Add the lookup entries to its Hardware Rule."
)


_LOCK_PAUSE_SECONDS = 1.0
"""Before what met a lock is sent again: whoever held it is then often done."""


class Writer:
    """Thread-safe: lanes may be written side by side. Remembers which classes and lookups the instance has no rule
    for, so that this costs a second request once and not with every batch."""

    def __init__(
        self,
        caller: Caller,
        reader: Reader,
        listener: Listener,
        base: BaseClassWriter | None,
        *,
        adapter_items: bool = False,
    ) -> None:
        """``adapter_items``: adapters go as items of their own, as long as the instance takes them."""
        self._caller, self._reader, self._listener, self._base = caller, reader, listener, base
        self._adapters = adapter_items
        self._engine_shut = False
        self._ire = IreApi(caller)
        self._ruleless: frozenset[str] = frozenset()
        self._typeless: frozenset[str] = frozenset()
        self._lookups = True

    def apply(self, batch: Batch, falling: Callable[[], None] = lambda: None) -> list[Receipt]:
        """One receipt per item and link, and per carried item that had gone. ``falling`` is called before the Table API
        gets what was planned for the engine. Raises NotAuthenticated, and what ``falling`` raises."""
        engine, base = apart(batch)
        told = Told()
        if engine.items or engine.links:
            sent, unsent = without_types(engine, self._typeless)
            told = self._by_engine(sent, falling) if sent.items or sent.links else told
            told.update(unsent)
        if base.items or base.links:
            told.update(self._in_base_class(base, told))
        carried = [change.subject for change in batch.carried if change.subject in told.receipts]
        return [told.receipts[subject] for subject in (*subjects(batch), *carried)]

    def _by_engine(self, batch: Batch, falling: Callable[[], None]) -> Told:
        batch = moved(batch, self._ruleless)
        told = self._sent(batch, falling)
        told.falling = falling
        self._without_lookups(batch, told)
        batch = self._in_next_class(batch, told)
        self._one_of_each(batch, told)
        self._in_its_own_class(batch, told)
        self._one_by_one(batch, told)
        self._note_types(batch, told)
        self._completed(batch, told)
        self._not_taken_over(batch, told)
        return told

    @staticmethod
    def _not_taken_over(batch: Batch, told: Told) -> None:
        """A CI of the base class that the engine will not have by its sys_id stays where it is: inserting it anew would
        make two of it."""
        for change in batch.items:
            receipt = told.receipts[change.subject]
            below = change.known is not None and change.known.class_name == BASE_CLASS
            if below and receipt.outcome is Outcome.REFUSED and change.item.class_name != BASE_CLASS:
                message = (
                    f"It stays a plain {BASE_CLASS}: the engine did not take it over "
                    f"({receipt.code}: {receipt.message}). "
                    f"Reclassify it to {change.item.class_name} in the CMDB, then run `snowload load` again."
                )
                told.receipts[change.subject] = replace(receipt, code="class.move_up_refused", message=message)

    def _in_base_class(self, batch: Batch, told: Told) -> Told:
        """By the Table API; ends of links that were just written otherwise are in ``told``."""
        if self._base is None:
            message = "No class of this instance takes it, and servicenow.base_class_fallback is off."
            return tell_all(batch, Outcome.REFUSED, "class.none", message)
        carried = {change.subject: change.item.key for change in batch.carried}
        written = {
            key: receipt.sys_id
            for subject, key in carried.items()
            if (receipt := told.receipts.get(subject)) is not None and receipt.sys_id is not None
        }
        return Told(receipts={receipt.subject: receipt for receipt in self._base.apply(batch, written)})

    def _without_lookups(self, batch: Batch, told: Told) -> None:
        """Lookups are optional: where the instance has no rule for them, items go without (cmdb-model 2.9)."""
        failed = [s for s, receipt in told.receipts.items() if receipt.code in _NO_LOOKUP_RULE]
        if failed and self._lookups:
            self._lookups = False
            self._find("ire.no_lookup_rule", _LOOKUPS_OFF)
        if failed:
            told.update(self._again(batch, failed, told))

    def _in_next_class(self, batch: Batch, told: Told) -> Batch:
        """A class without a rule is the resolver's mistake or a custom instance's (cmdb-model 2.9). Where the chain
        ends without one, the base class takes what is left."""
        while failed := {s for s, receipt in told.receipts.items() if receipt.code == _NO_RULE}:
            classes = frozenset(class_of(change) for change in batch.items if change.subject in failed)
            self._without_rule(classes)
            following = moved(batch, self._ruleless)
            before = {change.subject: class_of(change) for change in batch.items}
            movable = [c.subject for c in following.items if c.subject in failed and class_of(c) != before[c.subject]]
            batch = following
            if not movable:
                self._at_the_end_of_the_chain(batch, failed, told)
                return batch
            told.update(self._again(batch, movable, told))
        return batch

    def _at_the_end_of_the_chain(self, batch: Batch, failed: Collection[str], told: Told) -> None:
        if self._base is None:
            return
        items = tuple(in_class(c, BASE_CLASS) if c.subject in failed else c for c in batch.items)
        keys = {change.item.key for change in items if change.subject in failed}
        based = replace(batch, items=items)
        told.falling()
        told.update(self._in_base_class(part(based, keys, touching(based, keys)), told))

    def _without_rule(self, classes: frozenset[str]) -> None:
        if new := classes - self._ruleless:
            named = ", ".join(sorted(new))
            self._find("ire.no_rule", f"The instance has no identification rule for {named}: the next class is used.")
        self._ruleless |= classes

    def _one_of_each(self, batch: Batch, told: Told) -> None:
        """Records that the engine takes for one: the first goes alone, the others are identified against it by the next
        load, which holds what is really double. Sent alone now, they would all become one CI."""
        for group in twins(batch, told):
            told.update(self._again(batch, group[:1], told))
            told.update(named_twins(group, told))

    def _in_its_own_class(self, batch: Batch, told: Told) -> None:
        """Where the instance allows no class change at all, the CI is written in the class it has."""
        for change in kept_back(batch, told):
            own = replace(batch, items=tuple(as_known(c) if c is change else c for c in batch.items))
            told.update(self._again(own, [change.subject], told))

    def _note_types(self, batch: Batch, told: Told) -> None:
        """A relation type the instance does not know any more: no edge of that kind is sent again."""
        lost = refused_types(batch, told) - self._typeless
        self._typeless |= lost
        for name in sorted(lost):
            message = (
                f"The instance refuses relations of type {name}: no more are drawn in this run. Restore the type in "
                "cmdb_rel_type under exactly this name, or name another under mapping.relation_types."
            )
            self._find("relation.type_refused", message)

    def _one_by_one(self, batch: Batch, told: Told) -> None:
        """Locks, and the collision of two inserts of one CI, go away when items are sent alone (servicenow-api 5.6)."""
        waiting = sorted(told.contended - self._hopeless(batch, told))
        if waiting:
            self._caller.clock.sleep(_LOCK_PAUSE_SECONDS)
        for subject in waiting:
            if subject in told.contended:
                alone = self._again(batch, [subject], told)
                told.update(alone)
                told.contended -= alone.receipts.keys()

    def _completed(self, batch: Batch, told: Told) -> None:
        """A known CI that somebody deleted is inserted anew, with no more than the fields that had changed: it is sent
        again whole. So is one that was only carried for the sake of a link."""
        gone = {
            change.subject: change
            for change in (*batch.items, *batch.carried)
            if change.known is not None
            and change.subject in told.receipts
            and told.receipts[change.subject].operation is Operation.INSERTED
        }
        if not gone:
            return
        items = (*batch.items, *(change for change in batch.carried if change.subject in gone))
        whole = replace(batch, items=tuple(c.anew() if c.subject in gone else c for c in items))
        again = self._again(whole, gone, told)
        for subject in gone:
            again.receipts[subject] = recreated(told.receipts[subject], again.receipts[subject])
        told.update(again)

    @staticmethod
    def _hopeless(batch: Batch, told: Told) -> set[str]:
        """Links of an item that was refused for good: they were abandoned for its sake."""
        refused = {s for s, receipt in told.receipts.items() if receipt.outcome is Outcome.REFUSED} - told.contended
        keys = {change.item.key for change in batch.items if change.subject in refused}
        return {link.subject for link in touching(batch, keys)}

    def _again(self, batch: Batch, failed: Iterable[str], told: Told) -> Told:
        """The failed items and links once more, with the links of the failed items that are not drawn yet."""
        names = set(failed)
        keys = {change.item.key for change in batch.items if change.subject in names}
        near = touching(batch, keys)
        links = [
            link
            for link in batch.links
            if told.receipts[link.subject].outcome is not Outcome.DONE and (link in near or link.subject in names)
        ]
        return self._sent(part(batch, keys, links), told.falling)

    def _sent(self, batch: Batch, falling: Callable[[], None]) -> Told:
        """One request, or several when the body would be too large for the instance."""
        if self._engine_shut:
            falling()
            return self._in_base_class(batch, Told())
        try:
            payload = build(batch, self._style(batch))
        except (TransportError, CmdbAsleep) as error:
            return tell_all(batch, Outcome.LATER, error.code, str(error))  # a read failed: nothing was sent
        if len(payload.body) > BODY_MAX:
            return self._split(batch, falling) or tell_all(
                batch, Outcome.REFUSED, "ire.too_large", "One record alone is over 10 MB."
            )
        try:
            answer = self._ire.enhanced(payload.body)
        except (TransportError, CmdbAsleep) as error:
            return by_error(batch, error)
        if self._base is not None and shut(answer):
            self._engine_shut = True
            self._listener(FindingRaised(finding=unavailable(answer.words)))
            falling()
            return self._in_base_class(batch, Told())
        if answer.refusal is Refusal.TOO_LARGE and (parts := self._split(batch, falling)) is not None:
            return parts
        if answer.kind is not AnswerKind.SUCCESS:
            return by_error(batch, self._caller.error(answer, f"a batch of {len(payload.items)} CIs"))
        more = len(payload.adapters)
        read = read_answer(answer.result, len(payload.items) + more, len(payload.links) + more)
        if read is None:
            return tell_all(
                batch, Outcome.UNKNOWN, "ire.unreadable", "The answer is not one of the identification engine."
            )
        self._note_adapters(payload, read)
        return by_answer(batch, payload, read)

    def _style(self, batch: Batch) -> PayloadStyle:
        return PayloadStyle(
            source=self._caller.settings.data_source,
            at=self._caller.clock.now(),
            lookups=self._lookups,
            adapters=self._adapters,
            adapter_ids=adapters.existing(self._reader, batch.items) if self._adapters else {},
        )

    def _note_adapters(self, payload: Payload, answer: IreAnswer) -> None:
        """Where the instance takes none as items, that is told once and lookups are sent from then on."""
        for subject, issue in adapters.refused(payload, answer):
            if adapters.impossible(issue) and not self._adapters:
                return
            self._listener(FindingRaised(finding=adapters.told(subject, issue)))
            self._adapters = self._adapters and not adapters.impossible(issue)

    def _split(self, batch: Batch, falling: Callable[[], None]) -> Told | None:
        parts = halves(batch)
        if parts is None:
            return None
        told = Told()
        for smaller in parts:
            told.update(self._sent(smaller, falling))
        return told

    def _find(self, rule: str, message: str) -> None:
        finding = Finding(record="instance", rule=rule, severity=Severity.WARNING, message=message)
        self._listener(FindingRaised(finding=finding))
