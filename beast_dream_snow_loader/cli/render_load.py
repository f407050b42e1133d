"""A load for people: what was read, planned and written, and what needs a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from beast_dream_snow_loader.app.result import Result
from beast_dream_snow_loader.cli.render_findings import show_findings
from beast_dream_snow_loader.cli.render_stale import stale
from beast_dream_snow_loader.cli.tables import line, table
from beast_dream_snow_loader.core.notices import MEMORY

_STEPS_SHOWN = 5


def render(result: Result) -> None:
    """The end of ``load``."""
    body = result.body
    if not body:
        return
    _counts(body)
    _changes(body.get("changes", []))
    _needs_a_person(body)
    _left_out(body)
    show_findings(body.get("findings", []))
    _incidents(body)
    _resumed(body)
    line(_verdict(result))
    _undone(body.get("rollback"))
    if body.get("report_file"):
        line(f"report: {body['report_file']}")
    for one in body.get("notifications", ()):
        if one["message"]:
            line(f"{_of_telling(one)}: {one['message']} {one['next_step']}".rstrip())


def _of_telling(one: Mapping[str, str]) -> str:
    if one["channel"] == MEMORY:
        return "not remembered who was told"
    return f"not told by {one['channel']}" if one["outcome"] == "failed" else f"not told to all by {one['channel']}"


def render_replay(result: Result) -> None:
    """The end of ``replay-queue``."""
    if result.body:
        sent, left = result.body.get("sent", 0), result.body.get("left", 0)
        parked = f", {count} parked" if (count := len(result.body.get("parked", ()))) else ""
        line(f"replay-queue: {result.status}; {sent} sent, {left} still queued{parked}")
        _changes(result.body.get("changes", []))
        _needs_a_person(result.body)
        show_findings(result.body.get("findings", []))


def render_rollback(result: Result) -> None:
    """The end of ``rollback``."""
    body = result.body
    if not body:
        return
    if body.get("dry_run"):
        _changes(body.get("changes", []))
    _needs_a_person(body)
    show_findings(body.get("findings", []))
    line(f"rollback of {body['undoes']}: {result.status}; {_put_back(body)}")


def _undone(rollback: Mapping[str, Any] | None) -> None:
    """What ``--on-failure rollback`` took back; what it could not is told as by ``rollback``."""
    if not rollback or "undoes" not in rollback:
        return
    _needs_a_person(rollback)
    show_findings(rollback.get("findings", []))
    line(f"undone by run {rollback['run_id']}: {rollback['status']}; {_put_back(rollback)}")


def _put_back(body: Mapping[str, Any]) -> str:
    written = {**body.get("written", {}), "deleted": body.get("deleted", 0), "dropped": body.get("dropped", 0)}
    return ", ".join(f"{k} {v}" for k, v in written.items())


def _incidents(body: Mapping[str, Any]) -> None:
    rows = [
        (one["service"], one["code"], one["count"], _led(one["chain"]), one["records"], one["relations"])
        for one in body.get("incidents", [])
        if not one["recovered"]
    ]
    table(("service", "cause", "count", "what led to what", "records", "relations"), rows, title="Incidents")


def _led(chain: list[Mapping[str, Any]]) -> str:
    return " → ".join(f"{link['step']} ({link['code']})" for link in chain)


def _resumed(body: Mapping[str, Any]) -> None:
    if resumed := body.get("resumes"):
        line(f"finishing run {resumed['run_id']}, which had written {resumed['written_before']} changes")
        line(f"  sent without an answer: {resumed['unknown']}, of which {resumed['found_done']} had happened")


def _counts(body: Mapping[str, Any]) -> None:
    rows = [(step["name"], step["records"], f"{step['duration_seconds']:.2f} s") for step in body.get("steps", [])]
    table(("step", "records", "took"), rows)
    for name in ("source", "attendance", "plan", "written", "links", "verify"):
        if counts := body.get(name):
            line(f"{name + ':':12}" + ", ".join(f"{k} {_brief(v)}" for k, v in counts.items()))


def _brief(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.1%}"
    return len(value) if isinstance(value, list) else "none" if value is None else value


def _changes(changes: list[Mapping[str, Any]]) -> None:
    rows = [(c["change"], c["record"], c["class"], c["field"], c["old"], c["new"], c["reason"]) for c in changes]
    table(("change", "record", "class", "field", "old", "new", "why"), rows, title="Plan")


def _needs_a_person(body: Mapping[str, Any]) -> None:
    show_held(body)
    failed = [(f["key"], f["change"], f["code"], f["message"]) for f in body.get("failed", [])]
    table(("failed", "change", "code", "message"), failed, title="Failed")
    show_parked(body)


def show_parked(body: Mapping[str, Any]) -> None:
    """Dead letters, each with what to do."""
    parked = [(p["id"], p["key"], p["change"], p["attempts"], p["code"], p["message"]) for p in body.get("parked", [])]
    table(("id", "parked", "change", "attempts", "code", "message"), parked, title="Parked: sent in vain too often")
    for step in dict.fromkeys(p["next_step"] for p in body.get("parked", [])[:_STEPS_SHOWN]):
        line(f"  {step}")


def _left_out(body: Mapping[str, Any]) -> None:
    stale = [(one["key"], one["change"], one["reason"]) for one in body.get("from_plan", {}).get("stale", [])]
    table(("change of the plan", "was to", "why not"), stale, title="No longer as the plan saw it")


def show_held(body: Mapping[str, Any]) -> None:
    """Records that wait for a person, with the CIs they might be."""
    held = [(h["key"], h["reason"], candidates(h)) for h in body.get("held", [])]
    table(("held", "why", "candidates"), held, title="Held until somebody decides")
    for rule, next_step in {h["rule"]: h["next_step"] for h in body.get("held", [])}.items():
        line(f"{rule}: {next_step}")


def candidates(held: Mapping[str, Any]) -> str:
    return "; ".join(f"{c['name']} ({c['class']}, sys_id {c['sys_id']})" for c in held.get("candidates", []))


def _verdict(result: Result) -> str:
    body = result.body
    written = body.get("written", {})
    if body.get("stale_source") is not None and not any(written.values()):
        return f"load: {result.status}{_stale(body)}"
    before = body.get("from_plan", {}).get("done_before", 0)
    if result.status == "ok" and before and not any(written.values()):
        return f"load: ok, nothing to do: all {before} changes of this plan were made before"
    if result.status == "ok" and not any(written.values()) and not body.get("dry_run"):
        return "load: ok, nothing to do"
    if body.get("from_plan"):
        return f"load: {result.status}, {_from_plan(body)}"
    return f"load: {result.status}{_stale(body)}{_waiting(body)}"


def _stale(body: Mapping[str, Any]) -> str:
    return f", {stale(body)}: nothing of that is written" if stale(body) else ""


def _waiting(body: Mapping[str, Any]) -> str:
    if not body.get("queued"):
        return ""
    if body.get("read_only"):
        return f"; servicenow.mode is read-only, {body['queued']} writes wait until it is normal again"
    return f"; {body['queued']} writes wait, send them with: snowload replay-queue"


def _from_plan(body: Mapping[str, Any]) -> str:
    plan = body["from_plan"]
    parts = [f"the plan of {plan['created_at']}"]
    if plan.get("stale"):
        parts.append(f"{len(plan['stale'])} changes left out because they no longer fit")
    if plan.get("done_before"):
        parts.append(f"{plan['done_before']} made before")
    return "; ".join(parts)
