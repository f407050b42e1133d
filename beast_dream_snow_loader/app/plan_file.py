"""A saved plan as a file: read, verified, and refused where it does not belong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from beast_dream_snow_loader.app.ground import Ground
from beast_dream_snow_loader.app.options import LoadOptions
from beast_dream_snow_loader.app.plan_document import SEAL, seal_of, settings_digest
from beast_dream_snow_loader.clock import parse_rfc3339, rfc3339
from beast_dream_snow_loader.core.saved_plan import SavedPlan
from beast_dream_snow_loader.core.shown import age
from beast_dream_snow_loader.errors import BadArgument, PlanDamaged, StalePlan, StateDamaged
from beast_dream_snow_loader.pipeline.renew import Ordered
from beast_dream_snow_loader.state.codec import decode
from beast_dream_snow_loader.state.store import Store

SCHEMA = "snowload.plan/1"
_ANEW = "Make a new plan: snowload plan --out FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFile:
    """``run_id`` is the ``plan`` run that made it; ``document`` the whole of it, verified."""

    path: Path
    sha256: str
    run_id: str
    created_at: datetime
    document: Mapping[str, Any]
    plan: SavedPlan

    def told(self) -> dict[str, Any]:
        """Its part of the ``load`` document, from which later runs know that it was applied."""
        made = {"made_by": self.run_id, "created_at": rfc3339(self.created_at)}
        return {"file": str(self.path), SEAL: self.sha256, **made}


def read_plan(path: Path) -> PlanFile:
    """Raises BadArgument when there is no such file, PlanDamaged when it does not verify or does not read."""
    try:
        document = orjson.loads(path.read_bytes())
    except OSError as error:
        raise BadArgument(f"The plan {path} cannot be read: {error.strerror}.", next_step=_ANEW) from None
    except orjson.JSONDecodeError:
        raise PlanDamaged(f"{path} is no plan: it is not JSON.", next_step=_ANEW) from None
    if not isinstance(document, dict) or not str(document.get("schema", "")).startswith("snowload.plan/"):
        raise PlanDamaged(f"{path} is no plan of snowload.", next_step=_ANEW)
    if document["schema"] != SCHEMA:
        raise PlanDamaged(f"{path} is a {document['schema']}; this program reads {SCHEMA}.", next_step=_ANEW)
    if document.get(SEAL) != seal_of(document):
        raise PlanDamaged(f"The digest of the plan {path} does not verify: it was changed.", next_step=_ANEW)
    return _parsed(path, document)


def _parsed(path: Path, document: Mapping[str, Any]) -> PlanFile:
    if "apply" not in document:
        raise PlanDamaged(f"The plan {path} holds nothing to apply: it was not finished.", next_step=_ANEW)
    try:
        return PlanFile(
            path=path,
            sha256=document[SEAL],
            run_id=document["run_id"],
            created_at=parse_rfc3339(document["generated_at"]),
            document=document,
            plan=decode(SavedPlan, orjson.dumps(document["apply"])),
        )
    except (StateDamaged, KeyError, ValueError) as error:
        made = document.get("snowload_version")
        place = error.message if isinstance(error, StateDamaged) else "a part is missing"
        message = f"The plan {path}, made by snowload {made}, does not read here: {place}"
        raise PlanDamaged(message, next_step=_ANEW) from None


def refuse_filters(options: LoadOptions) -> None:
    """BadArgument for options that would change what a saved plan says."""
    given = {
        "--site": options.sites,
        "--console": options.consoles,
        "--kind": options.kinds,
        "--full": options.full,
        "--allow-upgrade": options.allow_upgrade,
        "--allow-retire": options.allow_retire is not None,
    }
    named = [name for name, value in given.items() if value]
    if named:
        raise BadArgument(
            f"{', '.join(named)} cannot go with --plan: a saved plan is applied as it is.",
            next_step="Give it to: snowload plan --out FILE",
        )


def refuse_elsewhere(file: PlanFile, here: Ground) -> None:
    """StalePlan when the plan is for another place, was made under other settings, or is too old."""
    for name, now in (("environment", here.environment), ("target", here.target)):
        then = file.document.get(name)
        if then != now:
            raise StalePlan(f"The plan {file.path} is for the {name} {then}, this is {now}.", next_step=_ANEW)
    if file.document.get("settings_digest") != settings_digest(here.settings):
        bound = "mapping, bindings, clients, retire, features.links or servicenow.data_source"
        message = f"A setting under {bound} has changed since the plan {file.path} was made."
        raise StalePlan(message, next_step=_ANEW)
    seconds = (here.clock.now() - file.created_at).total_seconds()
    if seconds / 3600 > here.settings.plan.max_age_hours:
        limit = f"plan.max_age_hours is {here.settings.plan.max_age_hours:g}"
        raise StalePlan(f"The plan {file.path} is {age(seconds)} old; {limit}.", next_step=_ANEW)


def ordered(file: PlanFile, store: Store) -> Ordered:
    """The plan, with the runs that began to apply it before."""
    runs = store.memory.runs(since=file.created_at)
    before = (run.id for run in runs if run.report.get("from_plan", {}).get(SEAL) == file.sha256)
    return Ordered(plan=file.plan, applied_by=tuple(before))
