"""One run per target: a lock of the operating system, which frees it when its holder dies however it dies."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from beast_dream_snow_loader.clock import Clock, SystemClock, rfc3339
from beast_dream_snow_loader.errors import StateLocked
from beast_dream_snow_loader.state.faults import undone, unwritten
from beast_dream_snow_loader.state.patience import Patience
from beast_dream_snow_loader.state.private_files import private_directory

POLL_SECONDS = 0.2
"""How often a waiting run looks again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds a target. ``since`` is RFC 3339."""

    pid: int
    run_id: str
    since: str

    def __str__(self) -> str:
        return f"run {self.run_id} (process {self.pid}, since {self.since})"


@contextmanager
def one_run_per_target(directory: Path, target: str, run_id: str, patience: Patience | None = None) -> Iterator[None]:
    """Hold ``target`` while the block runs. ``directory`` is the state directory, made if it is not there.

    Raises StateLocked naming the holder, at once or at the end of ``patience``; StateError when no lock can be made.
    """
    patience = patience or Patience.of(SystemClock())
    lock, note = _places(directory, target)
    patience.until(lambda: _taken(lock), POLL_SECONDS, lambda: _held(note, target))
    try:
        _write_note(note, run_id, patience.clock)
        yield
    finally:
        with suppress(OSError):  # the note names the holder for people; one that stays names a process that is gone
            note.unlink()
        lock.release()


def _places(directory: Path, target: str) -> tuple[FileLock, Path]:
    """The lock, and beside it the note that says who holds it."""
    folder = directory / "locks"
    private_directory(directory)
    private_directory(folder)
    name = hashlib.sha256(target.encode()).hexdigest()[:16]
    return FileLock(folder / f"{name}.lock", mode=0o600, thread_local=False), folder / f"{name}.json"


def _taken(lock: FileLock) -> bool:
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return False
    except OSError as error:
        mend = "Name a directory on a local disk with SNOWLOAD_STATE_DIR."
        raise undone(f"Lock {lock.lock_file} cannot be made", error, mend) from None
    return True


def _held(note: Path, target: str) -> StateLocked:
    return StateLocked(
        f"Target {target} is held by {_read_note(note) or 'another run that has only just begun'}.",
        next_step="Wait until it has ended (`snowload runs list`), give it time with "
        "`snowload load --lock-timeout 5m`, or stop that process.",
    )


def _write_note(note: Path, run_id: str, clock: Clock) -> None:
    beside = note.with_suffix(".new")
    text = json.dumps({"pid": os.getpid(), "run_id": run_id, "since": rfc3339(clock.now())})
    try:
        beside.unlink(missing_ok=True)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        beside.chmod(0o600)  # whatever the umask took away
        beside.replace(note)
    except OSError as error:
        raise unwritten(note, error) from None


def _read_note(note: Path) -> Holder | None:
    """Who wrote down last that they hold it; None when nobody does or the note does not read."""
    try:
        found = json.loads(note.read_text())
        return Holder(pid=int(found["pid"]), run_id=str(found["run_id"]), since=str(found["since"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
