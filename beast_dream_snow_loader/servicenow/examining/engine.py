"""What the identification engine says of one made-up device: may we call it, is our source known, is our key looked at.

``queryEnhanced`` commits nothing. Its answer tells more than the tables an ordinary account may not read.
"""

from __future__ import annotations

from collections.abc import Iterator

from beast_dream_snow_loader.core.changes import ChangeType, ItemChange
from beast_dream_snow_loader.core.checkup import Check, fail, failed, ok, unknown, warn
from beast_dream_snow_loader.core.desired import ConfigItem
from beast_dream_snow_loader.core.exit_codes import ExitCode
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.errors import NotAuthorised, Rejected
from beast_dream_snow_loader.servicenow.apis.ire import IreApi
from beast_dream_snow_loader.servicenow.apis.ire_payload import PayloadStyle, build, items_only
from beast_dream_snow_loader.servicenow.apis.ire_results import Result, read_answer
from beast_dream_snow_loader.servicenow.examining.instance import GUIDE, Instance
from beast_dream_snow_loader.servicenow.query import Query
from beast_dream_snow_loader.servicenow.reading import UNREADABLE

MADE_UP = SourceKey.parse("device/00005e0053fe")
"""From the range set aside for documentation (RFC 7042): no device has it."""

CLASS = "cmdb_ci_netgear"
SKIP = "glide.identification_engine.skip_sys_object_source_matching"
_BLOCKED = "INSERT_NOT_ALLOWED_FOR_SOURCE"


def engine(instance: Instance) -> Check:
    """The one simulation; its answer is kept for the exams after it."""
    caller = instance.caller
    style = PayloadStyle(source=instance.settings.data_source, at=instance.clock.now())
    answer = IreApi(caller).query_enhanced(build(items_only([_change()]), style).body)
    what = "a simulation of one made-up device"
    fix = f"Give the account the role itil or asset ({GUIDE}, APIs); for an OAuth client see {GUIDE}, OAuth scopes."
    try:
        told = read_answer(caller.result(answer, what), 1)
    except NotAuthorised as error:
        return fail(error.message, fix, exit_code=ExitCode.AUTH)
    except Rejected as error:
        return failed(error, fix=fix)
    result = told.items.get(0) if told is not None else None
    if result is None:
        return fail("its answer to a simulation is not one of the engine", "Run snowload doctor again with -vv.")
    instance.simulated = result
    return ok(f"takes simulations ({result.operation or 'answered with a reason'})")


def _change() -> ItemChange:
    values = {
        "name": f"snowload doctor {MADE_UP.mac}",
        "serial_number": f"SNOWLOADDOCTOR{MADE_UP.mac.upper()}",
        "mac_address": ":".join(MADE_UP.mac[i : i + 2] for i in range(0, 12, 2)),
        "ip_address": "192.0.2.254",
    }
    item = ConfigItem(
        key=MADE_UP,
        kind="network-other",
        lane="doctor",
        site=None,
        class_chain=(CLASS,),
        class_name=CLASS,
        values=values,
        name_forms=(values["name"],),
    )
    return ItemChange(type=ChangeType.CREATE, item=item, send=values)


def choice_row(source: str) -> dict[str, str]:
    """The row of sys_choice that makes a discovery source known (servicenow-api 5.9)."""
    return {
        "name": "cmdb_ci",
        "element": "discovery_source",
        "label": source,
        "value": source,
        "language": "en",
        "inactive": "false",
    }


def row_text(source: str) -> str:
    return ", ".join(f"{name}={value}" for name, value in choice_row(source).items())


def registered(instance: Instance) -> str | None:
    """The discovery source as sys_choice spells it; empty when it is not there; None when that cannot be seen."""
    query = Query().equals("name", "cmdb_ci").equals("element", "discovery_source")
    try:
        rows = instance.rows("sys_choice", query, "value", "label", "inactive")
    except UNREADABLE:
        return None
    if not rows:
        return None  # some ship with every instance: no row means no rights
    wanted = instance.settings.data_source.casefold()
    live = [row.get("value", "") for row in rows if row.get("inactive") != "true"]
    same = [value for value in live if value.casefold() == wanted]
    return next((value for value in same if value == instance.settings.data_source), same[0] if same else "")


def discovery_source(instance: Instance) -> Check:
    """By the engine, which decides, and by sys_choice, which says what is wrong."""
    source, listed = instance.settings.data_source, registered(instance)
    add = (
        f"An administrator adds one row to sys_choice: {row_text(source)}. Or, with an account that may: "
        "snowload doctor --register-source"
    )
    refused = _source_refused(instance.simulated)
    if listed and listed != source:
        near = f"{source} is not registered, but {listed} is: the engine compares exactly"
        return fail(near, f"Set SERVICENOW_DATA_SOURCE={listed}, if that is the one meant. Else: {add}")
    if refused or listed == "":
        return fail(f"{source} is not a choice of discovery_source on cmdb_ci", add)
    if instance.simulated is None:
        return ok(f"{source} is registered (sys_choice)") if listed else unknown("nobody tells", add)
    return ok(f"{source} is registered")


def _source_refused(result: Result | None) -> bool:
    issues = result.issues if result is not None else ()
    return any(issue.code == "INVALID_INPUT_DATA" and "data source" in issue.message for issue in issues)


def identified(instance: Instance) -> Iterator[Check]:
    """What else the engine had against the device: data source rules, required attributes."""
    result = instance.simulated
    issues = [issue for issue in (result.issues if result else ()) if not _source_refused(result)]
    for issue in issues:
        if issue.code == _BLOCKED:
            fix = "An administrator removes that IRE data source rule, or the class is left to the other source."
        else:
            fix = f"Look the code up under IRE error messages; the account needs nothing for it. See {GUIDE}."
        yield fail(f"{issue.code}: {issue.message}", fix, CLASS)
    if not issues:
        yield ok("would take a new device", CLASS)


def native_keys(instance: Instance) -> Check:
    """Matching by sys_object_source: without it a renamed or replaced device becomes a second CI (cmdb-model 2.2)."""
    told = instance.properties(SKIP).get(SKIP)
    attempts = [one for one in (instance.simulated.attempts if instance.simulated else ()) if one.by_source]
    on = f"Set the system property {SKIP} to false: with it on, renamed devices become second CIs."
    if told == "true" or any(one.outcome == "SKIPPED" for one in attempts):
        return fail("matching by native key is switched off", on)
    if told == "false" or attempts:
        return ok("native keys are matched first")
    if instance.simulated is None:
        return unknown("the property is not readable and the engine did not say", f"Ask for {SKIP}; it must be false.")
    return warn("the engine did not say that it tried the native key", f"Ask for {SKIP}; it must be false.")
