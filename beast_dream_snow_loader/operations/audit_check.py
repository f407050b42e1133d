"""Whether a chain is what was written: entry by entry, seal by seal, against the key and the heads kept elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from beast_dream_snow_loader.core.audit import Head, Kind, Link
from beast_dream_snow_loader.operations.audit import ORIGIN, AuditKey, chained, signed, tagged

_PLAIN = frozenset((Kind.INTENDED.value, Kind.SETTLED.value, Kind.PRUNED.value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bad:
    """The first entry that is not what was written, and why."""

    number: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """A chain begins with entry ``number``. ``known`` by the operator, or the very first one."""

    number: int
    at: str
    reason: str
    chain: str
    unsealed: int
    known: bool


@dataclass(slots=True, kw_only=True)
class Verdict:
    """``unsealed`` are the newest entries, which no signature covers yet; ``proven`` says that their keyed digests
    were checked. ``heads`` counts those that agree, ``heads_gone`` those of entries that are no longer kept."""

    entries: int = 0
    first: int = 0
    last: int = 0
    seals: int = 0
    unsealed: int = 0
    proven: bool = False
    chain: str = ""
    digest: str = ""
    heads: int = 0
    heads_gone: int = 0
    pruned_to: int = 0
    beginnings: list[Beginning] = field(default_factory=list)
    bad: Bad | None = None

    @property
    def whole(self) -> bool:
        return self.bad is None and all(one.known for one in self.beginnings)


class _Broken(Exception):
    def __init__(self, number: int, why: str) -> None:
        super().__init__(why)
        self.bad = Bad(number=number, why=why)


class Check:
    """Takes the entries in their order, once, and keeps none of them.

    ``pruned`` is the newest entry that says where what is left begins; ``key`` the present key, if it is at hand;
    ``known`` numbers of beginnings that the operator knows of.
    """

    def __init__(
        self,
        *,
        key: AuditKey | None = None,
        heads: Sequence[Head] = (),
        known: Iterable[int] = (),
        pruned: Link | None = None,
    ) -> None:
        self._key, self._known = key, frozenset(known)
        self._awaited: dict[int, list[Head]] = {}
        for head in heads:
            self._awaited.setdefault(head.number, []).append(head)
        self._chains: set[str] = set()
        self._public = ""
        self._segment_key: AuditKey | None = None
        self._head = ORIGIN
        self._segment = self._sealed = self._unsealed = 0
        self._pruned = pruned
        self.verdict = Verdict()

    def run(self, links: Iterable[Link]) -> Verdict:
        """The verdict over all of them; it ends at the first bad one."""
        try:
            if self._pruned is not None:
                self._stand_on(self._pruned)
            self._take(links)
            self._end()
        except _Broken as broken:
            self.verdict.bad = broken.bad
        self.verdict.last, self.verdict.digest = self._head.number, self._head.digest
        self.verdict.unsealed = self._unsealed
        self.verdict.entries = self._head.number - self.verdict.pruned_to
        return self.verdict

    def _stand_on(self, pruned: Link) -> None:
        """The entry itself comes later, and is checked like any other."""
        try:
            anchor = orjson.loads(pruned.body)["anchor"]
            number, segment = int(anchor["number"]), int(anchor["segment"])
            digest, proof, chain, public = (str(anchor[name]) for name in ("digest", "proof", "chain", "key"))
        except (ValueError, KeyError, TypeError):
            raise _Broken(pruned.number, "it does not read") from None
        self._head = Link(number=number, segment=segment, kind="", body="", digest=digest, proof=proof)
        self._sealed = number
        self.verdict.pruned_to = number
        self._chains.add(chain)
        self.verdict.chain, self._public = chain, public
        self._enter(segment + 1)
        self._compare(self._head)

    def _take(self, links: Iterable[Link]) -> None:
        """What is done for each of millions is done here, without a call more than it needs."""
        number, _, _, _, before, proof = self._head
        awaited = self._awaited
        for link in links:
            number += 1
            if link[0] != number:
                raise _Broken(number, _gap(link[0], number))
            _, segment, kind, body, digest, its_proof = link
            if chained(before, proof, number, segment, kind, body) != digest:
                raise _Broken(number, "it, or the proof of the one before, is not what was written")
            if kind in _PLAIN:
                if segment != self._segment or self._segment_key is not None or not self._public:
                    self._plain(link)
                self._unsealed += 1
            else:
                self._special(link)
            self._head, before, proof = link, digest, its_proof
            if number in awaited:
                self._compare(link)

    def _plain(self, link: Link) -> None:
        if link.segment != self._segment or not self._public:
            raise _Broken(link.number, f"it is of segment {link.segment}, where segment {self._segment} was due")
        if self._segment_key is not None and not tagged(self._segment_key, link):
            raise _Broken(link.number, "its proof was not made with the key")

    def _special(self, link: Link) -> None:
        try:
            told = orjson.loads(link.body)
            if link.kind == Kind.BEGUN:
                self._begin(link, told)
            elif link.kind == Kind.SEALED:
                self._seal(link, told)
            else:
                raise _Broken(link.number, "nothing of its kind is ever written")
        except (ValueError, KeyError, TypeError):
            raise _Broken(link.number, "it does not read") from None

    def _begin(self, link: Link, told: Mapping[str, Any]) -> None:
        if link.segment != self._head.segment + 1:
            raise _Broken(link.number, f"it is of segment {link.segment}")
        if not signed(told["key"], link.digest, link.proof):
            raise _Broken(link.number, "its signature does not verify")
        first = link.number == 1 and told["reason"] == "first"
        self.verdict.beginnings.append(
            Beginning(
                number=link.number,
                at=str(told["at"]),
                reason=str(told["reason"]),
                chain=str(told["chain"]),
                unsealed=self._unsealed,
                known=first or link.number in self._known,
            )
        )
        self._chains.add(told["chain"])
        self.verdict.chain, self._public = told["chain"], told["key"]
        self._unsealed = 0
        self._enter(link.segment)

    def _seal(self, link: Link, told: Mapping[str, Any]) -> None:
        if link.segment != self._segment or told["chain"] != self.verdict.chain or told["key"] != self._public:
            raise _Broken(link.number, "it seals another segment than the one that was due")
        if not signed(self._public, link.digest, link.proof):
            raise _Broken(link.number, f"its signature does not verify: something since entry {self._sealed} is forged")
        self._public = told["next"]
        self._sealed = link.number
        self.verdict.seals += 1
        self._unsealed = 0
        self._enter(self._segment + 1)

    def _enter(self, segment: int) -> None:
        self._segment = segment
        key = self._key
        mine = key is not None and key.chain == self.verdict.chain and key.reaches(segment)
        self._segment_key = key.at(segment) if mine and key is not None else None

    def _compare(self, link: Link) -> None:
        for head in self._awaited.pop(link.number, ()):
            if head.digest != link.digest or head.chain not in self._chains:
                raise _Broken(link.number, f"it is not the one whose head was kept at {head.at:%Y-%m-%dT%H:%M:%SZ}")
            self.verdict.heads += 1

    def _end(self) -> None:
        last = self._head.number
        for number in sorted(self._awaited):
            if number > last:
                raise _Broken(last + 1, f"the entries from here to {number}, whose head was kept, are cut off")
            self.verdict.heads_gone += len(self._awaited[number])
        key = self._key
        if key is None:
            return
        if not last:
            if key.segment > 1:
                raise _Broken(1, "the trail is empty, though its key has sealed entries")
            return
        if key.chain != self.verdict.chain:
            raise _Broken(last + 1, f"the key is of chain {key.chain}, the trail ends in {self.verdict.chain}")
        if key.segment > self._segment:
            raise _Broken(last + 1, f"{key.segment - self._segment} sealed segments are cut off: the key is ahead")
        if not key.reaches(self._segment) or key.at(self._segment).public != self._public:
            raise _Broken(last, "what is sealed was not sealed with the key")
        self.verdict.proven = True


def first_bad(key: AuditKey, head: Link, links: Iterable[Link]) -> int | None:
    """The first of these entries, the ones of an unsealed segment that follow ``head``, that ``key`` did not make."""
    for link in links:
        digest = chained(head.digest, head.proof, head.number + 1, key.segment, link.kind, link.body)
        if link.number != head.number + 1 or link.digest != digest or not tagged(key, link):
            return head.number + 1
        head = link
    return None


def _gap(found: int, due: int) -> str:
    return f"it is missing: entry {found} stands in its place" if found > due else f"it stands where {due} was due"
