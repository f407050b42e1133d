"""``snowload doctor`` on setups in which one thing is wrong: the line that says so, and what to do about it."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.sandbox.servicenow.auth import User
from tests.scenarios.conftest import Town

DOCTOR = ("doctor", "--env", "testing", "--json")
Document = Mapping[str, Any]


@pytest.fixture
def here(town: Callable[..., Town]) -> Town:
    """An instance with everything on it, which lets the account see its properties."""
    opened = town(Estate.generate(seed=4, consoles=2, sites=2, devices=8), class_models=True)
    opened.app.seed_demo()
    opened.app.backend.set_options(table_reading={"sys_properties": "all"})
    return opened


def line(document: Document, name: str, subject: str | None = None) -> Mapping[str, Any]:
    found = [c for c in document["checks"] if c["name"] == name and subject in (None, c["subject"])]
    assert len(found) == 1, [(c["name"], c["subject"], c["found"]) for c in document["checks"] if c["name"] == name]
    return found[0]


def examined(town: Town, *names: str, code: int = 0, **variables: str) -> Document:
    ended = town.run(*DOCTOR, *(part for name in names for part in ("--check", name)), **variables)
    assert ended.code == code, ended.out + ended.err
    return ended.document


def says(told: Mapping[str, Any], status: str, found: str, fix: str = "") -> None:
    assert told["status"] == status, told
    assert found in told["found"]
    assert fix in told["fix"]


def test_a_healthy_setup_has_nothing_that_fails_or_warns_and_writes_nothing(here: Town) -> None:
    document = examined(here)
    assert document["status"] == "ok"
    troubled = [(one["name"], one["subject"]) for one in document["checks"] if one["status"] != "ok"]
    assert troubled == [("servicenow.hardware-rule", "inclusion rule")]
    assert here.writes() == 0
    posts = [one.path for one in here.sandbox.log.lines("servicenow") if one.method != "GET"]
    assert posts.count("/api/now/identifyreconcile/queryEnhanced") == 1
    assert set(posts) <= {"/api/now/identifyreconcile/queryEnhanced", "/api/now/v1/batch"}


def test_the_open_points_are_compared_with_this_instance(here: Town) -> None:
    points = {one["number"]: one["verdict"] for one in examined(here)["open_points"]}
    assert set(points) == set(range(1, 16))
    assert {number for number, verdict in points.items() if verdict == "agrees"} >= {1, 4, 5, 6, 7, 8, 10, 12, 13}
    assert {points[9], points[14], points[15]} == {"not_by_reading"}


def test_after_a_load_our_own_records_and_a_whole_read_settle_more_points(here: Town) -> None:
    assert here.run("load", "--env", "testing").code == 0
    ended = here.run(*DOCTOR, "--deep", "--check", "servicenow.own-records", "--check", "unifi")
    assert ended.code == 0, ended.err
    points = {one["number"]: one for one in ended.document["open_points"]}
    assert points[3]["verdict"] == "agrees"
    assert "of ours own an adapter row" in points[2]["says"]
    assert "serial numbers equal the base MAC" in points[11]["says"]
    says(line(ended.document, "unifi.completeness"), "ok", "2 consoles")


def test_an_account_without_roles_is_told_what_to_grant_and_what_is_not_looked_at(here: Town) -> None:
    here.app.users.put(User(user_name="snowload", password="snowload-demo", roles=frozenset()))
    here.app.backend.set_options(table_reading={})
    document = examined(here, "servicenow", code=7)
    says(line(document, "servicenow.login", "basic"), "ok", "accepted")
    says(line(document, "servicenow.meta"), "fail", "403", "itil")
    says(line(document, "servicenow.engine"), "fail", "403", "itil or asset")
    says(line(document, "servicenow.instance-api"), "warn", "403", "itil")
    says(line(document, "servicenow.tables", "cmdb_ci"), "fail", "", "a read rule on cmdb_ci")
    says(line(document, "servicenow.tables", "sys_object_source"), "ok", "empty")
    says(line(document, "servicenow.classes"), "skipped", "servicenow.meta failed", "Mend servicenow.meta first")
    says(line(document, "servicenow.discovery-source"), "skipped", "servicenow.engine failed")
    says(line(document, "servicenow.release"), "unknown", "not readable", "service-account.md")
    says(line(document, "servicenow.properties", "glide.identification_engine.dynamic_ire_enabled"), "unknown", "not")
    assert all(one["fix"] for one in document["checks"] if one["status"] != "ok")


def test_a_table_the_account_may_not_read_is_a_line_of_its_own(here: Town) -> None:
    refused = ("cmdb_rel_ci", "cmdb_rel_type", "cmn_location", "core_company", "cmdb_model", "sys_object_source")
    closed = {**dict.fromkeys(refused, "refused"), "sys_choice": "empty"}
    here.app.backend.set_options(table_reading=closed)
    document = examined(here, "servicenow.tables")
    for table in closed:
        says(line(document, "servicenow.tables", table), "warn", "", f"read rule on {table}")


def test_a_sleeping_instance_is_named_and_everything_behind_it_skipped(here: Town) -> None:
    here.app.backend.set_options(hibernating=True)
    document = examined(here, code=5)
    says(line(document, "servicenow.awake"), "fail", "hibernates", "developer.servicenow.com")
    assert {
        one["status"] for one in document["checks"] if one["name"] in ("servicenow.login", "servicenow.classes")
    } == {"skipped"}
    says(line(document, "unifi.site-manager", ""), "ok", "the key is valid")


def test_a_password_that_is_wrong_is_exit_7_with_the_variables_to_check(here: Town) -> None:
    document = examined(here, "servicenow.login", code=7, SERVICENOW_PASSWORD="wrong-canary")
    says(line(document, "servicenow.login", "basic"), "fail", "401", "SERVICENOW_USERNAME and SERVICENOW_PASSWORD")
    assert "wrong-canary" not in json.dumps(document)


def test_of_several_logins_those_that_work_and_those_that_do_not_are_told_apart(here: Town) -> None:
    document = examined(
        here, "servicenow.login", SERVICENOW_API_KEY="not-the-key", SERVICENOW_OAUTH_TOKEN="stale-token"
    )
    says(line(document, "servicenow.login", "OAuth token"), "warn", "refused", "SERVICENOW_OAUTH_TOKEN")
    says(line(document, "servicenow.login", "API key"), "warn", "refused", "REST API access policy")
    says(line(document, "servicenow.login", "basic"), "ok", "accepted")


def test_a_host_that_is_not_there_is_told_by_name_and_port(here: Town) -> None:
    document = examined(here, "servicenow.awake", code=5, SERVICENOW_INSTANCE="http://127.0.0.1:9")
    says(line(document, "servicenow.network"), "fail", "connection refused", "firewall")
    document = examined(here, "servicenow.awake", code=5, SERVICENOW_INSTANCE="https://dev0.invalid")
    says(line(document, "servicenow.network"), "fail", "does not resolve", "DNS")
    says(line(document, "servicenow.awake"), "skipped", "servicenow.network failed")


@pytest.mark.parametrize(("seconds", "status"), [(90, "warn"), (-7200, "fail")])
def test_a_clock_that_is_off_is_told_with_how_far(here: Town, seconds: int, status: str) -> None:
    here.sandbox.servicenow.off_by_seconds = float(seconds)
    here.sandbox.site_manager.off_by_seconds = float(seconds)
    document = examined(here, "servicenow.clock", "unifi.clock", code=3 if status == "fail" else 0)
    side = "ahead of" if seconds > 0 else "behind"
    says(line(document, "servicenow.clock"), status, f"s {side} this machine", "NTP")
    says(line(document, "unifi.clock", "site-manager"), status, f"s {side} this machine", "NTP")


def test_rate_limits_are_told_where_the_instance_names_them(here: Town) -> None:
    rule = {"name": "all", "type": "all", "request_limit": "1000", "active": "true"}
    here.app.instance.insert("sys_rate_limit_rules", rule)
    says(line(examined(here, "servicenow.tables"), "servicenow.quota"), "ok", "x-ratelimit-limit 1000")


class Changed:
    """One instance on which much was changed, examined once."""

    def __init__(self, town: Town) -> None:
        instance, engine = town.app.instance, "glide.identification_engine."
        from beast_dream_snow_loader.sandbox.servicenow.installing import add_field, remove_field
        from beast_dream_snow_loader.sandbox.servicenow.ire.options import IreOptions

        town.app.seed_demo()
        with instance.lock:
            for name, value in (("dynamic_ire_enabled", "true"), ("skip_duplicates", "false")):
                instance.set_property(f"{engine}{name}", value)
            instance.set_property(f"{engine}skip_sys_object_source_matching", "true")
            for name in ("Connects to::Connected by", "Managed by::Manages"):
                instance.delete("cmdb_rel_type", instance.find("cmdb_rel_type", name=name)[0]["sys_id"])
            rows = {
                (row["element"], row["label"]): row["sys_id"] for row in instance.find("sys_choice", name="cmdb_ci")
            }
            instance.delete("sys_choice", rows["install_status", "Retired"])
            instance.update("sys_choice", rows["operational_status", "Retired"], {"value": "9"})
            instance.insert("core_company", {"name": "Ubiquiti Inc.", "manufacturer": "true"})
            instance.insert("cmdb_ire_data_source_rule", {"cmdb_class": "cmdb_ci_netgear", "data_source": "UniFi"})
            instance.insert(
                "cmdb_reconciliation_definition", {"applies_to": "cmdb_ci_netgear", "data_source": "ServiceNow"}
            )
            instance.flush()
        add_field(instance, "cmdb_ci_ups", "correlation_id string:32")
        add_field(instance, "cmdb_ci_pdu", "cost_center string:40 mandatory")
        add_field(instance, "cmdb_ci_wap_network", "model_number string:255 read_only")
        remove_field(instance, "cmdb_ci_netgear", "firmware_version")
        ire = IreOptions(
            inactive_entries=frozenset({200}),
            extra_entries={50: ("name",), 500: ("asset_tag",)},
            inclusion_rule="install_status=1",
            adapter_attributes=("netmask",),
        )
        town.app.backend.set_options(table_reading={"sys_properties": "all"}, ire=ire)
        self.document = town.run(*DOCTOR, "--check", "servicenow").document


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Document]:
    from tests.conftest import Snowload

    estate = Estate.generate(seed=4, consoles=1, sites=1, devices=4)
    with Town(estate, Snowload(tmp_path_factory.mktemp("changed"))) as town:
        yield Changed(town).document


ENGINE = "glide.identification_engine."
CHANGES = [
    ("servicenow.native-keys", "", "fail", "switched off", f"{ENGINE}skip_sys_object_source_matching to false"),
    ("servicenow.identification", "cmdb_ci_netgear", "fail", "INSERT_NOT_ALLOWED_FOR_SOURCE", "data source rule"),
    ("servicenow.properties", f"{ENGINE}dynamic_ire_enabled", "warn", "dynamic IRE is on", "--dry-run"),
    ("servicenow.properties", f"{ENGINE}skip_duplicates", "warn", "is refused", f"Set {ENGINE}skip_duplicates to true"),
    ("servicenow.relation-types", "uplink", "warn", "IP Connection::IP Connection", "Connects to::Connected by"),
    (
        "servicenow.relation-types",
        "managed_by",
        "warn",
        "Controller for::Controlled by, reversed",
        "Managed by::Manages",
    ),
    ("servicenow.status-choices", "install_status Retired", "warn", "no such choice", "value=7, label=Retired"),
    ("servicenow.status-choices", "operational_status Retired", "warn", "is 9 here, 6 elsewhere", "the label decides"),
    ("servicenow.references", "manufacturer: manufacturer Ubiquiti", "warn", "2 rows", "sys_id of the right one"),
    ("servicenow.write-rules", "cmdb_ire_data_source_rule", "warn", "may not insert into cmdb_ci_netgear", "class_map"),
    ("servicenow.write-rules", "cmdb_reconciliation_definition", "warn", "none names UniFi", "Add rules for UniFi"),
    ("servicenow.classes", "camera", "warn", "no such class", "CMDB CI Class Models"),
    (
        "servicenow.fields",
        "cmdb_ci_ups",
        "warn",
        "correlation_id takes 32 characters",
        "Lengthen correlation_id to 100",
    ),
    ("servicenow.fields", "cmdb_ci_pdu", "warn", "demands cost_center", "extra_fields"),
    ("servicenow.fields", "cmdb_ci_wap_network", "warn", "marks model_number read-only", "Clear the read-only flag"),
    ("servicenow.hardware-rule", "entry 50", "ok", "name: active", ""),
    ("servicenow.hardware-rule", "order", "warn", "before the serial number", "after those of the serial number"),
    ("servicenow.hardware-rule", "entry 200", "warn", "not active", "Activate it"),
    ("servicenow.hardware-rule", "entry 500", "warn", "not an entry that ships", "CI Class Manager"),
    ("servicenow.hardware-rule", "inclusion rule", "warn", "install_status=1", "Remove it unless it is meant"),
    ("servicenow.hardware-rule", "adapter entry", "warn", "compares netmask", "restore the shipped entry"),
]


@pytest.mark.parametrize(("name", "subject", "status", "found", "fix"), CHANGES)
def test_what_was_changed_on_the_instance_is_a_line_with_what_to_do(
    changed: Document, name: str, subject: str, status: str, found: str, fix: str
) -> None:
    says(line(changed, name, subject), status, found, fix)


def test_assumptions_that_do_not_hold_are_reported_as_contradictions(changed: Document) -> None:
    verdicts = {one["number"]: one["verdict"] for one in changed["open_points"]}
    assert {number for number, verdict in verdicts.items() if verdict == "contradicts"} == {1, 4, 5, 6}


def test_a_class_without_a_rule_and_a_rule_that_is_gone_are_told(here: Town) -> None:
    from beast_dream_snow_loader.sandbox.servicenow.ire.options import IreOptions

    here.app.backend.set_options(ire=IreOptions(without_rules=frozenset({"cmdb_ci_hardware"})))
    document = examined(here, "servicenow.classes", "servicenow.hardware-rule", code=3)
    says(line(document, "servicenow.classes", "switch"), "fail", "no identification rule", "Hardware Rule")
    says(line(document, "servicenow.hardware-rule"), "fail", "no identification rule", "Restore the Hardware Rule")


def test_an_unregistered_source_is_told_with_the_exact_row_and_nothing_is_written(town: Callable[..., Town]) -> None:
    here = town(Estate.generate(seed=4, sites=1, devices=2), sources=())
    told = line(examined(here, "servicenow.discovery-source", code=3), "servicenow.discovery-source")
    row = "name=cmdb_ci, element=discovery_source, label=UniFi, value=UniFi, language=en, inactive=false"
    says(told, "fail", "UniFi is not a choice", row)
    assert "--register-source" in told["fix"]
    assert not here.app.instance.find("sys_choice", value="UniFi")


def test_a_source_spelt_otherwise_is_told_with_the_setting_to_change(town: Callable[..., Town]) -> None:
    here = town(Estate.generate(seed=4, sites=1, devices=2), sources=("Unifi",))
    told = line(examined(here, "servicenow.discovery-source", code=3), "servicenow.discovery-source")
    says(told, "fail", "but Unifi is", "SERVICENOW_DATA_SOURCE=Unifi")


def register(town: Town, *more: str) -> tuple[int, Document]:
    ended = town.run(*DOCTOR, "--check", "servicenow.discovery-source", "--register-source", *more)
    return ended.code, ended.document


def test_register_source_adds_the_row_once_says_so_and_keeps_it_as_a_run(town: Callable[..., Town]) -> None:
    here = town(Estate.generate(seed=4, sites=1, devices=2), sources=())
    here.run.variables |= {"SERVICENOW_USERNAME": "admin", "SERVICENOW_PASSWORD": "admin-demo"}
    code, document = register(here, "--dry-run")
    says(line(document, "servicenow.register-source"), "ok", "would add to sys_choice: name=cmdb_ci")
    assert not here.app.instance.find("sys_choice", value="UniFi")
    code, document = register(here)
    assert code == 0
    says(line(document, "servicenow.register-source"), "ok", "added to sys_choice: name=cmdb_ci")
    says(line(document, "servicenow.discovery-source"), "ok", "UniFi is registered")
    (row,) = here.app.instance.find("sys_choice", value="UniFi")
    assert {name: row[name] for name in ("name", "element", "label", "language", "inactive")} == {
        "name": "cmdb_ci", "element": "discovery_source", "label": "UniFi", "language": "en", "inactive": "false",
    }  # fmt: skip
    code, document = register(here)
    says(line(document, "servicenow.register-source"), "ok", "registered already")
    assert len(here.app.instance.find("sys_choice", value="UniFi")) == 1
    runs = here.run("runs", "list", "--env", "testing", "--json").document["runs"]
    assert [(run["command"], run["status"]) for run in runs] == [("doctor", "ok")]


@pytest.mark.parametrize(("status", "outcome"), [(403, "refused"), (500, "unknown"), (429, "later")])
def test_a_registration_that_was_not_made_is_settled_as_what_the_answer_says(
    town: Callable[..., Town], status: int, outcome: str
) -> None:
    """R5.2."""
    here = town(Estate.generate(seed=4, sites=1, devices=2), sources=())
    here.sandbox.servicenow.faults.add(
        Fault(effect=Effect.STATUS, status=status, method="POST", path="/api/now/table/sys_choice")
    )
    here.run.variables |= {"SERVICENOW_USERNAME": "admin", "SERVICENOW_PASSWORD": "admin-demo"}
    here.run.variables["SNOWLOAD_RETRY__MAX_ATTEMPTS"] = "1"
    assert register(here)[0] != 0
    file = here.run.home / "audit.jsonl"
    here.run("audit", "export", str(file), "--env", "testing")
    entries = [json.loads(line) for line in file.read_text().splitlines()]
    assert [one["outcome"] for one in entries if one["kind"] == "settled"] == [outcome]


def test_register_source_without_the_right_writes_nothing_and_names_the_row(town: Callable[..., Town]) -> None:
    here = town(Estate.generate(seed=4, sites=1, devices=2), sources=())
    code, document = register(here)
    assert code == 7
    says(line(document, "servicenow.register-source"), "fail", "Nothing was added", "element=discovery_source")


def test_a_registration_whose_answer_was_lost_is_looked_up_and_not_repeated(town: Callable[..., Town]) -> None:
    here = town(Estate.generate(seed=4, sites=1, devices=2), sources=())
    here.run.variables |= {"SERVICENOW_USERNAME": "admin", "SERVICENOW_PASSWORD": "admin-demo"}
    here.sandbox.servicenow.faults.add(
        Fault(effect=Effect.RESET_AFTER, method="POST", path="/api/now/table/sys_choice", first=1)
    )
    code, document = register(here)
    assert code == 0
    says(line(document, "servicenow.register-source"), "ok", "added to sys_choice")
    assert len(here.app.instance.find("sys_choice", value="UniFi")) == 1


def test_a_site_manager_key_that_is_wrong_leaves_the_consoles_to_be_looked_at(here: Town) -> None:
    document = examined(here, "unifi", code=7, UNIFI_API_KEY="revoked-key")
    says(line(document, "unifi.site-manager"), "fail", "401", "UNIFI_API_KEY")
    says(line(document, "unifi.connector"), "skipped", "unifi.site-manager failed")
    assert [one["status"] for one in document["checks"] if one["name"] == "unifi.console"].count("ok") > 3


def consoles(town: Town, **changes: Any) -> str:
    """The consoles' settings, the first of them changed."""
    listed = json.loads(town.run.variables["SNOWLOAD_UNIFI__CONSOLES"])
    first = {name: value for name, value in (listed[0] | changes).items() if value is not None}
    return json.dumps([first, *listed[1:]])


