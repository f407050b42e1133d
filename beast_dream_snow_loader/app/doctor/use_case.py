"""The use case behind ``snowload doctor``: is everything set up right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from beast_dream_snow_loader.app import degraded
from beast_dream_snow_loader.app.doctor import network_checks, setup_checks
from beast_dream_snow_loader.app.doctor.bundle import pack
from beast_dream_snow_loader.app.doctor.ends import Answers, Ends
from beast_dream_snow_loader.app.doctor.exams import Exams
from beast_dream_snow_loader.app.doctor.registering import register_source
from beast_dream_snow_loader.app.failing import failed as stopped
from beast_dream_snow_loader.app.ground import Ground, ground
from beast_dream_snow_loader.app.listening import Heard, listening
from beast_dream_snow_loader.app.opening import opened
from beast_dream_snow_loader.app.options import Place
from beast_dream_snow_loader.app.places import state_directory
from beast_dream_snow_loader.app.private_files import refuse_unwritable
from beast_dream_snow_loader.app.result import Result
from beast_dream_snow_loader.app.run_ids import new_run_id
from beast_dream_snow_loader.app.waiting import time_to_wait
from beast_dream_snow_loader.app.wiring import mapping_rules
from beast_dream_snow_loader.clock import rfc3339
from beast_dream_snow_loader.core.checkup import Check, CheckStatus, exit_code, failed
from beast_dream_snow_loader.core.events import ignore
from beast_dream_snow_loader.core.exit_codes import ExitCode
from beast_dream_snow_loader.core.mapping_rules import MappingRules
from beast_dream_snow_loader.core.open_points import PointVerdict, verdicts
from beast_dream_snow_loader.errors import BadArgument, ConfigurationError, SnowloadError, StateError
from beast_dream_snow_loader.operations.examination import Exam, chosen, examine
from beast_dream_snow_loader.state.private_files import private_directory
from beast_dream_snow_loader.state.store import Store
from beast_dream_snow_loader.transport.observing import RequestMeter


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorOptions:
    """``only`` are names of checks or of groups; ``timeout`` is a duration for all of them together."""

    place: Place
    only: tuple[str, ...] = ()
    deep: bool = False
    timeout: str = "2m"
    bundle: Path | None = None
    register_source: bool = False
    dry_run: bool = False


def doctor(options: DoctorOptions) -> Result:
    """Never raises a SnowloadError: what stopped it is in the result."""
    try:
        refuse_unwritable(options.bundle)
        with ground(options.place) as here:
            return _examined(options, here)
    except SnowloadError as error:
        result = stopped("doctor", error, environment=options.place.environment or "")
        line = replace(failed(error), name="configuration.settings", group="configuration")
        return replace(result, body=_body([line])) if isinstance(error, ConfigurationError) else result


def _examined(options: DoctorOptions, here: Ground) -> Result:
    limit = _limit(options.timeout)
    run_id = new_run_id(here.clock.now())
    with ExitStack() as stack:
        private_directory(state_directory(here.settings))
        listener = stack.enter_context(listening(here, run_id, ignore, Heard(), place=options.place, command="doctor"))
        answers = Answers(here.clock)
        store, database = _database(here, stack)
        meter, rules = RequestMeter(), _rules(here)
        ends = Ends(here=here, listener=listener, meter=meter, answers=answers, rules=rules, store=store)
        exams = Exams(ends=ends, store=store, database=database, deep=options.deep)
        listed = _chosen(exams.all(), options.only)
        first = list(_registered(options, ends, exams, run_id))
        lines = [*first, *_lines(listed, limit, ends)]
        return _bundled(options, here, exams, _result(here, run_id, lines, store))


def _registered(options: DoctorOptions, ends: Ends, exams: Exams, run_id: str) -> Iterator[Check]:
    """Before the exams, so that they see what came of it."""
    if options.register_source and exams.instance is not None:
        yield register_source(ends, exams.instance, exams.store, run_id, dry_run=options.dry_run)


def _bundled(options: DoctorOptions, here: Ground, exams: Exams, result: Result) -> Result:
    if options.bundle is None:
        return result
    packed = pack(options.bundle, here, exams.store, result, exams.secrets)
    return replace(result, body={**result.body, "bundle": packed.row()})


def _limit(timeout: str) -> timedelta:
    limit = time_to_wait(timeout, "--timeout", "90s")
    if limit <= timedelta(0):
        raise BadArgument(f"{timeout!r} is no time to wait.", next_step="Write --timeout 90s.")
    return limit


def _rules(here: Ground) -> MappingRules:
    """The usual ones where the operator's do not parse: a line of its own says so."""
    try:
        return mapping_rules(here.settings)
    except ConfigurationError:
        return MappingRules()


def _database(here: Ground, stack: ExitStack) -> tuple[Store | None, Any]:
    try:
        store = stack.enter_context(opened(here))
    except (StateError, ConfigurationError) as error:
        line = failed(error)
        return None, lambda: (line,)
    return store, lambda: setup_checks.database(store)


def _chosen(exams: Sequence[Exam], names: Sequence[str]) -> list[Exam]:
    there = {exam.name for exam in exams} | {exam.group for exam in exams}
    absent = sorted(set(names) - there)
    if absent:
        raise BadArgument(
            f"There is no check {', '.join(absent)}.", next_step=f"There are: {', '.join(sorted(there))}."
        )
    return chosen(exams, names)


def _lines(exams: Sequence[Exam], limit: timedelta, ends: Ends) -> list[Check]:
    lines = examine(exams, seconds=limit.total_seconds(), clock=ends.here.clock)
    logged_in = any(line.name == "servicenow.login" and line.status is CheckStatus.OK for line in lines)
    if logged_in:
        quota = network_checks.quota(ends)
        lines.append(replace(quota, name="servicenow.quota", group="servicenow"))
    return lines


def _result(here: Ground, run_id: str, lines: Sequence[Check], store: Store | None) -> Result:
    code = exit_code(lines)
    return Result(
        command="doctor",
        status=_word(lines, code),
        exit_code=code,
        environment=here.environment,
        run_id=run_id,
        generated_at=rfc3339(here.clock.now()),
        body={**_body(lines), degraded.NAME: degraded.of_doctor(lines, here, store)},
    )


def _word(lines: Sequence[Check], code: ExitCode) -> str:
    if code is not ExitCode.OK:
        return CheckStatus.FAIL.value
    warned = any(line.status is CheckStatus.WARN for line in lines)
    return CheckStatus.WARN.value if warned else CheckStatus.OK.value


def _body(lines: Sequence[Check]) -> dict[str, Any]:
    counts = {status.value: sum(1 for line in lines if line.status is status) for status in CheckStatus}
    return {
        "counts": counts,
        "checks": [_row(line) for line in lines],
        "open_points": list(_points(verdicts(lines))),
    }


def _row(line: Check) -> dict[str, Any]:
    return {
        "name": line.name,
        "group": line.group,
        "subject": line.subject,
        "status": line.status.value,
        "found": line.found,
        "fix": line.fix,
        "open_points": [one.point for one in line.evidence],
    }


def _points(told: Sequence[PointVerdict]) -> Iterator[dict[str, Any]]:
    for one in told:
        yield {
            "number": one.point.number,
            "question": one.point.question,
            "assumption": one.point.assumption,
            "verdict": one.verdict.value,
            "says": one.says,
        }
