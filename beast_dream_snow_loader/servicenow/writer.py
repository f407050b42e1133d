"""Writes one batch and says what became of each item and link in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from beast_dream_snow_loader.core.events import FindingRaised, Listener
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.ports import Batch
from beast_dream_snow_loader.core.receipts import Operation, Outcome, Receipt
from beast_dream_snow_loader.errors import CmdbAsleep, TransportError
from beast_dream_snow_loader.servicenow.answers import AnswerKind, Refusal
from beast_dream_snow_loader.servicenow.apis.ire import BODY_MAX, IreApi
from beast_dream_snow_loader.servicenow.apis.ire_payload import PayloadStyle, build, class_of
from beast_dream_snow_loader.servicenow.apis.ire_results import read_answer
from beast_dream_snow_loader.servicenow.batches import as_new, halves, moved, part, subjects, touching
from beast_dream_snow_loader.servicenow.calling import Caller
from beast_dream_snow_loader.servicenow.receipts import Told, by_answer, by_error, recreated, tell_all

_NO_RULE = "IDENTIFICATION_RULE_MISSING"
_NO_LOOKUP_RULE = frozenset({"IDENTIFICATION_RULE_FOR_LOOKUP_MISSING", "IDENTIFICATION_RULE_FOR_RELATED_ITEM_MISSING"})

_LOOKUPS_OFF = (
    "The instance has no identification rule for serial numbers or adapters: CIs are identified without them. "
    "Add the lookup entries to its Hardware Rule."
)


class Writer:
    """Thread-safe: lanes may be written side by side. Remembers which classes and lookups the instance has no rule
    for, so that this costs a second request once and not with every batch."""

    def __init__(self, caller: Caller, listener: Listener) -> None:
        self._caller, self._listener = caller, listener
        self._ire = IreApi(caller)
        self._ruleless: frozenset[str] = frozenset()
        self._lookups = True

    def apply(self, batch: Batch) -> list[Receipt]:
        """One receipt per item and link. Raises NotAuthenticated only."""
        batch = moved(batch, self._ruleless)
        told = self._sent(batch)
        self._without_lookups(batch, told)
        batch = self._in_next_class(batch, told)
        self._one_by_one(batch, told)
        self._completed(batch, told)
        return [told.receipts[subject] for subject in subjects(batch)]

    def _without_lookups(self, batch: Batch, told: Told) -> None:
        """Lookups are optional: where the instance has no rule for them, items go without (cmdb-model 2.9)."""
        failed = [s for s, receipt in told.receipts.items() if receipt.code in _NO_LOOKUP_RULE]
        if failed and self._lookups:
            self._lookups = False
            self._find("ire.no_lookup_rule", _LOOKUPS_OFF)
        if failed:
            told.update(self._again(batch, failed, told))

    def _in_next_class(self, batch: Batch, told: Told) -> Batch:
        """Once: a class without a rule is the resolver's mistake or a custom instance's (cmdb-model 2.9)."""
        failed = {s for s, receipt in told.receipts.items() if receipt.code == _NO_RULE}
        classes = frozenset(class_of(change) for change in batch.items if change.subject in failed)
        if not classes:
            return batch
        self._ruleless |= classes
        named = ", ".join(sorted(classes))
        self._find("ire.no_rule", f"The instance has no identification rule for {named}: the next class is used.")
        following = moved(batch, classes)
        before = {change.subject: class_of(change) for change in batch.items}
        movable = [c.subject for c in following.items if c.subject in failed and class_of(c) != before[c.subject]]
        if movable:
            told.update(self._again(following, movable, told))
        return following

    def _one_by_one(self, batch: Batch, told: Told) -> None:
        """Locks, and the collision of two inserts of one CI, go away when items are sent alone (servicenow-api 5.6)."""
        for subject in sorted(told.contended - self._hopeless(batch, told)):
            if subject in told.contended:
                alone = self._again(batch, [subject], told)
                told.update(alone)
                told.contended -= alone.receipts.keys()

    def _completed(self, batch: Batch, told: Told) -> None:
        """A known CI that somebody deleted is inserted anew, with no more than the fields that had changed: it is sent
        again whole."""
        gone = {
            change.subject: change
            for change in batch.items
            if change.known is not None and told.receipts[change.subject].operation is Operation.INSERTED
        }
        if not gone:
            return
        whole = replace(batch, items=tuple(as_new(c) if c.subject in gone else c for c in batch.items))
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
        return self._sent(part(batch, keys, links))

    def _sent(self, batch: Batch) -> Told:
        """One request, or several when the body would be too large for the instance."""
        style = PayloadStyle(
            source=self._caller.settings.data_source, at=self._caller.clock.now(), lookups=self._lookups
        )
        payload = build(batch, style)
        if len(payload.body) > BODY_MAX:
            return self._split(batch) or tell_all(
                batch, Outcome.REFUSED, "ire.too_large", "One record alone is over 10 MB."
            )
        try:
            answer = self._ire.enhanced(payload.body)
        except (TransportError, CmdbAsleep) as error:
            return by_error(batch, error)
        if answer.refusal is Refusal.TOO_LARGE and (parts := self._split(batch)) is not None:
            return parts
        if answer.kind is not AnswerKind.SUCCESS:
            return by_error(batch, self._caller.error(answer, f"a batch of {len(payload.items)} CIs"))
        read = read_answer(answer.result, len(payload.items), len(payload.links))
        if read is None:
            return tell_all(
                batch, Outcome.UNKNOWN, "ire.unreadable", "The answer is not one of the identification engine."
            )
        return by_answer(batch, payload, read)

    def _split(self, batch: Batch) -> Told | None:
        parts = halves(batch)
        if parts is None:
            return None
        told = Told()
        for smaller in parts:
            told.update(self._sent(smaller))
        return told

    def _find(self, rule: str, message: str) -> None:
        finding = Finding(record="instance", rule=rule, severity=Severity.WARNING, message=message)
        self._listener(FindingRaised(finding=finding))
