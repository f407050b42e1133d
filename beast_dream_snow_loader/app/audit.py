"""The use cases behind ``snowload audit``: is the trail whole, what is in it, and a new one when a key is lost."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from beast_dream_snow_loader.app.auditing import prepare, verdict_of
from beast_dream_snow_loader.app.failing import failed
from beast_dream_snow_loader.app.ground import ground
from beast_dream_snow_loader.app.history import instant
from beast_dream_snow_loader.app.holding import holding_journal
from beast_dream_snow_loader.app.opening import opened
from beast_dream_snow_loader.app.options import Place
from beast_dream_snow_loader.app.private_files import refuse_unwritable, write_file
from beast_dream_snow_loader.app.result import Result, carried_out
from beast_dream_snow_loader.app.runs import begun, closed
from beast_dream_snow_loader.clock import parse_rfc3339, rfc3339
from beast_dream_snow_loader.core.audit import Head, Link
from beast_dream_snow_loader.core.exit_codes import ExitCode
from beast_dream_snow_loader.core.run import RunStatus
from beast_dream_snow_loader.errors import AuditDamaged, BadArgument, SnowloadError
from beast_dream_snow_loader.operations.audit import AuditKey
from beast_dream_snow_loader.operations.audit_check import Verdict

_COMMAND = "audit"
NO_HEAD = (
    "No head from elsewhere was compared: that entries were cut off the end, or that all was written anew by somebody "
    "with the key, cannot be seen without one (where audit.key is a reference, nor that entries were cut off at a seal "
    "or the database was set back). Give it with --head."
)
NO_KEY = (
    "The key is not here: that this trail's key sealed it, rather than one of somebody who can write to the database, "
    "was not checked; nor who wrote what is not sealed yet."
)


def verify(place: Place, heads: Sequence[Path], known: Sequence[int]) -> Result:
    """Every entry, seal and head, with no request to anybody. AuditDamaged is in the result when something is wrong."""
    try:
        given = [head for file in heads for head in _heads(file)]
        with ground(place) as here, opened(here) as store:
            verdict, key = verdict_of(store, given, known)
            at = rfc3339(here.clock.now())
            told = _told(verdict, given, key)
            result = carried_out(_COMMAND, "verify", told, environment=here.environment, at=at)
            error = _error(verdict, given)
            if error is None:
                return result
            return replace(result, status=RunStatus.FAILED.value, exit_code=ExitCode.INTEGRITY, error=error)
    except SnowloadError as error:
        return failed(_COMMAND, error, environment=place.environment or "")


def export(place: Place, file: Path, *, since: str | None, run_id: str | None) -> Result:
    """Entries as lines of JSON, whole or not at all, for the owner only."""
    try:
        refuse_unwritable(file)
        with ground(place) as here, opened(here) as store:
            after = instant(since, here.clock.now()) if since is not None else None
            with store.audit.links() as (_, links):
                lines = _Lines(links, after, run_id)
                write_file(file, lines)
            body = {"file": str(file), "exported": lines.count}
            at = rfc3339(here.clock.now())
            return carried_out(_COMMAND, "export", body, environment=here.environment, at=at)
    except SnowloadError as error:
        return failed(_COMMAND, error, environment=place.environment or "")


def begin(place: Place) -> Result:
    """A new chain after what is there, which stays: the operator knows that its key is lost, or that it is damaged."""
    try:
        with ground(place) as here, opened(here) as store:
            prepare(here)
            run = begun(_COMMAND, here)
            with holding_journal(here, store, run):
                head = store.audit.begin(run.id)
                at = rfc3339(here.clock.now())
                body = {"begun": head.number - 1, "head": head.document()}
                result = carried_out(_COMMAND, "begin", body, environment=here.environment, at=at)
                return closed(store, run, replace(result, run_id=run.id), here)
    except SnowloadError as error:
        return failed(_COMMAND, error, environment=place.environment or "")


def _told(verdict: Verdict, given: Sequence[Head], key: AuditKey | None) -> dict[str, Any]:
    caveats = [NO_HEAD] if not given else []
    caveats += [NO_KEY] if key is None and (verdict.unsealed or not given) else []
    return {
        "whole": verdict.whole and verdict.bad is None,
        "entries": verdict.entries,
        "first": verdict.last - verdict.entries + 1 if verdict.entries else 0,
        "last": verdict.last,
        "digest": verdict.digest if verdict.last else None,
        "chain": verdict.chain or None,
        "seals": verdict.seals,
        "unsealed": verdict.unsealed,
        "proven": verdict.proven,
        "removed_until": verdict.pruned_to,
        "heads": {"given": len(given), "agree": verdict.heads, "no_longer_kept": verdict.heads_gone},
        "beginnings": [asdict(one) for one in verdict.beginnings],
        "first_bad": asdict(verdict.bad) if verdict.bad is not None else None,
        "caveats": caveats,
    }


def _error(verdict: Verdict, given: Sequence[Head]) -> AuditDamaged | None:
    if verdict.bad is not None:
        return AuditDamaged(
            f"The audit trail is not what was written. The first bad entry is {verdict.bad.number}: {verdict.bad.why}.",
            next_step="Keep database and key as they are, and compare with a backup; see: snowload audit export FILE",
        )
    unknown = [one for one in verdict.beginnings if not one.known]
    if unknown:
        one = unknown[0]
        return AuditDamaged(
            f"With entry {one.number} of {one.at} another chain begins ({_REASONS.get(one.reason, one.reason)}): "
            f"{one.unsealed} entries before it were never sealed.",
            next_step=f"If you know of it, say so: snowload audit verify --known {one.number}",
        )
    if given and not verdict.heads:
        return AuditDamaged(
            "None of the heads is of an entry that is still kept: nothing could be compared.",
            next_step="Take one from a later run.",
        )
    return None


_REASONS = {
    "first": "the first one of this key",
    "emptied": "the trail was empty, though its key had been used",
    "set_back": "the database was set back",
    "asked": "snowload audit begin",
}


def _heads(file: Path) -> Iterator[Head]:
    """Of a head file, a report or a log: every object in it, or in a line of it, that is a head."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError):
        raise BadArgument(
            f"File {file} cannot be read.", next_step="Name a file of heads, a log or a report."
        ) from None
    found = [head for told in _objects(text) if (head := _head(told)) is not None]
    if not found:
        raise BadArgument(
            f"There is no head of an audit trail in {file}.", next_step="Name audit.head_file's, or a log."
        )
    return iter(found)


