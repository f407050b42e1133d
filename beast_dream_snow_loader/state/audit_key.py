"""Where the key of the audit trail is kept: a file beside the state for its owner only, or a secret kept elsewhere."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from beast_dream_snow_loader.errors import AuditDamaged, StateError
from beast_dream_snow_loader.operations.audit import AuditKey
from beast_dream_snow_loader.redaction import Secret
from beast_dream_snow_loader.state.faults import unwritten
from beast_dream_snow_loader.state.private_files import private_directory, private_file

FORMER = "audit.key"
"""As the key of every database was once called."""
_FORM = "snowload.audit-key/1"


class Keys(Protocol):
    """``first`` is the segment with which the newest chain of the database began."""

    @property
    def place(self) -> str: ...

    def load(self, first: int, chain: str) -> AuditKey | None:
        """None when there is none yet, or any more. ``chain`` is the database's, empty when it has none."""

    def save(self, key: AuditKey) -> None:
        """In place of the one before, which is no more. For one process at a time: in a writer's transaction."""

    def new(self, segment: int, reason: str, before: AuditKey | None) -> AuditKey:
        """A key for a chain that begins with this segment; it is not saved."""


@dataclass(frozen=True, slots=True)
class FileKeys:
    """A file of mode 0600 with the present key only. It is named after its database: two of them in one directory
    must not write over each other's key, which nobody could make again."""

    file: Path

    @property
    def place(self) -> str:
        return str(self.file)

    def load(self, first: int, chain: str) -> AuditKey | None:  # noqa: ARG002 - the file says where it began
        """Where its own file is not there: one beside it that has the key of ``chain``, for a database that got another
        name, or whose key still has the former one. None when there is no such file. StateError for one that is not
        safely ours, AuditDamaged for one that does not read."""
        if self._own():
            return _loaded(self.file)
        found = (key for file in self._beside() if (key := _loaded(file)).chain == chain)
        return next(found, None) if chain else None

    def _own(self) -> bool:
        return self.file.exists() or self.file.is_symlink()

    def _beside(self) -> list[Path]:
        """The former name first; none that a killed process left half written."""
        found = (file for file in self.file.parent.glob(f"*{FORMER}") if not file.name.startswith("."))
        return sorted(found, key=lambda file: (file.name != FORMER, file.name))

    def save(self, key: AuditKey) -> None:
        """Written beside under one name and renamed, so that a process that is killed leaves no key behind that the
        next one does not write over. Never in place of a later key of the chain."""
        present = _loaded(self.file) if self._own() else None
        if present is not None and present.chain == key.chain and present.segment >= key.segment:
            return
        try:
            if not self.file.parent.exists():
                private_directory(self.file.parent)
            _replace(self.file, _written(key))
            self._drop_former(key.chain)
        except OSError as error:
            raise unwritten(self.file, error) from None

    def _drop_former(self, chain: str) -> None:
        """An older key of the chain under the former name; whoever took it could make what is sealed since."""
        former = self.file.with_name(FORMER)
        with suppress(StateError):  # one that is not ours, or does not read, is nobody's business here
            if former != self.file and former.exists() and _loaded(former).chain == chain:
                former.unlink()

    def new(self, segment: int, reason: str, before: AuditKey | None) -> AuditKey:
        return AuditKey.new(segment, reason, before)


@dataclass(frozen=True, slots=True)
class NoKeys:
    """For a database on a server whose key nobody named: it can be read, and no change be made."""

    place: str = "none is named"

    def load(self, first: int, chain: str) -> AuditKey | None:  # noqa: ARG002
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

    def load(self, first: int, chain: str) -> AuditKey | None:  # noqa: ARG002
        return AuditKey.new(first, source=self.read().reveal())

    def save(self, key: AuditKey) -> None:
        pass

    def new(self, segment: int, reason: str, before: AuditKey | None) -> AuditKey:
        return AuditKey.new(segment, reason, before, source=self.read().reveal())


def named_after(database: str) -> str:
    """The name of the key file of a database: ``state.sqlite.audit.key``."""
    return f"{database}.{FORMER}"


def _loaded(file: Path) -> AuditKey:
    private_file(file)
    try:
        return _read(file.read_text(encoding="ascii"))
    except (OSError, ValueError, KeyError, TypeError):
        raise AuditDamaged(
            f"The key of the audit trail in {file} does not read.",
            next_step="Put back a copy of it; or move it aside and run `snowload audit begin`.",
        ) from None


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
