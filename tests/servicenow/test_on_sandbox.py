"""The client against the sandbox instance, over real HTTP: neither shares a line with the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.core.desired import Reference
from beast_dream_snow_loader.core.identity import SysId
from beast_dream_snow_loader.core.ports import Wishes
from beast_dream_snow_loader.errors import CmdbAsleep, NotAuthenticated
from beast_dream_snow_loader.sandbox.servicenow.app import ServiceNowApp
from beast_dream_snow_loader.sandbox.serving import Server
from beast_dream_snow_loader.servicenow.authentication import authenticating
from beast_dream_snow_loader.servicenow.client import ServiceNowAPIClient
from beast_dream_snow_loader.servicenow.config import ServiceNowSettings
from beast_dream_snow_loader.transport.http import HttpTransport
from tests.servicenow.conftest import key

PASSWORD = {"username": "snowload", "password": "snowload-demo"}
OAUTH = {"client_id": "snowload-demo", "client_secret": "snowload-demo-secret"}
API_KEY = {"api_key": "snowload-demo-key"}

Connect = Callable[..., ServiceNowAPIClient]


@pytest.fixture
def app() -> Iterator[ServiceNowApp]:
    made = ServiceNowApp.create(seed=1)
    made.seed_demo()
    yield made
    made.close()


@pytest.fixture
def server(app: ServiceNowApp) -> Iterator[Server]:
    with Server(app) as serving:
        yield serving


@pytest.fixture
def connect(server: Server) -> Connect:
    def made(**settings: Any) -> ServiceNowAPIClient:
        chosen = ServiceNowSettings.model_validate({"instance": server.url, **(settings or PASSWORD)})
        clock = SystemClock()
        return ServiceNowAPIClient(chosen, authenticating(HttpTransport("servicenow"), chosen, clock), clock)

    return made


@pytest.mark.parametrize("login", [PASSWORD, OAUTH, API_KEY, {**OAUTH, **PASSWORD}, {"oauth_token": "old", **API_KEY}])
def test_every_way_in_opens_the_door(login: dict[str, str], connect: Connect) -> None:
    connect(**login).ping()


def test_a_wrong_password_is_told_as_such(connect: Connect) -> None:
    with pytest.raises(NotAuthenticated, match="SERVICENOW_PASSWORD"):
        connect(username="snowload", password="wrong").ping()


def test_a_sleeping_instance_is_known(connect: Connect, app: ServiceNowApp) -> None:
    app.backend.set_options(hibernating=True)
    with pytest.raises(CmdbAsleep, match="hibernates"):
        connect(**OAUTH).ping()


def test_reference_rows_and_relation_types_are_found(connect: Connect, app: ServiceNowApp) -> None:
    company = app.instance.find("core_company", name="Ubiquiti")[0]["sys_id"]
    made_by = Reference(
        element="manufacturer",
        table="core_company",
        any_of=(
            (("name", "ubiquiti"), ("manufacturer", "true")),
            (("name", "Ubiquiti Inc."), ("manufacturer", "true")),
        ),
    )
    nowhere = Reference(element="location", table="cmn_location", any_of=((("name", "Atlantis"),),))
    types = frozenset({"Connects to::Connected by", "Made up::Up made"})
    wishes = Wishes(class_chains=frozenset(), relation_types=types, references=frozenset({made_by, nowhere}))
    facts = connect().facts(wishes)
    assert facts.references == {made_by.key: company, nowhere.key: None}
    assert facts.relation_types == {"Connects to::Connected by"}
    assert facts.choices["install_status.Installed"] == "1"


def test_native_keys_are_found_and_counted(connect: Connect, app: ServiceNowApp) -> None:
    switch = app.instance.find("cmdb_ci_ip_switch", name="core-sw-01")[0]["sys_id"]
    row = {"name": "UniFi", "id": str(key(1)), "target_table": "cmdb_ci_ip_switch", "target_sys_id": switch}
    app.instance.insert("sys_object_source", row)
    app.instance.insert("sys_object_source", {**row, "id": str(key(2)), "target_sys_id": "f" * 32})
    client = connect()
    assert client.find([key(1), key(2)]) == {key(1): (switch,)}
    assert client.find() == {key(1): (switch,)}
    assert client.count_sources() == 2


def test_stored_values_are_read_from_the_class_where_the_base_lacks_them(connect: Connect, app: ServiceNowApp) -> None:
    switch = SysId(app.instance.find("cmdb_ci_ip_switch", name="core-sw-01")[0]["sys_id"])
    client = connect()
    stored = client.read_back([switch], ["name", "ports"])
    assert stored == {switch: {"name": "core-sw-01", "ports": "48", "sys_class_name": "cmdb_ci_ip_switch"}}
    candidate = client.candidates([switch], ["name"])[switch]
    assert (candidate.serial_number, candidate.mac_address) == ("FDO2213A0QX", "00:1b:54:aa:10:01")
    assert candidate.discovery_source == "ServiceNow"


def test_thousands_of_rows_are_read_page_by_page(connect: Connect, app: ServiceNowApp) -> None:
    with app.instance.transaction():
        for number in range(2_500):
            ci = app.instance.insert("cmdb_ci_netgear", {"name": f"gear-{number}"})["sys_id"]
            native = f"device/{number:012x}"
            app.instance.insert("sys_object_source", {"name": "UniFi", "id": native, "target_sys_id": ci})
    assert len(connect().find()) == 2_500
