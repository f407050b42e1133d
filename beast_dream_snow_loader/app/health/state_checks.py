"""What the state says: of itself and of what waits in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from beast_dream_snow_loader.app.auditing import verdict_of
from beast_dream_snow_loader.app.doctor import setup_checks
from beast_dream_snow_loader.app.health.sight import Sight, ill, poor, put_right, well
from beast_dream_snow_loader.core.mapping_tables import BASE_CLASS
from beast_dream_snow_loader.core.shown import age, shown
from beast_dream_snow_loader.operations.durations import parse_duration
from beast_dream_snow_loader.operations.healing import LEASE, LOG
from beast_dream_snow_loader.operations.health import HealthCheck
from beast_dream_snow_loader.state.schema import EntryState

_FULL = 0.9
"""Of the queue: from there on new writes will soon be refused."""


def database(sight: Sight) -> HealthCheck:
    """Whether its tables are there, how large it is, and whether its log grows because nobody folds it in."""
    found = sight.state.check(pages=False)
    details = {"size_bytes": found.size_bytes, "log_bytes": found.log_bytes, "revision": found.revision}
    if not found.whole:
        return ill(f"{'; '.join(found.problems)} {found.way_back}", **details)
    there = well(f"{found.kind}, its tables are there, {found.size_bytes / 1e6:.1f} MB", **details)
    return _log(sight, there, found.log_bytes)


def pages(sight: Sight) -> HealthCheck:
    """Every page and index: as long as the file is large, so of a deep look alone."""
    if sight.state.directory is None:
        return well("its pages are the server's to check")
    found = sight.state.check()
    if not found.whole:
        return ill(f"{'; '.join(found.problems)} {found.way_back}", size_bytes=found.size_bytes)
    return well("every page and index reads", size_bytes=found.size_bytes)


def _log(sight: Sight, check: HealthCheck, size: int) -> HealthCheck:
    """A reader that stays open keeps SQLite from folding its log; afterwards it can be done at any time."""
    if size <= sight.settings.health.database_log_mb * 1e6:
        return check
    told = f"the write-ahead log has {size / 1e6:.1f} MB: no process could fold it in"
    healing = sight.healing(LOG, told, "It was folded into the file.")
    if healing is not None and sight.state.fold_log():
        healing.helped()
        return put_right(check, f"{told}; it is folded in now, and the next write begins it anew")
    if healing is not None:
        healing.did_not_help()
    mended = poor(f"{told}. Look for a process that keeps the database open (lsof); it ends the wait by ending")
    return replace(mended, details=check.details)


def lock(sight: Sight) -> HealthCheck:
    """Who holds the target. A holder that is dead keeps nobody on its own machine waiting, but may those on others."""
    found = sight.state.holder(sight.here.target)
    if found is None:
        return well("free")
    who, alive = found
    if alive:
        return well(f"held by {shown(who, 200)}")
    told = f"{shown(who, 200)} was killed: the next load goes on where it stopped"
    healing = sight.healing(LEASE, told, "Its lease was given back.")
    if healing is None:
        return poor(f"{told}. Run: snowload load")
    released = sight.state.release_dead(sight.here.target)
    if (now := sight.state.holder(sight.here.target)) is not None and not now[1]:
        healing.did_not_help()
        return poor(f"{told}; its lease could not be given back. Run: snowload load")
    healing.helped()
    return put_right(well(told), "its lease is given back" if released else "somebody else has taken its place")


def belonging(sight: Sight) -> HealthCheck:
    """Whether the state is of the instance and the discovery source that are set now: else loads are refused."""
    lines = (
        setup_checks.instance(sight.here, sight.state),
        setup_checks.data_source(sight.here, sight.state),
    )
    told = [f"{line.found}. {line.fix}" for line in lines if line.fix]
    return ill(" ".join(told)) if told else well("of this instance and discovery source")


def queue(sight: Sight) -> HealthCheck:
    """How many writes wait, for how long, and how many have no known outcome while nobody is at work."""
    counts, most = sight.state.journal.queue.counts(), sight.settings.queue.max_entries
    later = counts.get(EntryState.LATER, 0)
    unsettled = counts.get(EntryState.OPEN, 0) + counts.get(EntryState.UNKNOWN, 0)
    since = sight.state.journal.queue.oldest(EntryState.LATER)
    waits = sight.age(since) if since is not None else timedelta()
    details = {
        "queued": later,
        "unsettled": unsettled,
        "oldest_seconds": round(waits.total_seconds(), 1),
        "limit": most,
    }
    told = [f"{later} writes wait, the oldest for {age(waits.total_seconds())}: snowload replay-queue"] if later else []
    if unsettled and sight.state.at_work(sight.here.target) is None:
        told.append(f"{unsettled} writes have no known outcome: the next snowload load looks them up")
    if not told:
        return well("empty", **details)
    late = waits > parse_duration(sight.settings.health.queue_age_fail)
    return (ill if late or later > _FULL * most else poor)("; ".join(told), **details)


def dead_letters(sight: Sight) -> HealthCheck:
    """Writes that were given up until a person looks."""
    parked = sight.state.journal.queue.counts().get(EntryState.DEAD, 0)
    since = sight.state.journal.queue.oldest(EntryState.DEAD)
    oldest = sight.age(since).total_seconds() if since is not None else 0.0
    details = {"parked": parked, "oldest_seconds": round(oldest, 1)}
    if not parked:
        return well("none", **details)
    return poor(f"{parked} writes are parked: snowload queue list --state parked says why", **details)


def snapshots(sight: Sight) -> HealthCheck:
    """What would stand in for a console that cannot be read, and what does now."""
    most = parse_duration(sight.settings.unifi.stale_max_age)
    ages = {console: sight.age(at) for console, at in sight.state.memory.taken().items()}
    standing = {console: sight.age(since) for console, since in sight.state.memory.standing_in().items()}
    oldest = max(ages.values(), default=timedelta()).total_seconds()
    details = {"consoles": len(ages), "oldest_seconds": round(oldest, 1), "standing_in": len(standing)}
    details["maximum_seconds"] = int(most.total_seconds())
    told = [
        f"{shown(console, 60)} is worked from memory for {age(since.total_seconds())}"
        for console, since in sorted(standing.items())
    ]
    told += [
        f"{shown(console, 60)} was read {age(past.total_seconds())} ago and can stand in no longer"
        for console, past in sorted(ages.items())
        if most and past > most
    ]
    if told:
        gone = "A console that is gone for good is forgotten after state.keep_snapshots_days"
        return poor(f"{'; '.join(told)}: snowload doctor --check unifi says why. {gone}", **details)
    return well(f"of {len(ages)} consoles, the oldest {age(oldest)} old" if ages else "none yet", **details)


def breakers(sight: Sight) -> HealthCheck:
    """Those that are open now, after what this look has asked; what its probes have closed is told."""
    now = sight.state.breakers.all()
    opened = [one for one in now.values() if not one.over]
    shut = {name for name, one in sight.before.items() if one.state.value != "closed"}
    closed = sorted(name for name in shut if name in now and now[name].state.value == "closed")
    recovered = f"closed after a probe of this look: {', '.join(closed)}" if closed else ""
    if not opened:
        return replace(well("none is open"), recovered=recovered)
    told = [f"{shown(one.name, 80)} is open{' by hand' if one.by_hand else ''} ({shown(one.reason)})" for one in opened]
    found = poor(f"{'; '.join(told)}: snowload breakers list says until when")
    return replace(found, details={one.name: one.reason for one in opened}, recovered=recovered)


def classes(sight: Sight) -> HealthCheck:
    """CIs of ours that are less than they could be."""
    reduced = sight.state.ledger.in_class(BASE_CLASS)
    if not reduced:
        return well("no CI of ours is reduced to the base class; other lacks are told by degradation", base_class=0)
    message = f"{reduced} CIs are plain {BASE_CLASS} for want of a class or of the engine: the next load says why"
    return poor(message, base_class=reduced)


def audit(sight: Sight) -> HealthCheck:
    """The whole trail, entry by entry, as ``snowload audit verify`` reads it without heads from elsewhere."""
    verdict, _ = verdict_of(sight.state)
    details = {"entries": verdict.entries, "seals": verdict.seals, "unsealed": verdict.unsealed}
    if verdict.bad is not None:
        told = f"entry {verdict.bad.number} is not what was written ({verdict.bad.why})"
        return ill(f"{told}. See: snowload audit verify", **details)
    if not verdict.whole:
        return poor("a new chain begins in it that is not known here. See: snowload audit verify", **details)
    return well(f"whole: {verdict.entries} entries, {verdict.seals} seals", **details)
