"""Where a fault can strike: the requests of one step of a load, to one dependency."""

from __future__ import annotations

from dataclasses import dataclass

from beast_dream_snow_loader.sandbox.serving import Server
from tests.scenarios.conftest import Town


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """``dependency`` as the sandbox names its servers; the requests by method and path."""

    name: str
    dependency: str
    method: str = ""
    path: str = ""

    def server(self, town: Town) -> Server:
        """Where its faults are laid."""
        sandbox = town.sandbox
        servers = {
            "site-manager": sandbox.site_manager,
            "console": sandbox.consoles[0].server,
            "servicenow": sandbox.servicenow,
        }
        return servers[self.dependency]


STEPS = (
    Step(name="Site Manager", dependency="site-manager"),
    Step(name="console", dependency="console"),
    Step(name="classes", dependency="servicenow", path="/api/now/cmdb/meta/*"),
    Step(name="count", dependency="servicenow", path="/api/now/stats/*"),
    Step(name="look", dependency="servicenow", path="/api/now/v1/batch"),
    Step(name="try", dependency="servicenow", path="/api/now/identifyreconcile/queryEnhanced"),
    Step(name="write", dependency="servicenow", path="/api/now/identifyreconcile/enhanced"),
    Step(name="read back", dependency="servicenow", method="GET", path="/api/now/table/*"),
    Step(name="all of ServiceNow", dependency="servicenow"),
)
"""In the order of a load. What a request to several tables asks at once goes by batch."""
