"""Single changes of a rollback decided once more, because their CIs were changed between its plan and its writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from beast_dream_snow_loader.core.changes import ChangeType, FieldChange, ItemChange
from beast_dream_snow_loader.core.comparing import same
from beast_dream_snow_loader.core.edited import BY_WHOM, edited
from beast_dream_snow_loader.core.findings import Finding
from beast_dream_snow_loader.core.healing import MOD_COUNT
from beast_dream_snow_loader.core.inverse import LAST_DISCOVERED, OF_THE_ENGINE, changed_since
from beast_dream_snow_loader.core.known import KnownItem
from beast_dream_snow_loader.core.known_items import carried
from beast_dream_snow_loader.core.shown import shown

_SAYS_NOTHING = frozenset({MOD_COUNT, *BY_WHOM, *OF_THE_ENGINE})


@dataclass(slots=True, kw_only=True)
class Reundoing:
    findings: list[Finding] = field(default_factory=list)

    def item(self, change: ItemChange, stored: Mapping[str, str]) -> ItemChange | None:
        """What is left of the change against what the CI holds now; None where the CI stays as it is."""
        known = change.known
        if known is None:
            return change
        now = replace(known, stored=stored)
        if change.type is ChangeType.RESTORE:
            return self._restored(change, now)
        if why := _edited(known, stored):
            self.findings.append(changed_since(change.subject, f"{why}: the CI that the run made stays."))
            return None
        return replace(change, known=now)

    def carrier(self, change: ItemChange, stored: Mapping[str, str]) -> ItemChange:
        """The end of an edge, named by what nobody has changed."""
        return change if change.known is None else carried(replace(change.known, stored=stored))

    def _restored(self, change: ItemChange, now: KnownItem) -> ItemChange:
        """The fields that still hold what the plan saw; a sign of life when none is left: an edge may need it."""
        fields = tuple(self._fields(change, now.stored or {}))
        if not fields:
            return carried(now)
        left = {one.element for one in fields} | {LAST_DISCOVERED}
        send = {element: value for element, value in change.send.items() if element in left}
        values = {**now.written, **send}
        return replace(change, item=replace(change.item, values=values), send=send, fields=fields, known=now)

    def _fields(self, change: ItemChange, stored: Mapping[str, str]) -> Iterator[FieldChange]:
        for one in change.fields:
            held = stored.get(one.element, "")
            if same(one.element, held, one.old):
                yield one
            elif not same(one.element, held, one.new):
                message = f"{one.element} was changed since to {shown(held, 60) or '(empty)'}: it stays."
                self.findings.append(changed_since(change.subject, message, one.element))


def _edited(known: KnownItem, stored: Mapping[str, str]) -> str:
    for element, before in (known.stored or {}).items():
        if element not in _SAYS_NOTHING and not same(element, stored.get(element), before):
            return f"{element} was changed since to {shown(stored.get(element, ''), 60) or '(empty)'}"
    return edited(known, stored)