def first_console(town: Town) -> str:
    return town.sandbox.consoles[0].server.url.removeprefix("http://")


def test_a_console_key_that_is_wrong_opens_no_api(here: Town) -> None:
    document = examined(here, "unifi.console", code=7, SNOWLOAD_UNIFI__CONSOLES=consoles(here, api_key="revoked"))
    where = first_console(here)
    says(line(document, "unifi.console", f"{where}, Network Integration API"), "fail", "401", "UNIFI_CONSOLE_API_KEY")


def test_an_account_with_a_second_factor_is_told_to_be_a_local_one(here: Town) -> None:
    from dataclasses import replace

    access = here.sandbox.consoles[1].server.application.application.access
    access.rules = replace(access.rules, multi_factor=True)
    where = here.sandbox.consoles[1].server.url.removeprefix("http://")
    told = line(examined(here, "unifi.console", code=7), "unifi.console", f"{where}, account")
    says(told, "fail", "second factor", "local account")


def test_a_key_that_does_not_open_the_controller_is_less_but_enough(here: Town) -> None:
    from dataclasses import replace

    access = here.sandbox.consoles[0].server.application.application.access
    access.rules = replace(access.rules, key_opens_controller=False)
    told = line(examined(here, "unifi.console"), "unifi.console", f"{first_console(here)}, controller API")
    says(told, "warn", "does not open the controller API", "local account")