def _objects(text: str) -> Iterator[Mapping[str, Any]]:
    """One document, or one in each line of it that reads as such."""
    whole = _parsed(text)
    for told in [whole] if whole is not None else map(_parsed, text.splitlines()):
        if told is not None:
            yield told
            yield from _within(told)


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def _within(told: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The head in a run's report."""
    audit = told.get("audit")
    if isinstance(audit, dict) and isinstance(audit.get("head"), dict):
        yield audit["head"]


def _head(told: Mapping[str, Any]) -> Head | None:
    try:
        at: datetime = parse_rfc3339(str(told.get("at") or told["timestamp"]))
        return Head(
            chain=str(told["chain"]),
            number=int(told["number"]),
            digest=str(told["digest"]),
            at=at,
            run_id=str(told.get("run_id", "")),
            key=str(told.get("key", "")),
        )
    except (KeyError, ValueError, TypeError, OverflowError):
        return None


class _Lines:
    """Pure ASCII: nothing in a line acts upon a terminal. ``count`` is how many were taken."""

    def __init__(self, links: Iterable[Link], since: datetime | None, run_id: str | None) -> None:
        self._links, self._since, self._run_id = links, since, run_id
        self.count = 0

    def __iter__(self) -> Iterator[bytes]:
        for link in self._links:
            told = _body(link)
            if self._wanted(told):
                self.count += 1
                chain = {"number": link.number, "segment": link.segment, "kind": link.kind}
                line = {**told, **chain, "digest": link.digest, "proof": link.proof}
                yield (json.dumps(line, ensure_ascii=True) + "\n").encode("ascii")

    def _wanted(self, told: Mapping[str, Any]) -> bool:
        if self._run_id is not None and told.get("run") != self._run_id:
            return False
        return self._since is None or _moment(told) >= self._since


def _body(link: Link) -> Mapping[str, Any]:
    """What does not read any more is shown as it is, for who looks into it."""
    try:
        told = json.loads(link.body)
    except (ValueError, TypeError, RecursionError):
        told = None
    return told if isinstance(told, dict) else {"unread": str(link.body)}


def _moment(told: Mapping[str, Any]) -> datetime:
    """The latest there is for what does not say: it is not left out."""
    try:
        return parse_rfc3339(str(told["at"]))
    except (KeyError, ValueError):
        return parse_rfc3339("9999-01-01T00:00:00Z")
