"""The body of the ``plan`` document, sealed with a digest; the same document is what ``--out`` saves."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from beast_dream_snow_loader.app.config import Settings
from beast_dream_snow_loader.app.options import LoadOptions
from beast_dream_snow_loader.app.plan_rows import class_changes, plan_changes
from beast_dream_snow_loader.clock import rfc3339
from beast_dream_snow_loader.core.class_choice import ClassChoice, class_choices
from beast_dream_snow_loader.core.desired import DesiredState
from beast_dream_snow_loader.core.fill_rates import fill_rates
from beast_dream_snow_loader.core.fingerprint import fingerprint
from beast_dream_snow_loader.core.mapping_rules import MappingRules
from beast_dream_snow_loader.core.report import RunReport
from beast_dream_snow_loader.core.saved_plan import SavedPlan
from beast_dream_snow_loader.pipeline.outcome import LoadOutcome
from beast_dream_snow_loader.pipeline.prepare import Prepared
from beast_dream_snow_loader.state.codec import encode

_OF_REPORT = (
    "started_at",
    "finished_at",
    "duration_seconds",
    "stale_source",
    "stale_consoles",
    "source",
    "plan",
    "findings",
    "held",
    "requests",
    "steps",
)
SEAL = "sha256"


def plan_body(report: RunReport, outcome: LoadOutcome, rules: MappingRules) -> dict[str, Any]:
    """What is known so far; a plan that could not be finished lacks the parts that were not reached."""
    told = report.document()
    body: dict[str, Any] = {name: told[name] for name in _OF_REPORT}
    if outcome.snapshot is not None:
        body["read_at"] = rfc3339(outcome.snapshot.taken_at)
    if outcome.mapped is not None and outcome.desired is not None and outcome.facts is not None:
        choices = class_choices(outcome.mapped, outcome.desired, outcome.facts)
        body["classes"] = [_class(choice) for choice in choices]
        body["source_digest"] = source_digest(outcome.mapped)
    if outcome.desired is not None:
        rates = fill_rates(outcome.desired.items.values(), rules)
        body["fill_rates"] = [
            {"field": r.element, "records": r.records, "filled": r.filled, "percent": r.percent} for r in rates
        ]
    if outcome.plan is not None:
        body["empty"] = outcome.plan.empty
        body["class_changes"] = list(class_changes(outcome.plan))
        body["changes"] = list(plan_changes(outcome.plan))
    return body


def applicable(saved: SavedPlan, prepared: Prepared, options: LoadOptions, settings: Settings) -> dict[str, Any]:
    """What makes a plan one that can be applied: what it is bound to, and the changes in full."""
    scope = prepared.scope
    return {
        "settings_digest": settings_digest(settings),
        "filters": {"sites": sorted(scope.sites), "consoles": sorted(scope.consoles), "kinds": sorted(scope.kinds)},
        "full": options.full,
        "apply": orjson.loads(encode(SavedPlan, saved)),
    }


def settings_digest(settings: Settings) -> str:
    """Over the settings on which the content of a plan depends."""
    bound = {
        "mapping": settings.mapping,
        "clients": settings.clients.model_dump(mode="json"),
        "bindings": settings.bindings,
        "links": settings.features.links,
        "retire": settings.retire.model_dump(mode="json"),
        "data_source": settings.servicenow.data_source,
    }
    return _digest(bound)


def source_digest(mapped: DesiredState) -> str:
    """Over every record's key and mapped fields, and over every edge: equal when UniFi said the same."""
    records = {str(key): fingerprint(item.values) for key, item in mapped.items.items()}
    return _digest({"records": records, "edges": sorted(relation.key for relation in mapped.relations)})


def seal_of(document: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical form: UTF-8 JSON, keys sorted, no spaces, without the digest itself."""
    return _digest({name: value for name, value in document.items() if name != SEAL})


def _digest(value: Mapping[str, Any]) -> str:
    canonical = orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=_plain)
    return hashlib.sha256(canonical).hexdigest()


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else str(value)


def _class(choice: ClassChoice) -> dict[str, Any]:
    return {
        "kind": choice.kind,
        "class": choice.class_name or None,
        "records": choice.records,
        "chain": [{"class": step.name, "usable": step.usable, "reason": step.reason} for step in choice.steps],
    }
