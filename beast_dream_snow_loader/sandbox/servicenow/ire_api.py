"""The Identification and Reconciliation API: ``/api/now/identifyreconcile`` and its three sisters."""

from __future__ import annotations

from beast_dream_snow_loader.sandbox.servicenow.backend import Backend
from beast_dream_snow_loader.sandbox.servicenow.calls import Call, Reply, method_not_allowed, no_resource
from beast_dream_snow_loader.sandbox.servicenow.ire.answer import render
from beast_dream_snow_loader.sandbox.servicenow.ire.engine import Engine
from beast_dream_snow_loader.sandbox.servicenow.ire.payload import read_payload, read_wish

# What follows the API's name: (enhanced, commit).
_ENDPOINTS = {
    (): (False, True),
    ("query",): (False, False),
    ("enhanced",): (True, True),
    ("queryEnhanced",): (True, False),
}


class IreApi:
    """200 says nothing about success: what went wrong is in the answer, item by item."""

    def __init__(self, backend: Backend, engine: Engine) -> None:
        self._backend = backend
        self._engine = engine

    def answer(self, call: Call) -> Reply:
        """Called under the instance's lock. ApiError."""
        endpoint = _ENDPOINTS.get(call.segments)
        if endpoint is None:
            raise no_resource()
        if call.method != "POST":
            raise method_not_allowed()
        enhanced, commit = endpoint
        source, options = call.parameter("sysparm_data_source"), call.parameter("options")
        wish = read_wish(source, options, enhanced=enhanced, commit=commit)
        report = self._engine.run(read_payload(call.json_object()), wish, self._backend.options.ire)
        return Reply(body={"result": render(report, wish, self._backend.options.ire)})
