"""The vendor's own Python client, unmodified, takes the sandbox for an instance."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from pysnc import ServiceNowClient
from pysnc.auth import ServiceNowClientCredentialsFlow
from pysnc.exceptions import AuthenticationException, InsertException, RequestException, RoleException

from beast_dream_snow_loader.sandbox.certificate import self_signed
from beast_dream_snow_loader.sandbox.servicenow.app import ServiceNowApp
from beast_dream_snow_loader.sandbox.serving import Server


@pytest.fixture
def app() -> ServiceNowApp:
    return ServiceNowApp.create(seed=11)


@pytest.fixture
def served(app: ServiceNowApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    """URL and certificate file: this client insists on https, and prefers the environment's file to the one given."""
    certificate = self_signed("localhost")
    trusted = tmp_path / "sandbox.pem"
    trusted.write_bytes(certificate.certificate_pem)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(trusted))
    with Server(app, tls=certificate) as server:
        yield server.url, str(trusted)


@pytest.fixture
def client(served: tuple[str, str]) -> ServiceNowClient:
    url, trusted = served
    return ServiceNowClient(url, ("snowload", "snowload-demo"), verify=trusted)


def filled(app: ServiceNowApp, count: int) -> None:
    for number in range(count):
        app.instance.insert("cmdb_ci_ip_switch", {"name": f"sw-{number:03d}", "ports": number % 48})


def test_it_reads_page_by_page(app: ServiceNowApp, client: ServiceNowClient) -> None:
    filled(app, 45)
    record = client.GlideRecord("cmdb_ci_ip_switch", batch_size=10)
    record.fields = ["sys_id", "name"]
    record.order_by("name")
    record.query()
    assert (record.get_row_count(), len(record)) == (45, 45)
    assert [str(one.name) for one in record] == [f"sw-{number:03d}" for number in range(45)]


def test_it_limits_and_combines_conditions(app: ServiceNowApp, client: ServiceNowClient) -> None:
    filled(app, 30)
    record = client.GlideRecord("cmdb_ci")
    record.add_query("name", "STARTSWITH", "sw-01").add_or_condition("name", "sw-025")
    record.add_not_null_query("sys_class_name")
    record.order_by_desc("name")
    record.limit = 3
    record.query()
    assert [str(one.name) for one in record] == ["sw-025", "sw-019", "sw-018"]


def test_it_inserts_updates_and_deletes(client: ServiceNowClient) -> None:
    record = client.GlideRecord("cmdb_ci_ip_switch")
    record.initialize()
    record.name, record.ports, record.u_bogus = "new", 24, "x"
    sys_id = str(record.insert())
    other = client.GlideRecord("cmdb_ci_ip_switch")
    assert other.get(sys_id)
    assert (str(other.ports), other.is_new_record()) == ("24", False)
    other.name = "renamed"
    assert str(other.update()) == sys_id
    found = client.GlideRecord("cmdb_ci")
    assert found.get("name", "renamed")
    assert found.get_value("sys_mod_count") == "1"
    assert found.delete()
    assert not client.GlideRecord("cmdb_ci").get(sys_id)


def test_it_sees_references_their_names_and_what_they_point_to(app: ServiceNowApp, client: ServiceNowClient) -> None:
    company = app.instance.insert("core_company", {"name": "Ubiquiti", "city": "New York"})["sys_id"]
    app.instance.insert("cmdb_ci_ip_switch", {"name": "sw", "manufacturer": company, "install_status": "7"})
    record = client.GlideRecord("cmdb_ci")
    record.fields = ["name", "manufacturer", "manufacturer.city", "install_status"]
    record.add_query("manufacturer.name", "Ubiquiti")
    record.query()
    assert record.next()
    assert (record.get_value("manufacturer"), record.get_display_value("manufacturer")) == (company, "Ubiquiti")
    assert (str(record.manufacturer.city), record.get_display_value("install_status")) == ("New York", "Retired")


def test_it_updates_and_deletes_many_in_batches(app: ServiceNowApp, client: ServiceNowClient) -> None:
    filled(app, 25)
    app.backend.set_options(batch_items=12)
    record = client.GlideRecord("cmdb_ci_ip_switch")
    record.query()
    while record.next():
        record.comments = "seen"
    assert record.update_multiple()
    assert {row["comments"] for row in app.instance.rows("cmdb_ci")} == {"seen"}
    app.backend.set_options(batch_items=None)
    few = client.GlideRecord("cmdb_ci_ip_switch")
    few.add_query("name", "<", "sw-010")
    few.query()
    assert few.delete_multiple()
    assert app.instance.count("cmdb_ci_ip_switch") == 15


def test_it_sends_a_query_too_long_for_a_url_as_a_batch(app: ServiceNowApp, client: ServiceNowClient) -> None:
    filled(app, 400)
    wanted = [row["sys_id"] for row in app.instance.rows("cmdb_ci")]
    record = client.GlideRecord("cmdb_ci", batch_size=1000)
    record.add_query("sys_id", "IN", ",".join(wanted))
    record.query()
    assert record.get_row_count() == 400


def test_it_joins(app: ServiceNowApp, client: ServiceNowClient) -> None:
    filled(app, 3)
    parent, child, _ = (row["sys_id"] for row in app.instance.rows("cmdb_ci"))
    kind = app.instance.find("cmdb_rel_type", name="Connects to::Connected by")[0]["sys_id"]
    app.instance.insert("cmdb_rel_ci", {"parent": parent, "child": child, "type": kind})
    joined = client.GlideRecord("cmdb_ci")
    joined.add_join_query("cmdb_rel_ci", join_table_field="child")
    joined.query()
    assert [str(one.sys_id) for one in joined] == [child]
    related = client.GlideRecord("cmdb_ci")
    related.add_rl_query("cmdb_rel_ci", "parent", ">0")
    related.query()
    assert [str(one.sys_id) for one in related] == [parent]


def test_it_understands_the_refusals(app: ServiceNowApp, served: tuple[str, str], client: ServiceNowClient) -> None:
    url, trusted = served
    with pytest.raises(RequestException, match="Invalid table nope"):
        client.GlideRecord("nope").query()
    refused = client.GlideRecord("sys_choice")
    refused.initialize()
    refused.name = "x"
    with pytest.raises((RoleException, InsertException), match="ACL Exception Insert Failed"):
        refused.insert()
    stranger = ServiceNowClient(url, ("snowload", "wrong"), verify=trusted)
    with pytest.raises(AuthenticationException, match="User Not Authenticated"):
        stranger.GlideRecord("incident").query()


def test_it_logs_in_with_client_credentials(app: ServiceNowApp, served: tuple[str, str]) -> None:
    url, trusted = served
    filled(app, 1)
    flow = ServiceNowClientCredentialsFlow("snowload-demo", "snowload-demo-secret")
    client = ServiceNowClient(url, flow, verify=trusted)
    record = client.GlideRecord("cmdb_ci")
    record.query()
    assert record.get_row_count() == 1


def test_it_carries_any_requests_session(served: tuple[str, str], app: ServiceNowApp) -> None:
    url, trusted = served
    session = requests.Session()
    session.headers["x-sn-apikey"] = "snowload-demo-key"
    client = ServiceNowClient(url, session, verify=trusted)
    record = client.GlideRecord("incident")
    record.query()
    assert record.get_row_count() == 0
    assert app.sessions.count() == 1
