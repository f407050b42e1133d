"""Whether the discovery source is a choice of the instance: without it every write is refused (servicenow-api 5.9)."""

from __future__ import annotations

from beast_dream_snow_loader.errors import SnowloadError
from beast_dream_snow_loader.servicenow.apis.table import TableRead
from beast_dream_snow_loader.servicenow.query import Query
from beast_dream_snow_loader.servicenow.reading import Rows

DISCOVERY_SOURCE = "discovery_source"


def registration_read() -> TableRead:
    """The discovery sources that the instance knows."""
    query = Query().equals("name", "cmdb_ci").equals("element", DISCOVERY_SOURCE)
    return TableRead(table="sys_choice", query=query, fields=("value", "inactive"))


def unregistered(answer: Rows | SnowloadError, source: str) -> str:
    """The source, where the instance does not know it. Where that cannot be seen it is taken for known: some ship with
    every instance, so no row means no rights."""
    if isinstance(answer, SnowloadError) or not any(row.get("value") for row in answer):
        return ""
    return "" if source in {row.get("value") for row in answer if row.get("inactive") != "true"} else source
