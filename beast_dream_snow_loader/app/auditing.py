"""The audit trail of a run: who works, with which key, and at its end the seal and the head for elsewhere (R5.2)."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

from beast_dream_snow_loader.app.ground import Ground
from beast_dream_snow_loader.app.places import state_directory
from beast_dream_snow_loader.core.audit import Author, Head
from beast_dream_snow_loader.errors import ConfigurationError, SnowloadError
from beast_dream_snow_loader.operations.logger import StructuredLogger
from beast_dream_snow_loader.redaction import Secret
from beast_dream_snow_loader.servicenow.config import ServiceNowSettings
from beast_dream_snow_loader.state.audit_key import Keys, SecretKeys
from beast_dream_snow_loader.state.audit_log import Signing
from beast_dream_snow_loader.state.faults import unwritten
from beast_dream_snow_loader.state.store import Store

SETTING = "audit.key"
SHORTEST = 16
"""Characters of a key that somebody else keeps."""


def signing(here: Ground) -> Signing:
    """Who this process is, and where its key is."""
    account = _account(here.settings.servicenow)
    author = Author(user=_user(), host=platform.node(), account=account)
    return Signing(author=author, keys=_keys(here), directory=state_directory(here.settings))


def sealed(store: Store, run_id: str, here: Ground) -> dict[str, Any]:
    """The part ``audit`` of a document. What was written is signed, and the head of it told to the log and the file
    that the operator named. A trail that cannot be sealed now is by the next run; it is no reason to lose a report."""
    told: dict[str, Any] = {"entries": store.audit.written, "head": None, "problem": ""}
    try:
        head = store.audit.seal(run_id, here.target)
        if head is not None:
            told["head"] = head.document()
            if store.audit.sealed:
                _exported(head, here.settings.audit.head_file)
    except SnowloadError as error:
        told["problem"] = str(error)
    return told


def _exported(head: Head, file: Path | None) -> None:
    document = head.document()
    values = {name: document[name] for name in ("run_id", "chain", "number", "digest")}
    StructuredLogger("audit").log_event("audit.sealed", **values)
    if file is not None:
        _append(file.expanduser(), json.dumps(document) + "\n")


def _append(file: Path, line: str) -> None:
    """A file that grows can be kept where nothing is ever overwritten."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line.encode("ascii"))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise unwritten(file, error) from None


def _keys(here: Ground) -> Keys | None:
    return SecretKeys(lambda: _secret(here), SETTING) if here.settings.audit.key is not None else None


def _secret(here: Ground) -> Secret:
    """Read when it is needed. ConfigurationError when the reference does not resolve."""
    key = here.credentials.resolved(here.settings.audit, "audit").key
    if key is None or len(key.reveal()) < SHORTEST:
        raise ConfigurationError(
            f"The secret of {SETTING} is shorter than {SHORTEST} characters.",
            next_step="Make a longer one: openssl rand -hex 32",
        )
    return key


def _account(mine: ServiceNowSettings) -> str:
    """The login that is tried first, by its name."""
    if mine.oauth_token:
        return "oauth token"
    if mine.client_id:
        return f"oauth client {mine.client_id}" + (f", user {mine.username}" if mine.username else "")
    return "api key" if mine.api_key else (mine.username or "")


def _user() -> str:
    """By the system's own word: the environment's could be anybody's."""
    if os.name != "posix":
        return os.getlogin()
    import pwd

    number = os.geteuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:  # a container's user often has no name
        return str(number)
