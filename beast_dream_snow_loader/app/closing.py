"""The words on stderr of a command that did not end with 0 and was stopped by no error: what happened, what to do now.

They are made from the document alone, so that they say nothing it does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from beast_dream_snow_loader.app.breaker_config import SERVICENOW
from beast_dream_snow_loader.app.failures import NOT_UNDONE, undone_how, undone_records
from beast_dream_snow_loader.app.result import Result
from beast_dream_snow_loader.core.exit_codes import HEALTH, ExitCode
from beast_dream_snow_loader.core.remarks import END_MISSING
from beast_dream_snow_loader.core.report import left_alone
from beast_dream_snow_loader.errors import SnowloadError, Throttled

_WHEN_OVER = "See the wait with: snowload breakers list (it ends with: snowload breakers reset NAME). When it is over,"
_LEAVES = {
    "rollback": "The findings name what stays as it is now, and why; put it back by hand if it has to be.",
    "replay-queue": "The findings name what was not sent, and the way on; the next load writes what UniFi still shows.",
}
METRICS_FILE = "metrics_file"
"""Of the document: what kept the metrics from being written to their file."""
_CHANGES = ("create", "update", "retire", "link", "unlink")


def closing(result: Result) -> SnowloadError | None:
    """Nothing for exit 0, and nothing where the error is told already."""
    if not result.exit_code or result.error is not None:
        return None
    by_command = _BY_COMMAND.get(result.command)
    return by_command(result) if by_command else _BY_CODE.get(_code(result), _otherwise)(result)


def unwritten(result: Result) -> SnowloadError | None:
    """What to tell of metrics that could not be written, however the command ended."""
    lost = result.body.get(METRICS_FILE)
    return SnowloadError(f"Metrics were not written. {lost['message']}", next_step=lost["next_step"]) if lost else None


def left_written(result: Result) -> Iterator[SnowloadError]:
    """What to tell of writes that stay though the load was to undo itself, however it ended."""
    for one in result.body.get(NOT_UNDONE, ()):
        yield SnowloadError(one["message"], next_step=one["next_step"])


def _queued(result: Result) -> SnowloadError:
    body = result.body
    why = body.get("queued_because") or {}
    count = body.get("queued", 0)
    reason = why.get("message", "").rstrip(".") or "ServiceNow could not be worked with"
    now = "is" if count == 1 else "are"
    if body.get("read_only") or why.get("code") == "servicenow.read_only":
        reason, step = (
            "servicenow.mode is read-only",
            'Set servicenow.mode to "normal", then run: snowload replay-queue',
        )
    elif result.command == "rollback":
        step = f"Run the rollback again, which alone makes them: snowload rollback {body.get('undoes')}"
    elif set_aside := _set_aside(body.get("breakers") or {}):
        resets = " and ".join(f"snowload breakers reset {name}" for name in set_aside)
        step = f"Once it may be asked again: {resets}; then send them with: snowload replay-queue"
    elif why.get("code") == Throttled.code:
        step = f"{_WHEN_OVER} the next load sends them, or: snowload replay-queue"
    else:
        step = "The next load sends them, or now: snowload replay-queue (look at them: snowload queue list)"
    return SnowloadError(f"{_counted(count, 'write')} {now} queued, because {_lower(reason)}.", next_step=step)


def _set_aside(breakers: Mapping[str, Any]) -> list[str]:
    """Those of ServiceNow's that a person opened and nobody has reset."""
    held = {one["name"]: True for one in breakers.get("standing", ()) if one["by_hand"]}
    held |= {one["name"]: one["by_hand"] and one["after"] == "open" for one in breakers.get("changes", ())}
    return [name for name, still in held.items() if still and name.partition(".")[0] == SERVICENOW]


