"""Which APIs this instance has, by the first one or two segments of the path below ``/api/now``."""

from __future__ import annotations

from beast_dream_snow_loader.sandbox.servicenow.backend import Backend
from beast_dream_snow_loader.sandbox.servicenow.batch_api import BatchApi, Dispatch
from beast_dream_snow_loader.sandbox.servicenow.instance_api import InstanceApi
from beast_dream_snow_loader.sandbox.servicenow.ire.engine import Engine
from beast_dream_snow_loader.sandbox.servicenow.ire_api import IreApi
from beast_dream_snow_loader.sandbox.servicenow.meta_api import MetaApi
from beast_dream_snow_loader.sandbox.servicenow.routing import Route
from beast_dream_snow_loader.sandbox.servicenow.stats_api import StatsApi
from beast_dream_snow_loader.sandbox.servicenow.table_api import TableApi


def installed_apis(backend: Backend, dispatch: Dispatch) -> dict[tuple[str, ...], Route]:
    """``dispatch`` answers the inner requests of a batch. Names are those rate rules use."""
    engine = Engine(backend.instance)
    return {
        ("identifyreconcile",): Route(
            name="Identification and Reconciliation API", api=IreApi(backend, engine), roles=("itil", "asset")
        ),
        ("cmdb", "meta"): Route(name="CMDB Meta API", api=MetaApi(backend, engine), roles=("itil",)),
        ("cmdb", "instance"): Route(name="CMDB Instance API", api=InstanceApi(backend, engine), roles=("itil",)),
        ("table",): Route(name="Table API", api=TableApi(backend)),
        ("stats",): Route(name="Aggregate API", api=StatsApi(backend)),
        ("batch",): Route(name="Batch API", api=BatchApi(backend, dispatch), locked=False),
    }