def test_a_site_whose_devices_may_not_be_seen_is_named(here: Town) -> None:
    here.sandbox.consoles[0].server.faults.add(Fault(effect=Effect.STATUS, status=403, path="*/stat/device"))
    document = examined(here, "unifi.console", code=7)
    told = [one for one in document["checks"] if one["status"] == "fail"]
    assert len(told) == 1
    assert ", site " in told[0]["subject"]
    says(told[0], "fail", "may not be read", "rights")


def test_a_console_behind_the_connector_that_does_not_answer_is_a_warning(here: Town) -> None:
    here.sandbox.site_manager.faults.add(Fault(effect=Effect.STATUS, status=408, path="/v1/connector/*"))
    document = examined(here, "unifi.connector")
    told = [one for one in document["checks"] if one["name"] == "unifi.connector"]
    assert {one["status"] for one in told} == {"warn"}
    says(told[0], "warn", "408", "UNIFI_CONSOLE_API_KEY")


def test_a_login_that_may_administer_its_console_is_more_than_reading_needs(here: Town) -> None:
    body = '{"meta": {"rc": "ok"}, "data": [{"name": "x", "is_super": true}]}'
    here.sandbox.consoles[0].server.faults.add(Fault(effect=Effect.STATUS, status=200, path="*/api/self", body=body))
    document = examined(here, "unifi.console")
    (told,) = [one for one in document["checks"] if one["status"] == "warn"]
    says(told, "warn", "may administer the console", "role Viewer")


