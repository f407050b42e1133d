"""What one read of UniFi looked for completely: nobody is called missing who was not looked for (cmdb-model 6.10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from beast_dream_snow_loader.core.known import KnownItem
from beast_dream_snow_loader.core.observed import SITE_MANAGER, Read, Snapshot, Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """The reads of a snapshot by console and subject."""

    reads: Mapping[tuple[str, Subject], Sequence[Read]]

    @classmethod
    def of(cls, snapshot: Snapshot) -> Looks:
        reads: dict[tuple[str, Subject], list[Read]] = {}
        for read in snapshot.reads:
            reads.setdefault((read.console, read.subject), []).append(read)
        return cls(reads=reads)

    def why_not(self, item: KnownItem) -> str:
        """Why the absence of ``item`` says nothing; empty when it was looked for completely where it was last seen.

        A list without a single record counts as not read: rights that were taken away look the same.
        """
        subject = Subject.DEVICES if item.key.record == "device" else Subject.CLIENTS
        lists = self.reads.get((item.lane, subject), ())
        if not lists:
            return "its console is not in this read"
        if cut := self._cut(item.lane, subject):
            return cut
        own = self._own(item, lists)
        if not own:
            return "Site Manager did not list its console" if item.cloud_only else "its site is not in this read"
        return "" if any(read.records for read in own) else f"UniFi shows no {subject} there at all"

    def _cut(self, console: str, subject: Subject) -> str:
        """Why a list that bears on this console's ``subject`` is not whole."""
        concerned = [
            *self.reads.get((console, subject), ()),
            *self.reads.get((console, Subject.SITES), ()),
            *(self.reads.get((SITE_MANAGER, Subject.DEVICES), ()) if subject is Subject.DEVICES else ()),
        ]
        return next(
            (f"it was read only in part: {r.reason or 'not told why'}" for r in concerned if not r.complete), ""
        )

    @staticmethod
    def _own(item: KnownItem, lists: Sequence[Read]) -> Sequence[Read]:
        """The lists ``item`` would be in: its site's where sites are read one by one, else the whole console's (Site
        Manager's). That Site Manager does not list a device says little where its site may not be seen any more."""
        whole_console = [read for read in lists if read.site is None]
        if item.cloud_only or len(whole_console) == len(lists):
            return whole_console
        return [read for read in lists if read.site == item.site] if item.site else lists
