"""Which APIs this instance has, by the first one or two segments of the path below ``/api/now``."""

from __future__ import annotations

from beast_dream_snow_loader.sandbox.servicenow.backend import Backend
from beast_dream_snow_loader.sandbox.servicenow.batch_api import BatchApi, Dispatch
from beast_dream_snow_loader.sandbox.servicenow.routing import Route
from beast_dream_snow_loader.sandbox.servicenow.stats_api import StatsApi
from beast_dream_snow_loader.sandbox.servicenow.table_api import TableApi


def installed_apis(backend: Backend, dispatch: Dispatch) -> dict[tuple[str, ...], Route]:
    """``dispatch`` answers the inner requests of a batch. Names are those rate rules use."""
    return {
        ("table",): Route(name="Table API", api=TableApi(backend)),
        ("stats",): Route(name="Aggregate API", api=StatsApi(backend)),
        ("batch",): Route(name="Batch API", api=BatchApi(backend, dispatch), locked=False),
    }