def test_hosts_that_are_away_blocked_or_without_network_are_told_and_a_classic_one_takes_no_key(
    town: Callable[..., Town],
) -> None:
    here = town(Estate.demo())
    classic = json.loads(here.run.variables["SNOWLOAD_UNIFI__CONSOLES"])[2]
    settings = json.dumps([{**classic, "api_key": "no-use-there"}])
    document = examined(here, "unifi", SNOWLOAD_UNIFI__CONSOLES=settings)
    found = {one["subject"]: one for one in document["checks"] if one["name"] == "unifi.site-manager"}
    says(found["host Self-hosted network"], "warn", "offline", "Bring it back online")
    says(found["host Video recorder"], "ok", "does not run Network")
    assert sum("blocked: not read" in one["found"] for one in found.values()) == 1
    where = classic["url"].removeprefix("http://")
    says(line(document, "unifi.console", where), "ok", "self-hosted Network application")
    says(line(document, "unifi.console", f"{where}, key"), "warn", "no use on a self-hosted", "role Viewer")


def test_behind_a_proxy_the_certificate_is_not_looked_at_and_that_is_said(here: Town) -> None:
    document = examined(here, "servicenow.network", HTTP_PROXY="http://somebody:canary-proxy@127.0.0.1:9")
    says(line(document, "servicenow.network"), "unknown", "through the proxy 127.0.0.1:9", "NO_PROXY")
    assert "canary-proxy" not in json.dumps(document)


