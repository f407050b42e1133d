"""The identification engine behind its URL, and payloads as an integration would send them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import requests

from beast_dream_snow_loader.sandbox.servicenow.records import Instance

COMMITS = "partial_payloads:false,partial_commits:true,deduplicate_payloads:true,generate_summary:true"
Item = dict[str, Any]


class Ire:
    """``snow`` is the instance on its port; ``instance`` its tables, read behind the API's back."""

    def __init__(self, snow: Any) -> None:
        self.snow = snow
        self.instance: Instance = snow.app.instance

    def call(
        self,
        items: Sequence[Any],
        relations: Sequence[Any] = (),
        *,
        endpoint: str = "/enhanced",
        source: str | None = "UniFi",
        options: str = COMMITS,
        auth: tuple[str, str] = ("snowload", "snowload-demo"),
        **more: Any,
    ) -> requests.Response:
        parameters = {"options": options} if options else {}
        if source is not None:
            parameters["sysparm_data_source"] = source
        body = {"items": list(items), "relations": list(relations), **more}
        answer: requests.Response = self.snow.post(
            f"/api/now/identifyreconcile{endpoint}", body, auth=auth, **parameters
        )
        return answer

    def send(self, items: Sequence[Any], relations: Sequence[Any] = (), **arguments: Any) -> dict[str, Any]:
        """The ``result`` of an answer with status 200."""
        answer = self.call(items, relations, **arguments)
        assert answer.status_code == 200, answer.text
        result: dict[str, Any] = answer.json()["result"]
        return result

    def one(self, item: Item, **arguments: Any) -> dict[str, Any]:
        """The result of a single item."""
        (told,) = self.send([item], **arguments)["items"]
        result: dict[str, Any] = told
        return result

    def device(self, number: int, class_name: str = "cmdb_ci_ip_switch", **values: Any) -> Item:
        """A device with name, serial number and native key, all unlike those of other numbers."""
        told = {"name": f"SW-{number}", "serial_number": f"F4E2C600{number:04X}", **values}
        return {
            "className": class_name,
            "internal_id": f"device/{number}",
            "values": {name: value for name, value in told.items() if value is not None},
            "sys_object_source_info": {"source_name": "UniFi", "source_native_key": f"device/{number}"},
        }

    def bare(self, class_name: str, **values: Any) -> Item:
        """An item without a native key."""
        return {"className": class_name, "values": values}

    def serial(self, number: str, kind: str = "system", **values: str) -> Item:
        told = {"serial_number": number, "serial_number_type": kind, "valid": "true", "absent": "false", **values}
        return {"className": "cmdb_serial_number", "values": told}

    def adapter(self, mac: str, name: str | None = None, **values: str) -> Item:
        return {"className": "cmdb_ci_network_adapter", "values": {"name": name or mac, "mac_address": mac, **values}}

    def count(self, table: str) -> int:
        return self.instance.count(table)

    def row(self, table: str, **equals: str) -> Mapping[str, str]:
        (found,) = self.instance.find(table, **equals)
        return found

    def option(self, **changes: Any) -> None:
        self.snow.option(ire=changes)


def attempts(told: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Of an item's result: which attributes (or ``source``) were tried, with which outcome."""
    return [
        (",".join(one["attributes"]) if one["identifierName"] else "source", one["attemptResult"])
        for one in told["identificationAttempts"]
    ]


def codes(told: Mapping[str, Any]) -> list[str]:
    return [issue["error"] for issue in told["errors"]]


@pytest.fixture
def ire(snow: Any) -> Ire:
    return Ire(snow)


@pytest.fixture
def make_ire(make_snow: Callable[..., Any]) -> Callable[..., Ire]:
    """``ServiceNowApp.create`` arguments."""
    return lambda **arguments: Ire(make_snow(**arguments))


@pytest.fixture(name="attempts")
def _attempts() -> Callable[[Mapping[str, Any]], list[tuple[str, str]]]:
    return attempts


@pytest.fixture(name="codes")
def _codes() -> Callable[[Mapping[str, Any]], list[str]]:
    return codes
