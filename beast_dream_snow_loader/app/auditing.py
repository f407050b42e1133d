"""The audit trail of a run: who works, with which key, and at its end the seal and the head for elsewhere; and what the
whole of it comes to (R5.2)."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from beast_dream_snow_loader.app.ground import Ground
from beast_dream_snow_loader.app.places import state_directory
from beast_dream_snow_loader.app.private_files import append_private, refuse_unappendable
from beast_dream_snow_loader.core.audit import Author, Head
from beast_dream_snow_loader.core.events import Listener, ignore
from beast_dream_snow_loader.errors import ConfigurationError, SnowloadError
from beast_dream_snow_loader.operations.audit import AuditKey
from beast_dream_snow_loader.operations.audit_check import Check, Verdict
from beast_dream_snow_loader.operations.logger import StructuredLogger
from beast_dream_snow_loader.redaction import Secret
from beast_dream_snow_loader.servicenow.config import ServiceNowSettings
from beast_dream_snow_loader.state.audit_key import Keys, SecretKeys
from beast_dream_snow_loader.state.audit_log import Signing
from beast_dream_snow_loader.state.store import Store

_SECTION = "audit"
SETTING = f"{_SECTION}.key"
SHORTEST = 16
"""Characters of a key that somebody else keeps."""


def signing(here: Ground) -> Signing:
    """Who this process is, and where its key is."""
    account = _account(here.settings.servicenow)
    author = Author(user=_user(), host=platform.node(), account=account)
    return Signing(author=author, keys=_keys(here), directory=state_directory(here.settings))


def prepare(here: Ground, listener: Listener = ignore) -> None:
    """Before a run that may write: the key that somebody else keeps is read now and told, because later the one place
    for a writer would wait for whoever keeps it; and the file for heads is looked at.

    ConfigurationError when the reference does not resolve, or no line could be written to the file."""
    if here.settings.audit.key is not None:
        _secret(here, listener)
    if (file := here.settings.audit.head_file) is not None:
        refuse_unappendable(file.expanduser(), f"{_SECTION}.head_file")


def sealed(store: Store, run_id: str, here: Ground) -> tuple[dict[str, Any], SnowloadError | None]:
    """The part ``audit`` of a document, and what went wrong. What was written is signed, and a head that is newer than
    the last one told to the log and the file that the operator named. A trail that cannot be sealed now is by the next
    run; it is no reason to lose a report."""
    told: dict[str, Any] = {"entries": store.audit.written, "head": None, "problem": ""}
    try:
        head = store.audit.seal(run_id, here.target)
        if head is not None:
            told["head"] = head.document()
            if store.audit.is_new(head):
                _exported(head, here.settings.audit.head_file)
                store.audit.told(head)
    except SnowloadError as error:
        return {**told, "problem": str(error)}, error
    return told, None


def _exported(head: Head, file: Path | None) -> None:
    document = head.document()
    values = {name: document[name] for name in ("run_id", "chain", "number", "digest")}
    StructuredLogger("audit").log_event("audit.sealed", **values)
    if file is not None:  # one that grows can be kept where nothing is ever overwritten
        append_private(file.expanduser(), (json.dumps(document) + "\n").encode("ascii"))


def _keys(here: Ground) -> Keys | None:
    return SecretKeys(lambda: _secret(here), SETTING) if here.settings.audit.key is not None else None


def _secret(here: Ground, listener: Listener = ignore) -> Secret:
    """Read once in a run. ConfigurationError when the reference does not resolve."""
    key = here.credentials.resolved(here.settings.audit, _SECTION, listener).key
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


def verdict_of(store: Store, heads: Sequence[Head] = (), known: Sequence[int] = ()) -> tuple[Verdict, AuditKey | None]:
    """What the whole trail comes to, and the key it was checked with."""
    key = _key(store)
    with store.audit.links() as (pruned, links):
        return Check(key=key, heads=heads, known=known, pruned=pruned).run(links), key


def _key(store: Store) -> AuditKey | None:
    """None where it is a secret that cannot be read here: what is sealed is checked without it."""
    try:
        return store.audit.key()
    except ConfigurationError:
        return None
