"""Identification and Reconciliation Engine: the only way CIs are written (servicenow-api 5, cmdb-model 2)."""

from __future__ import annotations

from beast_dream_snow_loader.servicenow.answers import Answer
from beast_dream_snow_loader.servicenow.calling import Caller

# Partial payloads off: a half-identified device is to be reported, not parked on the instance for 90 days.
_OPTIONS = "partial_payloads:false,partial_commits:true,deduplicate_payloads:true,generate_summary:true"

BODY_MAX = 9_500_000
"""Bytes. The instance takes 10 MB (glide.rest.max_content_length)."""


class IreApi:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def enhanced(self, body: bytes) -> Answer:
        """Write. The native key of every item makes it safe to send twice."""
        return self._caller.post("/api/now/identifyreconcile/enhanced", "ire.enhanced", body, self._params())

    def query_enhanced(self, body: bytes) -> Answer:
        """The same answer, nothing committed."""
        path = "/api/now/identifyreconcile/queryEnhanced"
        return self._caller.post(path, "ire.queryEnhanced", body, self._params(), reads=True)

    def _params(self) -> list[tuple[str, str]]:
        return [("sysparm_data_source", self._caller.settings.data_source), ("options", _OPTIONS)]
