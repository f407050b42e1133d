"""Where the key of the audit trail is kept: a file beside the state for its owner only, or a secret kept elsewhere."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from beast_dream_snow_loader.errors import AuditDamaged
from beast_dream_snow_loader.operations.audit import AuditKey
from beast_dream_snow_loader.redaction import Secret
from beast_dream_snow_loader.state.faults import unwritten
from beast_dream_snow_loader.state.private_files import private_directory, private_file

FILE = "audit.key"
_FORM = "snowload.audit-key/1"


class Keys(Protocol):
    """``first`` is the segment with which the newest chain of the database began."""

    @property
    def place(self) -> str: ...

    def load(self, first: int) -> AuditKey | None:
        """None when there is none yet, or any more."""

    def save(self, key: AuditKey) -> None:
        """In place of the one before, which is no more. For one process at a time: in a writer's transaction."""

    def new(self, segment: int, reason: str, before: AuditKey | None) -> AuditKey:
        """A key for a chain that begins with this segment; it is not saved."""


@dataclass(frozen=True, slots=True)
class FileKeys:
    """A file of mode 0600; it holds the present key only."""

    file: Path

    @property
    def place(self) -> str:
        return str(self.file)

    def load(self, first: int) -> AuditKey | None:  # noqa: ARG002 - the file says it
        """None when there is no file. StateError for one that is not safely ours, AuditDamaged for one that does not
        read."""
        if not self.file.exists() and not self.file.is_symlink():
            return None
        private_file(self.file)
        try:
            return _read(self.file.read_text(encoding="ascii"))
        except (OSError, ValueError, KeyError, TypeError):
            raise AuditDamaged(
                f"The key of the audit trail in {self.file} does not read.",
                next_step="Put back a copy of it; or move it aside and run `snowload audit begin`.",
            ) from None

    def save(self, key: AuditKey) -> None:
        """Written beside under one name and renamed, so that a process that is killed leaves no key behind that the
        next one does not write over. Never in place of a later key of the chain."""
        present = self.load(key.first)
        if present is not None and present.chain == key.chain and present.segment >= key.segment:
            return
        try:
            if not self.file.parent.exists():
                private_directory(self.file.parent)
            _replace(self.file, _written(key))
        except OSError as error:
            raise unwritten(self.file, error) from None

    def new(self, segment: int, reason: str, before: AuditKey | None) -> AuditKey:
        return AuditKey.new(segment, reason, before)


@dataclass(frozen=True, slots=True)
class NoKeys:
    """For a database on a server whose key nobody named: it can be read, and no change be made."""

    place: str = "none is named"

    def load(self, first: int) -> AuditKey | None:  # noqa: ARG002
        return None

    def save(self, key: AuditKey) -> None:  # noqa: ARG002
        raise AuditDamaged(
            "The audit trail of this database has no key.", next_step="Name one in audit.key, or a state directory."
        )

    def new(self, segment: int, reason: str, before: AuditKey | None) -> AuditKey:
        return AuditKey.new(segment, reason, before)


@dataclass(frozen=True, slots=True)
class SecretKeys:
    """A secret that somebody else keeps, read when it is needed: several hosts may share it, and nobody here can erase
    what went before."""

    read: Callable[[], Secret]
    place: str

    def load(self, first: int) -> AuditKey | None:
        return AuditKey.new(first, source=self.read().reveal())

    def save(self, key: AuditKey) -> None:
        pass

    def new(self, segment: int, reason: str, before: AuditKey | None) -> AuditKey:
        return AuditKey.new(segment, reason, before, source=self.read().reveal())


def _written(key: AuditKey) -> bytes:
    told = {
        "schema": _FORM,
        "chain": key.chain,
        "first": key.first,
        "segment": key.segment,
        "secret": key.secret.hex(),
        "digesting": key.digesting.hex(),
        "reason": key.reason,
        "previous": key.previous,
    }
    return json.dumps(told, indent=1).encode("ascii")


def _read(text: str) -> AuditKey:
    told = json.loads(text)
    if told["schema"] != _FORM:
        raise ValueError(_FORM)
    return AuditKey(
        chain=str(told["chain"]),
        first=int(told["first"]),
        segment=int(told["segment"]),
        secret=bytes.fromhex(told["secret"]),
        digesting=bytes.fromhex(told["digesting"]),
        reason=str(told["reason"]),
        previous=told["previous"],
    )


def _replace(file: Path, data: bytes) -> None:
    beside = file.with_name(f".{file.name}")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as writing:
        if hasattr(os, "fchmod"):
            os.fchmod(descriptor, 0o600)  # a umask may have taken even the owner's rights
        writing.write(data)
        writing.flush()
        os.fsync(writing.fileno())
    beside.replace(file)
    if os.name == "posix":
        _sync(file.parent)


def _sync(directory: Path) -> None:
    """The name of a new file is in its directory: with a power cut it would be gone, and the trail without its key."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