def _partial(result: Result) -> SnowloadError:
    body, run = result.body, result.run_id
    parts = [(name, len(body.get(name, ()))) for name in ("failed", "held", "parked")]
    parts.append(("invalid", sum(one.get("severity") == "error" for one in body.get("findings", ()))))
    parts.append(("left alone", sum(left_alone(one.get("rule", "")) for one in body.get("findings", ()))))
    parts.append(("edges waiting", sum(one.get("rule") == END_MISSING for one in body.get("findings", ()))))
    found = ", ".join(f"{count} {name}" for name, count in parts if count) or "not everything could be done"
    if undone := len(undone_records(body.get("rollback", {}))):
        found = f"{found}; {_counted(undone, 'record')} written by it {undone_how(body['rollback'])}"
    if body.get("parked"):
        step = _retry_parked([one["id"] for one in body["parked"]])
    elif undone:
        step = f"See which and why: snowload report --run {run}; mend it, then write all of it with: snowload load"
    elif result.command == "load" and run and not body.get("dry_run"):
        step = f"See which and why: snowload report --run {run}; mend it, then run: snowload load --retry-failed {run}"
    elif result.command == "doctor":
        found = "some lines are not fine"
        step = "Each says what to do; then run: snowload doctor"
    elif result.command == "rollback" and body.get("failed"):
        step = (
            f"See which and why: snowload report --run {run}; mend it, then run: snowload rollback {body.get('undoes')}"
        )
    elif result.command in _LEAVES:
        step = _LEAVES[result.command]
    elif body.get("findings"):
        step = "Mend what the findings name, in UniFi, in ServiceNow or in the mapping, then run: snowload validate"
    else:
        step = "See which and why: snowload report --since 1h; what waits and what is parked: snowload queue list"
    return SnowloadError(f"{result.command} finished in part: {found}.", next_step=step)


def _retry_parked(ids: Sequence[int]) -> str:
    """No load and no replay sends a dead letter before somebody says so."""
    which = f"{ids[0]}" if len(ids) == 1 else f"{ids[0]} (one of {len(ids)}; --all for every one)"
    return (
        "Mend what is told of each parked write (again: snowload queue list --state parked), "
        f"then run: snowload queue retry {which}, and after it: snowload load"
    )


def _interrupted(result: Result) -> SnowloadError:
    done = sum(result.body.get("written", {}).values())
    step = f"Finish it with: snowload load --resume {result.run_id}"
    if result.command == "metrics":
        step = "Serve them again: snowload metrics --listen 127.0.0.1:9464"
        return SnowloadError("Metrics are no longer served: a signal ended it.", next_step=step)
    if result.command == "rollback":
        step = f"Run it again: snowload rollback {result.body.get('undoes')}"
    elif result.command != "load":
        step = f"Run it again: snowload {result.command}"
    return SnowloadError(
        f"{result.command} was ended by a signal after {_counted(done, 'write')}; what was done is recorded.",
        next_step=step,
    )


def _changes(result: Result) -> SnowloadError:
    plan: Mapping[str, Any] = result.body.get("plan", {})
    count = sum(plan.get(name, 0) for name in _CHANGES)
    return SnowloadError(
        f"The plan is not empty: {_counted(count, 'change')}.",
        next_step="Carry it out with: snowload load (or save it with --out FILE and give load --plan FILE)",
    )


def _ill(result: Result) -> SnowloadError:
    bad = result.body.get("causes", ())
    told = f"{result.status}: {', '.join(bad) or 'no check could be made'}."
    cooling = [one for one in result.body.get("checks", ()) if Throttled.code in one.get("details", {}).values()]
    if cooling:
        return SnowloadError(f"{told} {cooling[0]['message']}", next_step=f"{_WHEN_OVER} run this again.")
    return SnowloadError(told, next_step="Find out why: snowload doctor")


def _untold(result: Result) -> SnowloadError:
    every = result.body.get("channels", ())
    bad = [one["channel"] for one in every if one["message"]]
    told = f"{len(bad)} of {_counted(len(every), 'channel')} did not reach all it should: {', '.join(bad)}."
    step = f"Each line says what to do; then run: snowload notify test --channel {bad[0]}"
    return SnowloadError(told, next_step=step)


def _otherwise(result: Result) -> SnowloadError:
    code = _code(result)
    step = "Each line that is not fine says what to do." if result.command == "doctor" else ""
    step = step or f"What it did is in its result; see also: snowload {result.command} --help"
    return SnowloadError(f"{result.command} ended with {int(code)}: {code.meaning}.", next_step=step)


_BY_COMMAND: Mapping[str, Callable[[Result], SnowloadError]] = {HEALTH: _ill, "notify": _untold}
_BY_CODE: Mapping[ExitCode, Callable[[Result], SnowloadError]] = {
    ExitCode.PARTIAL: _partial,
    ExitCode.QUEUED: _queued,
    ExitCode.CHANGES: _changes,
    ExitCode.INTERRUPTED: _interrupted,
    ExitCode.TERMINATED: _interrupted,
}


def _code(result: Result) -> ExitCode:
    return next(code for code in ExitCode if code == result.exit_code)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _lower(text: str) -> str:
    """A sentence goes on: its first letter small, unless it begins a name."""
    names = ("ServiceNow", "UniFi")
    return text if text.startswith(names) or text[1:2].isupper() else f"{text[:1].lower()}{text[1:]}"
