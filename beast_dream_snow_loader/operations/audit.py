"""The chain of the audit trail and the key that makes it (docs/explanation/audit-chain.md).

Each entry's digest covers the entry before it. Its proof is a keyed digest, with a key that only its segment has; a
sealed entry ends a segment with a signature, names the public key of the next segment, and the key moves on by a
one-way function: whoever steals it later cannot make what was before.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from beast_dream_snow_loader.core.audit import Author, Deed, Fields, Kind, Link
from beast_dream_snow_loader.redaction import masked

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ORIGIN = Link(number=0, segment=0, kind="", body="", digest="0" * 64, proof="")
"""What stands before the first entry of all."""
KEY_BYTES = 32
SEGMENTS_AHEAD = 2_000_000
"""Seals after the one a key is kept from: a run a minute for three years; about two seconds of counting."""
_FIELD_DIGEST_BYTES = 16

Body = tuple[Kind, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditKey:
    """The key of one segment of one chain. ``first`` is the segment the chain began with; ``digesting`` makes the
    digests of values and stays the same, so that they can be compared.

    ``reason`` and ``previous`` say why the chain began and what was there before, until its first entry says so.
    """

    chain: str
    first: int
    segment: int
    secret: bytes = field(repr=False)
    digesting: bytes = field(repr=False)
    reason: str = "first"
    previous: Mapping[str, Any] | None = None

    @classmethod
    def new(
        cls, segment: int = 1, reason: str = "first", before: AuditKey | None = None, source: str | None = None
    ) -> AuditKey:
        """A chain of its own that begins with ``segment``; by chance, or out of a text that is kept elsewhere."""
        text = f"{segment} {source if source is not None else secrets.token_hex(KEY_BYTES)}".encode()
        digesting = before.digesting if before is not None else _derived(text, b"digests")
        previous = {"chain": before.chain, "segment": before.segment} if before is not None else None
        return cls(
            chain=_derived(text, b"chain").hex()[:16],
            first=segment,
            segment=segment,
            secret=_derived(text, b"first key"),
            digesting=digesting,
            reason=reason,
            previous=previous,
        )

    def reaches(self, segment: int) -> bool:
        """Whether a trail can have come so far: there is no way back, and a number that somebody made up would be
        counted up to for hours."""
        return 0 <= segment - self.segment <= SEGMENTS_AHEAD

    def at(self, segment: int) -> AuditKey:
        """The key of this or of a later segment. ValueError for one out of reach."""
        if not self.reaches(segment):
            raise ValueError(f"the key of segment {segment} is not to be had")
        secret = self.secret
        for _ in range(segment - self.segment):
            secret = _derived(secret, b"next")
        return replace(self, segment=segment, secret=secret)

    @property
    def public(self) -> str:
        """What checks the signatures of this segment, 64 hex digits."""
        return self._signing().public_key().public_bytes_raw().hex()

    def tag(self, digest: str) -> str:
        return hashlib.blake2b(digest.encode(), key=self.secret, digest_size=32).hexdigest()

    def sign(self, digest: str) -> str:
        return self._signing().sign(digest.encode()).hex()

    def digests(self, fields: Fields) -> dict[str, list[str | None]]:
        """Each value as 32 hex digits: the same for the same value of the same field, and no way back without the
        key."""
        key = self.digesting
        return {name: [_digest(key, name, old), _digest(key, name, new)] for name, (old, new) in fields.items()}

    def _signing(self) -> Ed25519PrivateKey:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(_derived(self.secret, b"signing"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What all entries that are written together have in common."""

    at: datetime
    run_id: str
    correlation_id: str
    target: str
    author: Author

    def told(self) -> dict[str, Any]:
        who = {"user": self.author.user, "host": self.author.host, "account": self.author.account}
        return {
            "at": f"{self.at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z",
            "run": self.run_id,
            "correlation": self.correlation_id,
            "target": self.target,
            "by": who,
        }


def entries(key: AuditKey, kind: Kind, deeds: Sequence[Deed], around: Circumstances) -> list[Body]:
    """What the entries of these modifications say."""
    common = around.told()
    return [(kind, common | _deed(key, deed)) for deed in deeds]


def begun(key: AuditKey, around: Circumstances) -> Body:
    """The first entry of a chain."""
    told = {"chain": key.chain, "first": key.first, "key": key.public, "reason": key.reason, "previous": key.previous}
    return Kind.BEGUN, around.told() | told


def sealed(key: AuditKey, around: Circumstances) -> Body:
    """The last entry of a segment."""
    told = {"chain": key.chain, "first": key.first, "key": key.public, "next": key.at(key.segment + 1).public}
    return Kind.SEALED, around.told() | told


def pruned(last: Link, around: Circumstances) -> Body:
    """What keeps the chain whole when everything up to ``last``, a sealed entry, is removed."""
    seal = orjson.loads(last.body)
    anchor = {"number": last.number, "segment": last.segment, "digest": last.digest, "proof": last.proof}
    return Kind.PRUNED, around.told() | {"anchor": {**anchor, "chain": seal["chain"], "key": seal["next"]}}


def extended(key: AuditKey, head: Link, added: Sequence[Body]) -> list[Link]:
    """The entries that follow ``head``. What comes after a sealed one is of the next segment."""
    links = []
    for kind, told in added:
        body = orjson.dumps(told).decode()
        number = head.number + 1
        digest = chained(head.digest, head.proof, number, key.segment, kind, body)
        proof = key.sign(digest) if kind in (Kind.SEALED, Kind.BEGUN) else key.tag(digest)
        head = Link(number=number, segment=key.segment, kind=kind.value, body=body, digest=digest, proof=proof)
        links.append(head)
        if kind is Kind.SEALED:
            key = key.at(key.segment + 1)
    return links


def chained(digest: str, proof: str, number: int, segment: int, kind: str, body: str) -> str:
    """SHA-256 over what was before and over everything the entry says of itself, 64 hex digits."""
    return hashlib.sha256(f"{digest}{proof}{number} {segment} {kind}\n{body}".encode()).hexdigest()


def signed(public: str, digest: str, signature: str) -> bool:
    """Whether the owner of that public key signed this digest."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(bytes.fromhex(signature), digest.encode())
    except (InvalidSignature, ValueError):
        return False
    return True


def tagged(key: AuditKey, link: Link) -> bool:
    """Whether the proof of an entry was made with this key."""
    return hmac.compare_digest(key.tag(link.digest), link.proof)


@lru_cache(maxsize=20_000)
def _digest(key: bytes, name: str, value: str | None) -> str | None:
    """Most values come back at once: what is intended is settled, and many CIs have the same maker and site."""
    if value is None:
        return None
    text = f"{name}\0{value}".encode("utf-8", "backslashreplace")
    return hashlib.blake2b(text, key=key, digest_size=_FIELD_DIGEST_BYTES).hexdigest()


def _deed(key: AuditKey, deed: Deed) -> dict[str, Any]:
    told: dict[str, Any] = {
        "key": deed.key,
        "change": deed.change,
        "table": deed.table,
        "sys_id": deed.sys_id,
        "fields": key.digests(deed.fields),
    }
    if deed.outcome:
        told |= {"outcome": deed.outcome, "operation": deed.operation, "code": masked(deed.code)}
    return told


def _derived(secret: bytes, purpose: bytes) -> bytes:
    """One way, and told apart by what it is for."""
    return hmac.digest(hashlib.sha256(secret).digest(), b"snowload audit " + purpose, "sha256")
