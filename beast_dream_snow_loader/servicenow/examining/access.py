"""Can this account work with the instance: awake, login, release, tables, APIs."""

from __future__ import annotations

from collections.abc import Iterator

from beast_dream_snow_loader.core.checkup import Check, fail, failed, ok, unknown, warn
from beast_dream_snow_loader.core.exit_codes import ExitCode
from beast_dream_snow_loader.core.shown import shown
from beast_dream_snow_loader.errors import NotAuthenticated, SnowloadError
from beast_dream_snow_loader.servicenow.answers import AnswerKind
from beast_dream_snow_loader.servicenow.apis.table import TableApi, TableRead
from beast_dream_snow_loader.servicenow.examining.instance import GUIDE, Instance, Way
from beast_dream_snow_loader.servicenow.query import Query
from beast_dream_snow_loader.servicenow.reading import UNREADABLE

NEEDED = {
    "cmdb_ci": "existing CIs cannot be compared",
    "cmdb_rel_ci": "existing edges cannot be verified",
    "sys_object_source": "our own CIs are found by their correlation_id only",
    "sys_choice": "the usual status numbers are assumed",
    "cmdb_rel_type": "the base relation types are assumed",
    "cmn_location": "locations stay empty",
    "core_company": "manufacturer and company stay empty",
    "cmdb_model": "models stay empty",
}
"""Table, and what becomes of a load that cannot read it."""

_SHIPPED = frozenset({"sys_choice", "cmdb_rel_type"})
"""Never empty: no row means no rights (servicenow-api 6.1)."""

_ANY = TableRead(table="cmdb_ci", query=Query(), fields=())
_RELEASE = ("glide.buildname", "glide.buildtag")


def awake(instance: Instance) -> list[Check]:
    """One request without a login: 401 is what a healthy instance says to it."""
    caller = instance.calling(instance.bare)
    answer = caller.get("/api/now/table/cmdb_ci", "doctor.awake", [("sysparm_limit", "1")])
    if answer.kind in (AnswerKind.UNAUTHENTICATED, AnswerKind.SUCCESS, AnswerKind.REFUSED):
        return [ok("answers, and is awake")]
    return [failed(caller.error(answer, "a request without a login"), fix="Check SERVICENOW_INSTANCE.")]


def login(instance: Instance) -> Iterator[Check]:
    """Every configured way in, tried once. One that works is enough."""
    tried = [(way, _let_in(instance, way)) for way in instance.ways]
    works = [way.name for way, error in tried if error is None]
    for way, error in tried:
        if error is None:
            first = way.name == works[0]
            yield ok("is accepted and used" if first else f"is accepted; stands in for {works[0]}", way.name)
        elif works:
            yield warn("is refused", f"Check {way.checks}; or remove it from the settings.", way.name)
        elif isinstance(error, NotAuthenticated):
            yield fail("is refused (401)", f"Check {way.checks}.", way.name, exit_code=ExitCode.AUTH)
        else:
            yield failed(error, way.name, fix=f"Check {way.checks}.")


def _let_in(instance: Instance, way: Way) -> SnowloadError | None:
    """None also where the account may not read the table: it is known."""
    try:
        TableApi(instance.calling(way.transport)).look(_ANY)
    except UNREADABLE:
        return None
    except SnowloadError as error:
        return error
    return None


def release(instance: Instance) -> Check:
    """Nothing depends on it: it is for those who are asked for help."""
    told = instance.properties(*_RELEASE)
    if told:
        return ok(", ".join(shown(told[name]) for name in _RELEASE if name in told))
    return unknown(
        "not readable (sys_properties shows no row)", f"Nothing needs it; to have it shown, see {GUIDE}, Properties."
    )


def tables(instance: Instance) -> Iterator[Check]:
    """Whether the account sees rows of what a load reads."""
    for table, otherwise in NEEDED.items():
        yield _table(TableApi(instance.caller), table, otherwise)


def _table(api: TableApi, table: str, otherwise: str) -> Check:
    fix = f"Give the account the role itil, or a read rule on {table} ({GUIDE}, Tables)."
    try:
        rows, total = api.look(TableRead(table=table, query=Query(), fields=()))
    except UNREADABLE as error:
        return _closed(table, f"{error.message} So {otherwise}.", fix)
    if rows:
        return ok("readable", table)
    if total or table in _SHIPPED:
        hidden = f"{total} rows, and the first is hidden" if total else "shows no row, though it ships with some"
        return _closed(table, f"{hidden}: {otherwise}", fix)
    return ok("readable, and empty", table)


def _closed(table: str, found: str, fix: str) -> Check:
    vital = table == "cmdb_ci"
    return fail(found, fix, table, exit_code=ExitCode.AUTH) if vital else warn(found, fix, table)


def meta(instance: Instance) -> Check:
    """The class definitions: every later look at classes and fields needs them."""
    fix = f"Give the account the role itil ({GUIDE}, APIs): until then classes are assumed and lengths not checked."
    try:
        told = instance.classes(lambda book: book.definition("cmdb_ci_hardware"))
    except UNREADABLE as error:
        return fail(error.message, fix, exit_code=ExitCode.AUTH)
    if told is None:
        return fail("answers 404 even for cmdb_ci_hardware", fix)
    return ok("class definitions are readable")


def instance_api(instance: Instance) -> Check:
    """Edges to existing CIs go through it, where clients.mode is link."""
    caller = instance.caller
    answer = caller.get("/api/now/cmdb/instance/cmdb_ci_hardware", "instance.list", [("sysparm_limit", "1")])
    if answer.kind is AnswerKind.SUCCESS:
        return ok("usable")
    error = caller.error(answer, "the CMDB Instance API")
    if not isinstance(error, UNREADABLE):
        return failed(error)
    fix = f"Give the account the role itil ({GUIDE}, APIs)."
    if instance.rules.clients_mode == "link":
        return fail(error.message, fix, exit_code=ExitCode.AUTH)
    return warn(f"{error.message} Only clients.mode = link needs it.", fix)