def test_a_read_that_is_not_complete_is_told_by_a_deep_look(here: Town) -> None:
    here.sandbox.consoles[0].server.faults.add(Fault(effect=Effect.STATUS, status=500, path="*/stat/sta"))
    ended = here.run(*DOCTOR, "--deep", "--check", "unifi.completeness")
    told = [one for one in ended.document["checks"] if one["status"] == "warn"]
    assert told, ended.out
    says(told[0], "warn", "not complete", "nothing there is retired")


def test_certificates_pinned_or_not_verified_or_wrong_are_told(town: Callable[..., Town], tmp_path: Path) -> None:
    from beast_dream_snow_loader.sandbox.certificate import self_signed
    from beast_dream_snow_loader.sandbox.serving import Server

    here = town(Estate.generate(seed=4, sites=1, devices=2))
    plain = here.sandbox.consoles[0].server
    certificate = self_signed()
    with Server(plain.application, tls=certificate) as secure:
        url, pin = secure.url, certificate.fingerprint
        where = url.removeprefix("https://")
        cases = [
            (f"fingerprint:{pin}", "ok", "pinned", ""),
            (False, "warn", "not verified", f"verify_tls = fingerprint:{pin}"),
            (True, "fail", "not trusted", "pin its certificate"),
            ("fingerprint:" + "0" * 64, "fail", "does not show the pinned certificate", f"fingerprint:{pin}"),
        ]
        for verify, status, found, fix in cases:
            settings = consoles(here, url=url, verify_tls=verify)
            document = examined(
                here, "unifi.certificate", code=5 if status == "fail" else 0, SNOWLOAD_UNIFI__CONSOLES=settings
            )
            told = line(document, f"unifi.{'network' if status == 'fail' else 'certificate'}", where)
            says(told, status, found, fix)
            if status == "ok":
                assert "364 days left" in told["found"]


