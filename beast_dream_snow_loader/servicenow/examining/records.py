"""What rows tell: reference data that is looked up, and our own CIs of earlier runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

from beast_dream_snow_loader.core.checkup import Check, Evidence, ok, unknown, warn
from beast_dream_snow_loader.core.desired import Reference
from beast_dream_snow_loader.core.shown import shown
from beast_dream_snow_loader.servicenow.apis.table import TableRead
from beast_dream_snow_loader.servicenow.examining.instance import GUIDE, Instance
from beast_dream_snow_loader.servicenow.query import Query
from beast_dream_snow_loader.servicenow.reading import UNREADABLE
from beast_dream_snow_loader.servicenow.references import references
from beast_dream_snow_loader.servicenow.rows import Row

_SAMPLE = 20
_SLACK = timedelta(minutes=30)
"""A poll is this much older than the write of it, at most."""

_CREATE = {
    "core_company": "one row in core_company with name=Ubiquiti, manufacturer=true",
    "cmdb_hardware_product_model": "the model in cmdb_hardware_product_model, or live with model_number alone",
    "cmn_location": "the location in cmn_location, or map the site in [mapping.location_map]",
}


def reference_rows(instance: Instance, wished: Iterable[Reference]) -> Iterator[Check]:
    """One line for each row that records would point to."""
    by_key = {reference.key: reference for reference in wished}
    found, findings = references(instance.reader, by_key.values())
    for key, reference in sorted(by_key.items(), key=lambda item: (item[1].element, item[1].describe)):
        what = shown(f"{reference.element}: {reference.describe or reference.element}")
        about = (reference.element, reference.called)
        told = next((f.message for f in findings if (f.field, f.value) == about), "")
        if reference.sys_id or found.get(key):
            yield ok("one row", what)
        elif told:
            yield warn(told, "Name the sys_id of the right one in [mapping], or merge the rows.", what)
        else:
            add = _CREATE.get(reference.table, f"the row in {reference.table}")
            yield warn(f"{reference.table} has no such row: the field stays empty", f"Add {add}.", what)


def own_records(instance: Instance) -> Check:
    """Open points 2 and 3, from CIs that earlier runs wrote."""
    source = instance.settings.data_source
    nothing = tuple(Evidence(point=point, holds=None, says="no CI of ours yet") for point in (2, 3))
    try:
        read = TableRead(table="sys_object_source", query=Query().equals("name", source), fields=("target_sys_id",))
        rows = islice(instance.reader.table.rows(read), _SAMPLE)
        ids = sorted({row.get("target_sys_id", "") for row in rows} - {""})
        if not ids:
            return ok("none yet: nothing was loaded", "", *nothing)
        items = instance.rows("cmdb_ci", Query().is_in("sys_id", ids), "sys_updated_on", "last_discovered")
        adapters = instance.rows("cmdb_ci_network_adapter", Query().is_in("cmdb_ci", ids), "cmdb_ci")
    except UNREADABLE as error:
        fix = f"Give the account read rules on sys_object_source and cmdb_ci ({GUIDE}, Tables)."
        return unknown(error.message, fix)
    said = (_adapters(ids, adapters), _moved(items))
    return ok(f"{len(ids)} looked at", "", *said)


def _adapters(ids: list[str], adapters: list[Row]) -> Evidence:
    owners = {row.get("cmdb_ci") for row in adapters}
    with_one = sum(1 for sys_id in ids if sys_id in owners)
    return Evidence(point=2, holds=with_one > 0, says=f"{with_one} of {len(ids)} CIs of ours own an adapter row")


def _moved(items: list[Row]) -> Evidence:
    """A CI seen again later than it was updated says that seeing it did not count as an update."""
    pairs = [(_time(row.get("last_discovered")), _time(row.get("sys_updated_on"))) for row in items]
    known = [(seen, updated) for seen, updated in pairs if seen and updated]
    behind = sum(1 for seen, updated in known if seen > updated + _SLACK)
    says = f"sys_updated_on is behind last_discovered on {behind} of {len(known)} CIs of ours"
    return Evidence(point=3, holds=behind == 0 if known else None, says=says)


def _time(text: str | None) -> datetime | None:
    try:
        return datetime.strptime(text or "", "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None
