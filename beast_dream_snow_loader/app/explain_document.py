"""The body of the ``explain`` document: one record, section by section, each decision with its rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from beast_dream_snow_loader.app.explain_edges import relations
from beast_dream_snow_loader.app.result import described
from beast_dream_snow_loader.clock import rfc3339
from beast_dream_snow_loader.core.class_choice import class_steps
from beast_dream_snow_loader.core.comparing import REASONS
from beast_dream_snow_loader.core.desired import ConfigItem
from beast_dream_snow_loader.core.findings import Finding
from beast_dream_snow_loader.core.known import Candidate
from beast_dream_snow_loader.core.mapping_rules import MappingRules
from beast_dream_snow_loader.core.mapping_trace import trace_fields
from beast_dream_snow_loader.core.normalize import colon_mac, mac12
from beast_dream_snow_loader.core.observed import Client, Device, Snapshot
from beast_dream_snow_loader.core.past import PastWrite
from beast_dream_snow_loader.core.recognition import Decision, Trial
from beast_dream_snow_loader.core.report_rows import told_candidate
from beast_dream_snow_loader.pipeline.explain import Explained

Told = dict[str, Any]


def explain_body(explained: Explained, rules: MappingRules) -> Told:
    """Sections that could not be reached are null; ``troubles`` say why."""
    return {
        "key": str(explained.key),
        "meant_by": explained.meant.by,
        "troubles": [described(error) for error in explained.troubles],
        "fetch": _fetch(explained),
        "mapping": _mapping(explained, rules),
        "identity": _identity(explained),
        "match": _match(explained),
        "plan": _plan(explained),
        "fields": [*_fields(explained)],
        "relations": [*relations(explained)],
        "presence": _presence(explained),
        "writes": [_write(write) for write in explained.writes],
        "findings": [_finding(finding) for finding in explained.findings],
    }


def _fetch(explained: Explained) -> Told | None:
    snapshot = explained.outcome.snapshot
    if snapshot is None:
        return None
    record = _observed(snapshot, explained)
    reads = [read for read in snapshot.reads if record is not None and read.console == record.console]
    return {
        "read_at": rfc3339(snapshot.taken_at),
        "stale_seconds": _age(snapshot, record),
        "shown": record is not None,
        "rule": "fetch.shown" if record is not None else "fetch.not_shown",
        "apis": list(record.apis) if isinstance(record, Device) else [],
        "console": record.console if record else None,
        "site": record.site if record else None,
        "online": _online(record),
        "last_seen": _time(record.last_seen) if record else None,
        "complete": all(read.complete for read in reads) if reads else None,
        "incomplete": [
            {"subject": read.subject.value, "site": read.site, "reason": read.reason}
            for read in reads
            if not read.complete
        ],
    }


def _age(snapshot: Snapshot, record: Device | Client | None) -> float | None:
    """Of the snapshot that the record comes from; of the oldest in use where the record is not shown."""
    if record is None:
        return snapshot.stale_seconds
    ages = (one.seconds for one in snapshot.aged if one.console == record.console)
    return next(ages, None) if record.as_of is not None else None


def _observed(snapshot: Snapshot, explained: Explained) -> Device | Client | None:
    key = explained.key
    records: tuple[Device | Client, ...] = snapshot.devices if key.record == "device" else snapshot.clients
    return next((record for record in records if mac12(record.mac) == key.mac), None)


def _online(record: Device | Client | None) -> str | None:
    if record is None:
        return None
    return record.presence.value if isinstance(record, Device) else ("online" if record.connected else "offline")


def _mapping(explained: Explained, rules: MappingRules) -> Told | None:
    outcome, traced = explained.outcome, explained.traced
    if outcome.mapped is None:
        return None
    if traced is None:
        return {
            "mapped": False,
            "rule": _why_not_mapped(explained, rules),
            "kind": None,
            "class": None,
            "chain": [],
            "fields": [],
        }
    item = traced.mapped
    chain = item.class_chain if item is not None else ()
    steps = class_steps(chain, outcome.facts) if outcome.facts is not None else ()
    return {
        "mapped": True,
        "rule": "mapping.kind",
        "kind": traced.kind,
        "class": traced.fitted.class_name if traced.fitted is not None else None,
        "chain": [{"class": step.name, "usable": step.usable, "reason": step.reason} for step in steps],
        "fields": [
            {
                "field": field.element,
                "source": field.source_name,
                "unifi": field.source or None,
                "transform": field.transform,
                "value": field.value or None,
                "rule": field.rule,
                "why": field.why,
            }
            for field in trace_fields(traced, rules)
        ],
    }


def _why_not_mapped(explained: Explained, rules: MappingRules) -> str:
    if explained.outcome.snapshot is not None and _observed(explained.outcome.snapshot, explained) is None:
        return "fetch.not_shown"
    is_client = explained.key.record == "client"
    return f"clients.mode_{rules.clients_mode}" if is_client and rules.clients_mode != "create" else "mapping.left_out"


def _identity(explained: Explained) -> Told:
    item = _item(explained)
    return {
        "native_key": str(explained.key),
        "mac": colon_mac(explained.key.mac),
        "serial_number": item.values.get("serial_number") if item else None,
        "serial_rule": _serial_rule(item),
        "name_source": item.name_source if item else None,
        "name_forms": list(item.name_forms) if item else [],
        "names_tried": [trial.name for trial in explained.trials],
    }


def _item(explained: Explained) -> ConfigItem | None:
    outcome = explained.outcome
    states = (state for state in (outcome.desired, outcome.mapped) if state is not None)
    return next((item for state in states if (item := state.items.get(explained.key)) is not None), None)


def _serial_rule(item: ConfigItem | None) -> str | None:
    if item is None or "serial_number" not in item.values:
        return None
    return "serial.from_mac" if item.serial_derived else "serial.from_unifi"


def _match(explained: Explained) -> Told:
    known = explained.ledger.items.get(explained.key)
    held = next((held for held in explained.outcome.held if held.key == explained.key), None)
    last = explained.trials[-1] if explained.trials else None
    rule = held.rule if held else "ledger.known" if known else last.verdict.rule if last else None
    sys_id = known.sys_id if known else last.verdict.sys_id if last else None
    return {
        "rule": rule,
        "sys_id": sys_id,
        "class": explained.known.class_name if explained.known else None,
        "created_by_us": explained.known.created_by_us if explained.known else None,
        "held": held.reason if held else None,
        "next_step": held.next_step if held else None,
        "candidates": [told_candidate(candidate) for candidate in (held.candidates if held else ())],
        "engine": [_trial(trial) for trial in explained.trials],
    }


def _trial(trial: Trial) -> Told:
    verdict = trial.verdict
    candidates: tuple[Candidate, ...] = verdict.held.candidates if verdict.held is not None else ()
    return {
        "name": trial.name,
        "matched_by": trial.match.by.value,
        "entry": trial.match.message,
        "code": trial.match.code,
        "sys_ids": list(trial.match.sys_ids),
        "decision": verdict.decision.value,
        "rule": verdict.rule,
        "why": verdict.held.reason if verdict.held is not None else _WHY[verdict.decision],
        "weak": verdict.weak,
        "send_serial": verdict.send_serial,
        "candidates": [told_candidate(candidate) for candidate in candidates],
    }


_WHY: Mapping[Decision, str] = {
    Decision.NEW: "the engine finds no CI that is this record",
    Decision.ACCEPT: "it is this CI",
    Decision.NEXT_NAME: "its name is another CI's",
    Decision.HOLD: "a person decides",
}


def _plan(explained: Explained) -> Told | None:
    outcome, change = explained.outcome, explained.change
    if outcome.plan is None:
        return None
    if change is not None:
        return {
            "change": change.type.value,
            "rule": f"plan.{change.type.value}",
            "class": change.item.class_name,
            "send_serial": change.send_serial,
            "fields": [
                {"field": field.element, "old": field.old, "new": field.new, "reason": field.reason}
                for field in change.fields
            ],
        }
    held = any(held.key == explained.key for held in outcome.held)
    return {
        "change": None,
        "rule": _why_unchanged(explained, held=held),
        "class": None,
        "send_serial": None,
        "fields": [],
    }


def _why_unchanged(explained: Explained, *, held: bool) -> str:
    desired = explained.outcome.desired
    item = desired.items.get(explained.key) if desired is not None else None
    if held or item is None:
        return "plan.held" if held else "plan.not_written"
    return "plan.stale" if item.stale else "plan.unchanged"


def _fields(explained: Explained) -> Iterator[Told]:
    read = explained.known is not None and explained.known.stored is not None
    for decision in explained.decisions:
        yield {
            "field": decision.element,
            "owner": decision.owner.value,
            "written": decision.written,
            "unifi": decision.new,
            "servicenow": decision.held if read else None,
            "sent": decision.sent,
            "rule": decision.rule.value,
            "why": REASONS[decision.rule],
        }


def _presence(explained: Explained) -> Told | None:
    known = explained.ledger.items.get(explained.key)
    if known is None:
        return None
    attendance = explained.outcome.attendance
    mark = attendance.marks.get(explained.key) if attendance is not None else None
    return {
        "rule": f"presence.{mark.state.value}" if mark is not None else "presence.as_remembered",
        "why": mark.why if mark is not None else "",
        "console": known.lane,
        "site": known.site,
        "missing_since": _time(known.missing_since),
        "missing_reads": known.missing_reads,
        "retired_at": _time(known.retired_at),
        "written_at": _time(known.written_at),
    }


def _write(write: PastWrite) -> Told:
    return {
        "run_id": write.run_id,
        "subject": write.subject,
        "change": write.change,
        "outcome": write.state,
        "intended_at": rfc3339(write.intended_at),
        "settled_at": _time(write.settled_at),
        "operation": write.operation,
        "code": write.code,
        "message": write.message,
        "fields": list(write.fields),
    }


def _finding(finding: Finding) -> Told:
    return {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "field": finding.field,
        "message": finding.message,
        "value": finding.value,
    }


def _time(instant: datetime | None) -> str | None:
    return rfc3339(instant) if instant is not None else None