def test_settings_that_do_not_parse_are_a_failed_line_too(here: Town) -> None:
    document = examined(here, code=6, SNOWLOAD_RETRY__MAX_ATTEMPTS="many")
    says(line(document, "configuration.settings"), "fail", "problem")


def test_logins_that_are_missing_for_one_end_leave_the_other_to_be_looked_at(here: Town) -> None:
    document = examined(here, code=6, SERVICENOW_PASSWORD="")
    says(line(document, "configuration.logins", "servicenow"), "fail", "no ServiceNow login", "snowload config init")
    says(line(document, "servicenow.awake"), "skipped", "configuration.logins[servicenow] failed")
    says(line(document, "unifi.site-manager", ""), "ok", "valid")


def test_a_secret_that_does_not_resolve_names_its_setting(here: Town) -> None:
    document = examined(here, code=6, UNIFI_API_KEY="env:NOT_SET_ANYWHERE", SERVICENOW_PASSWORD="file:/nowhere")
    says(line(document, "configuration.secrets", "servicenow"), "fail", "servicenow.password", "Mend the reference")
    says(line(document, "configuration.secrets", "unifi"), "fail", "NOT_SET_ANYWHERE", "unifi.api_key")
    says(line(document, "unifi.site-manager"), "skipped", "does not resolve")
    good = examined(here, "configuration", UNIFI_API_KEY="env:KEY_IS_HERE", KEY_IS_HERE="a-key-nobody-sees")
    says(line(good, "configuration.secrets", "unifi.api_key"), "ok", "resolves (env: reference)")
    assert "a-key-nobody-sees" not in json.dumps(good)


