"""What a load came to as facts to decide on, and the message made of the decision (schemas/notice.schema.json)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from beast_dream_snow_loader import __version__
from beast_dream_snow_loader.app.closing import closing
from beast_dream_snow_loader.app.ground import Ground
from beast_dream_snow_loader.app.result import Result
from beast_dream_snow_loader.clock import rfc3339
from beast_dream_snow_loader.core import trends
from beast_dream_snow_loader.core.exit_codes import way_on
from beast_dream_snow_loader.core.notices import Notice, RunFacts
from beast_dream_snow_loader.core.shown import shown
from beast_dream_snow_loader.core.told import number, rows, section
from beast_dream_snow_loader.redaction import masked
from beast_dream_snow_loader.state.store import Store

_LONGEST = 500
_JUST_NOW = timedelta(minutes=1)


def facts_of(result: Result, coming: Sequence[str] | None) -> RunFacts:
    """``coming`` are the limits that will be met, None where nobody looked."""
    body, code = result.body, int(result.exit_code)
    trouble = result.error or closing(result)
    return RunFacts(
        exit_code=code,
        run_id=result.run_id,
        cause=result.error.code if result.error is not None else result.status,
        message=_plain(trouble.message) if trouble is not None else "",
        next_step=_plain(way_on(trouble)) if trouble is not None else "",
        queued=number(body, "queued"),
        stale_seconds=body.get("stale_source"),
        retired=number(section(body, "written"), "retired"),
        breakers=_open(section(body, "breakers")),
        forecasts=tuple(coming) if coming is not None else None,
    )


def _open(breakers: Mapping[str, Any]) -> tuple[str, ...]:
    """Those that are open at the end: left so, or opened and not closed again."""
    last = {one["name"]: True for one in rows(breakers, "standing", "name")}
    last |= {one["name"]: one["after"] != "closed" for one in rows(breakers, "changes", "name", "after")}
    return tuple(sorted(shown(name) for name, still in last.items() if still))


def coming(here: Ground, store: Store) -> list[str]:
    """What the history says will meet its limit within a week, or has met it."""
    digests, older = store.memory.history(here.clock.now() - trends.WINDOW)
    return [trends.told(one) for one in trends.coming(digests, older, here.settings.queue.max_entries)]


def message_of(notices: Sequence[Notice], result: Result, here: Ground, message_id: str) -> dict[str, Any]:
    """One message, whatever the number of notices; nothing in it acts on a terminal, a header or a line."""
    now = here.clock.now()
    good = all(one.recovered for one in notices)
    what = "well again" if good else ", ".join(one.condition.value for one in notices if not one.recovered)
    title = f"snowload {here.environment}: {what.replace('_', ' ')}"
    lines = [title, *(_line(one, now) for one in notices), "", f"Instance: {here.target}"]
    lines += [f"Run: {result.run_id} (snowload report --run {result.run_id})"] if result.run_id else []
    message = {
        "schema": "snowload.notice/1",
        "snowload_version": __version__,
        "id": message_id,
        "test": False,
        "environment": here.environment,
        "target": here.target,
        "command": result.command,
        "run_id": result.run_id or None,
        "status": result.status,
        "exit_code": int(result.exit_code),
        "generated_at": rfc3339(now),
        "title": title,
        "text": "\n".join(lines),
        "notices": [_row(one) for one in notices],
    }
    return {name: _plain_of(value) for name, value in message.items()}


def trial_message(here: Ground, message_id: str) -> dict[str, Any]:
    """One that says that it is a test."""
    result = Result(command="notify", status="ok")
    title = f"snowload {here.environment}: a test"
    text = f"{title}\nThis channel works. Nothing has happened."
    return {**message_of((), result, here, message_id), "test": True, "title": title, "text": text}


def _line(notice: Notice, now: datetime) -> str:
    lasts = not notice.recovered and now - notice.since > _JUST_NOW
    since = f" (since {rfc3339(notice.since)})" if lasts else ""
    step = f" {notice.next_step}" if notice.next_step else ""
    return f"- {notice.condition.value.replace('_', ' ')}{since}: {notice.message}{step}"


def _row(notice: Notice) -> dict[str, Any]:
    return {
        "condition": notice.condition.value,
        "recovered": notice.recovered,
        "since": rfc3339(notice.since),
        "message": notice.message,
        "next_step": notice.next_step,
    }


def _plain_of(value: Any) -> Any:
    return masked(value) if isinstance(value, str) else value


def _plain(text: str) -> str:
    return shown(masked(text), _LONGEST)
