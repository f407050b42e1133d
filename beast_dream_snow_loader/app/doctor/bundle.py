"""A support archive that may be sent away: what is set, what was found, how the last runs went; no data, no secret.

Every member is searched for every configured secret in all the forms it may take, and written for its owner only.
"""

from __future__ import annotations

import hashlib
import io
import platform
import sys
import zipfile
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import orjson

from beast_dream_snow_loader.app.check import settings_in_force
from beast_dream_snow_loader.app.ground import Ground
from beast_dream_snow_loader.app.listening import log_config
from beast_dream_snow_loader.app.private_files import write_file
from beast_dream_snow_loader.app.result import Result, document
from beast_dream_snow_loader.clock import rfc3339
from beast_dream_snow_loader.core.run import Run
from beast_dream_snow_loader.core.shown import shown
from beast_dream_snow_loader.redaction import hide, holds_secret
from beast_dream_snow_loader.state.store import Store

_RUNS = 10
_LOG_LINES = 500
_LONGEST = 2000
_PACKAGE = "beast-dream-snow-loader"


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """``contents``: name, bytes and SHA-256 of each member. ``left_out`` held a secret in a form not foreseen."""

    file: Path
    contents: tuple[Mapping[str, Any], ...]
    left_out: tuple[str, ...] = ()

    def row(self) -> dict[str, Any]:
        return {"file": str(self.file), "contents": list(self.contents), "left_out": list(self.left_out)}


def pack(file: Path, here: Ground, store: Store | None, result: Result, secrets: Iterable[str]) -> Packed:
    """Write the archive. StateError when it cannot be written."""
    told = tuple(secrets)
    members = {name: hide(data, told) for name, data in _members(here, store, result).items()}
    kept = {name: data for name, data in members.items() if not holds_secret(data, told)}
    rows = tuple(
        {"name": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in kept.items()
    )
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in kept.items():
            archive.writestr(name, data)
    write_file(file, written.getvalue())
    return Packed(file=file, contents=rows, left_out=tuple(sorted(set(members) - set(kept))))


def _members(here: Ground, store: Store | None, result: Result) -> dict[str, bytes]:
    plain: dict[str, Any] = {
        "doctor.json": document(result),
        "configuration.json": settings_in_force(here),
        "versions.json": _versions(),
        "state.json": _state(store),
        "runs.json": [_run(run) for run in store.memory.runs(limit=_RUNS)] if store is not None else [],
        "instance.json": _instance(here, store),
    }
    members = {name: _json(value) for name, value in plain.items()}
    return {**members, "log-tail.jsonl": _log_tail(here)}


def _versions() -> dict[str, Any]:
    needed = [line.partition(";")[0] for line in metadata.requires(_PACKAGE) or [] if "extra ==" not in line]
    names = [_name_of(line) for line in needed]
    return {
        "python": sys.version,
        "platform": platform.platform(),
        "machine": platform.machine(),
        "packages": {name: _version(name) for name in (_PACKAGE, *sorted(names))},
    }


def _name_of(requirement: str) -> str:
    return next((requirement[:i] for i, c in enumerate(requirement) if not (c.isalnum() or c in "-_.")), requirement)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _state(store: Store | None) -> dict[str, Any]:
    if store is None:
        return {"open": False}
    found = store.check()
    names = ("kind", "revision", "size_bytes", "open", "unknown", "later", "problems")
    return {name: getattr(found, name) for name in names}


def _run(run: Run) -> dict[str, Any]:
    """How it went, in numbers: names and addresses of devices stay at home."""
    report = run.report
    return {
        "run_id": run.id,
        "command": run.command,
        "started_at": rfc3339(run.started_at),
        "finished_at": run.finished_at and rfc3339(run.finished_at),
        "status": run.status.value,
        "exit_code": run.exit_code,
        **{name: report.get(name) for name in ("written", "requests", "steps", "source", "queued") if name in report},
        "plan": {name: _number(value) for name, value in dict(report.get("plan", {})).items()},
        "failed": Counter(str(one.get("code")) for one in report.get("failed", ())),
        "findings": Counter(str(one.get("rule")) for one in report.get("findings", ())),
    }


def _number(value: object) -> object:
    return len(value) if isinstance(value, list) else value


def _instance(here: Ground, store: Store | None) -> dict[str, Any]:
    """What the last run was told of the instance; of reference rows only how many, because their keys hold names."""
    facts = store.memory.facts(here.target) if store is not None else None
    if facts is None:
        return {}
    classes = {name: {"usable": one.usable, "reason": one.reason} for name, one in facts.classes.items()}
    return {
        "read_at": rfc3339(facts.read_at),
        "classes": classes,
        "relation_types": sorted(facts.relation_types),
        "choices": dict(facts.choices),
        "references": {"wanted": len(facts.references), "found": sum(1 for row in facts.references.values() if row)},
    }


def _log_tail(here: Ground) -> bytes:
    """The last lines, each made harmless: they may repeat what a device is called."""
    file = log_config(here).file
    try:
        regular = file is not None and file.is_file()  # a device may have no end
        with file.open("rb") if file is not None and regular else io.BytesIO() as lines:
            return b"".join(_line(line) for line in deque(lines, maxlen=_LOG_LINES))
    except OSError:
        return b""


def _line(line: bytes) -> bytes:
    try:
        parsed = orjson.loads(line)
    except orjson.JSONDecodeError:
        parsed = {"unparsed": line.decode("utf-8", "replace").rstrip("\n")}
    return _neutral(parsed, indent=False) + b"\n"


def _json(value: object) -> bytes:
    return _neutral(value, indent=True) + b"\n"


def _neutral(value: object, *, indent: bool) -> bytes:
    """JSON in which no text can act: control characters and bidirectional marks shown, no tag opened."""
    option = orjson.OPT_INDENT_2 if indent else 0
    return orjson.dumps(_shown(value), option=option, default=str).replace(b"<", b"\\u003c")


def _shown(value: object) -> object:
    if isinstance(value, str):
        return shown(value, _LONGEST)
    if isinstance(value, Mapping):
        return {shown(str(key)): _shown(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(entry) for entry in value]
    return value