@pytest.mark.parametrize("setting", ["audit.key", "notify.webhook_url", "telemetry.otlp_headers"])
def test_no_section_with_a_secret_is_forgotten(here: Town, setting: str) -> None:
    variable = f"SNOWLOAD_{setting.replace('.', '__').upper()}"
    document = examined(here, "configuration", code=6, **{variable: "env:NOT_SET_ANYWHERE"})
    says(line(document, "configuration.secrets", setting.partition(".")[0]), "fail", "NOT_SET_ANYWHERE", setting)


def test_a_mapping_that_does_not_hold_is_told_and_the_rest_looked_at(here: Town) -> None:
    document = examined(here, "configuration", code=6, SNOWLOAD_MAPPING='{"gateway_clas": "router"}')
    says(line(document, "configuration.settings", "mapping"), "fail", "gateway_clas", "snowload config check")


def state(town: Town) -> Path:
    return Path(town.run.variables["SNOWLOAD_STATE_DIR"]) / "testing"


def test_a_state_directory_that_others_may_look_into_is_told(here: Town) -> None:
    examined(here, "state")
    state(here).chmod(0o755)
    says(line(examined(here, "state"), "state.disk", "permissions"), "warn", "mode 0755", f"chmod 700 {state(here)}")


def test_a_damaged_database_fails_with_exit_12_and_the_ends_are_looked_at(here: Town) -> None:
    examined(here, "state")
    (state(here) / "state.sqlite").write_bytes(b"this is no database" * 500)
    document = examined(here, "state", "servicenow.login", code=12)
    says(line(document, "state.database"), "fail", "state.sqlite")
    says(line(document, "servicenow.login", "basic"), "ok", "accepted")


