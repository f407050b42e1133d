"""The use case behind ``report --run ID --postmortem``: everything that is known of one run (R8.5)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from operator import itemgetter
from pathlib import Path
from typing import Any

import orjson

from beast_dream_snow_loader.app.ground import Ground
from beast_dream_snow_loader.app.history import as_they_stand, found_run
from beast_dream_snow_loader.app.places import log_file
from beast_dream_snow_loader.core.digest import Digest, in_order
from beast_dream_snow_loader.core.postmortem import MOST, Evidence, postmortem
from beast_dream_snow_loader.core.run import Run
from beast_dream_snow_loader.state.store import Store

_BEFORE, _AFTER = 5, 5
_AROUND = timedelta(days=7)
_GRAVE = frozenset({"warning", "error", "critical"})


def postmortem_of(here: Ground, store: Store, run_id: str) -> Mapping[str, Any]:
    """BadArgument when there is no such run."""
    run = found_run(store, run_id)
    before, after = _around(store, run)
    log, omitted = _chosen(_lines(log_file(here.settings), run_id))
    evidence = Evidence(
        run=run,
        settled=store.journal.settled(run_id),
        before=before,
        after=after,
        log=log,
        log_omitted=omitted,
    )
    return postmortem(evidence)


def _around(store: Store, run: Run) -> tuple[list[Digest], list[Digest]]:
    near, _ = store.memory.history(run.started_at - _AROUND, run.started_at + _AROUND)
    others = in_order(one for one in as_they_stand(store, near) if one.target == run.target and one.run_id != run.id)
    before = [one for one in others if one.started_at <= run.started_at]
    after = [one for one in others if one.started_at > run.started_at]
    return before[-_BEFORE:], _until_good(after)


def _until_good(after: list[Digest]) -> list[Digest]:
    """The next ones, and the first that ended well should it come later."""
    good = next((one for one in after[_AFTER:] if one.good), None)
    some = after[:_AFTER]
    return some if good is None or any(one.good for one in some) else [*some, good]


def _chosen(lines: Iterable[dict[str, Any]]) -> tuple[list[dict[str, Any]], int]:
    """The newest warnings and errors, and as many other lines as there is room for, in their order; how many are left
    out. What went well with a change is told under ``changes``."""
    grave, plain, count = deque[tuple[int, dict[str, Any]]](maxlen=MOST), deque[tuple[int, dict[str, Any]]](), 0
    for count, line in enumerate(lines, 1):
        if line.get("level") in _GRAVE:
            grave.append((count, line))
        elif line.get("event") != "change.settled":
            plain.append((count, line))
            if len(plain) > MOST:
                plain.popleft()
    room = MOST - len(grave)
    chosen = sorted([*grave, *list(plain)[max(0, len(plain) - room) :]], key=itemgetter(0))
    return [line for _, line in chosen], count - len(chosen)


def _lines(file: Path, run_id: str) -> Iterator[dict[str, Any]]:
    """Lines of the log, rotated files first, that carry the id of the run; what does not read is left out."""
    if not file.parent.is_dir():
        return
    rotated = sorted(file.parent.glob(f"{file.name}.*"), reverse=True)
    marked = run_id.encode("utf-8")
    for one in (*rotated, file):
        if one.suffix == ".lock" or not one.is_file():
            continue
        with one.open("rb") as lines:
            for line in lines:
                if marked in line:
                    yield from _read(line)


def _read(line: bytes) -> Iterator[dict[str, Any]]:
    try:
        told = orjson.loads(line)
    except orjson.JSONDecodeError:
        return
    if isinstance(told, dict):
        yield told