def test_writes_that_wait_and_a_run_that_holds_the_target_are_told(here: Town) -> None:
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.HIBERNATING, path="/api/now/identifyreconcile/enhanced"))
    assert here.run("load", "--env", "testing").code == 8
    here.sandbox.servicenow.faults.clear()
    with sqlite3.connect(state(here) / "state.sqlite") as database:
        mine = (os.getpid(), platform.node(), psutil.Process().create_time())
        database.execute("update leases set run_id = 'run-x', pid = ?, host = ?, process_started = ?", mine)
    document = examined(here, "state")
    says(line(document, "state.database", "queue"), "warn", "are queued", "snowload replay-queue")
    says(line(document, "state.lock"), "warn", "held by run run-x", "snowload runs list")


def test_what_takes_too_long_has_failed_and_the_rest_is_there(here: Town) -> None:
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.HANG, seconds=30.0, path="/api/now/cmdb/meta/*"))
    ended = here.run(*DOCTOR, "--check", "servicenow.meta", "--check", "servicenow.tables", "--timeout", "8s")
    says(line(ended.document, "servicenow.meta"), "fail", "no answer within 8 s", "--timeout 16s")
    assert ended.code == 3
    says(line(ended.document, "servicenow.tables", "cmdb_ci"), "ok", "readable")


@pytest.mark.parametrize("arguments", [("--check", "servicenow.clas"), ("--timeout", "soon"), ("--timeout", "0s")])
def test_a_check_that_is_not_there_and_a_time_that_is_none_are_bad_arguments(
    here: Town, arguments: tuple[str, ...]
) -> None:
    ended = here.run(*DOCTOR, *arguments)
    assert ended.code == 2
    assert ended.document["error"]["next_step"]


def test_people_get_the_lines_the_fixes_and_the_verdict(here: Town) -> None:
    here.app.backend.set_options(closed_apis=frozenset({"CMDB Meta API"}))
    ended = here.run("doctor", "--env", "testing", "--check", "servicenow.classes")
    assert ended.code == 7
    assert "fail servicenow.meta: Give the account the role itil" in ended.out
    assert "doctor: fail (" in ended.out
    quiet = here.run("doctor", "--env", "testing", "--check", "servicenow.login", "--quiet")
    assert (quiet.code, quiet.out) == (0, "")
