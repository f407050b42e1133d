"""One record at a time: what counts as known, what is left out, and what never travels on."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import orjson
import pytest

from beast_dream_snow_loader.core.findings import Severity
from beast_dream_snow_loader.core.observed import Device, Presence, Snapshot
from beast_dream_snow_loader.errors import SourceDataInvalid
from beast_dream_snow_loader.unifi.offline import read_saved
from tests.unifi.conftest import FIXTURES, client, device

RECORDED = sorted(f for f in FIXTURES.rglob("*.json") if "errors" not in f.parts and "exchange" not in f.name)
BASE: dict[str, Any] = {"mac": "00:00:5e:00:53:31", "type": "usw", "model": "US8", "version": "7.2.123.1",
                        "adopted": True, "state": 1}  # fmt: skip


def saved(tmp_path: Path, *documents: object) -> Snapshot:
    for number, document in enumerate(documents):
        body = document if isinstance(document, bytes) else orjson.dumps(document)
        (tmp_path / f"{number}.json").write_bytes(body)
    return read_saved(tmp_path)


def controller(*records: object) -> dict[str, object]:
    return {"meta": {"rc": "ok"}, "data": list(records)}


def one(tmp_path: Path, **changes: object) -> Device:
    record = {key: value for key, value in {**BASE, **changes}.items() if value is not ...}
    return saved(tmp_path, controller(record)).devices[0]


@pytest.mark.parametrize(
    ("state", "presence"),
    [(0, "offline"), (1, "online"), (4, "transient"), (5, "transient"), (6, "transient"), (9, "transient"),
     (11, "transient"), (99, "transient"), ("1", "online"), (None, "transient")],
)  # fmt: skip
def test_state_codes_become_a_presence_and_unknown_ones_are_never_offline(
    tmp_path: Path, state: object, presence: str
) -> None:
    assert one(tmp_path, state=state).presence is Presence(presence)


@pytest.mark.parametrize("changes", [{"adopted": False}, {"adopted": ...}, {"state": 2}, {"state": 7}, {"state": 8}])
def test_what_is_not_adopted_or_on_its_way_in_or_out_is_left_out(tmp_path: Path, changes: dict[str, object]) -> None:
    record = {key: value for key, value in {**BASE, **changes}.items() if value is not ...}
    assert saved(tmp_path, controller(record)).devices == ()


@pytest.mark.parametrize("value", [None, "", " ", ...], ids=["null", "empty", "blank", "absent"])
def test_absent_null_and_empty_are_all_unknown(tmp_path: Path, value: object) -> None:
    seen = one(tmp_path, name=value, ip=value, serial=value, uplink=value, last_uplink=value)
    assert (seen.name, seen.management_ip, seen.serial, seen.uplink_mac) == (None, None, None, None)


def test_a_gateways_outside_address_is_never_its_management_address(tmp_path: Path) -> None:
    gateway = {"type": "ugw", "model": "UGW3", "ip": "198.51.100.4"}
    assert one(tmp_path, **gateway).management_ip is None
    assert one(tmp_path, **gateway, lan_ip="192.0.2.1").management_ip == "192.0.2.1"
    networks = [{"purpose": "wan", "ip": "198.51.100.4"}, {"purpose": "corporate", "ip": "192.168.0.1"}]
    assert one(tmp_path, **gateway, network_table=networks).management_ip == "192.168.0.1"


def test_a_switch_has_the_address_it_has_now_not_the_one_it_once_asked_from(tmp_path: Path) -> None:
    assert one(tmp_path, ip="192.0.2.7", connect_request_ip="192.0.2.99").management_ip == "192.0.2.7"


def test_a_gateway_serving_as_access_point_is_no_console(tmp_path: Path) -> None:
    seen = one(tmp_path, type="udm", model="UX", ip="10.0.0.7", uplink={"uplink_mac": "00:00:5e:00:53:32"})
    assert (seen.is_console, seen.uplink_mac, seen.management_ip) == (False, "00005e005332", "10.0.0.7")


def test_an_uplink_survives_going_offline_and_is_never_the_device_itself(tmp_path: Path) -> None:
    last = {"uplink_mac": "00:00:5e:00:53:33"}
    assert one(tmp_path, state=0, last_uplink=last).uplink_mac == "00005e005333"
    assert one(tmp_path, uplink={"uplink_mac": BASE["mac"]}).uplink_mac is None


def test_a_wireless_client_that_just_left_is_not_wired(tmp_path: Path) -> None:
    record = {"mac": "00:00:5e:00:53:a1", "is_wired": True, "essid": "corp", "uptime": 3, "first_seen": 1,
              "ap_mac": "00:00:5e:00:53:03", "sw_mac": "00:00:5e:00:53:02"}  # fmt: skip
    seen = client(saved(tmp_path, controller(record)), "00005e0053a1")
    assert (seen.wired, seen.uplink_mac) == (False, "00005e005303")


def test_a_managed_device_is_no_client(tmp_path: Path) -> None:
    snapshot = saved(tmp_path, controller(BASE), controller({"mac": BASE["mac"], "first_seen": 1, "uptime": 1}))
    assert (len(snapshot.devices), snapshot.clients) == (1, ())


def test_a_record_belongs_to_the_site_it_names(tmp_path: Path) -> None:
    sites = [{"_id": f"{n}", "name": f"short{n}", "desc": f"Site {n}", "role": "admin"} for n in (1, 2)]
    snapshot = saved(tmp_path, controller({**BASE, "site_id": "2"}), controller(*sites))
    assert device(snapshot, "00005e005331").site == "short2"


def test_a_body_packed_without_saying_so_is_unpacked(tmp_path: Path) -> None:
    assert len(saved(tmp_path, gzip.compress(orjson.dumps(controller(BASE)))).devices) == 1


def test_one_name_in_a_wrong_encoding_does_not_cost_the_others(tmp_path: Path) -> None:
    body = orjson.dumps(controller({**BASE, "name": "Zoe"}, {**BASE, "mac": "00:00:5e:00:53:32"}))
    snapshot = saved(tmp_path, body.replace(b"Zoe", b"Zo\xeb"))
    assert [d.name for d in snapshot.devices] == ["Zo\ufffd", None]


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.name)
def test_no_key_token_or_person_planted_anywhere_in_a_recorded_answer_travels_on(file: Path, tmp_path: Path) -> None:
    planted: list[str] = []
    private = ("x_", "key", "token", "pass", "secret", "email", "full", "location", "note", "owner", "sso", "syslog",
               "anon", "localid", "permissions", "ssid_", "qrid", "cpu.id", "guest_", "lat", "long", "text",
               "registration", "ipaddrs", "wans", "directconnect")  # fmt: skip

    def plant(value: object, name: str = "") -> object:
        if isinstance(value, dict):
            extra = {"x_authkey": "", "x_ssh_hostkey": "", "email": "", "fullName": ""}
            return {key: plant(inner, key) for key, inner in {**extra, **value}.items()}
        if isinstance(value, list):
            return [plant(inner, name) for inner in value]
        if name.lower().startswith(private) and not isinstance(value, bool | int | float):
            planted.append(f"CANARY{len(planted)}CANARY")
            return planted[-1]
        return value

    snapshot = saved(tmp_path, plant(orjson.loads(file.read_bytes())))
    assert planted
    assert "CANARY" not in repr(snapshot)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not valid JSON"),
        (b'{"data": [{"mac": "00:00', "not valid JSON"),
        (b"[" * 200_000, "not valid JSON"),
        (b"<html>", "web page"),
        (b"\x1f\x8bnot gzip", "does not unpack"),
        (b'{"data": [{"mac": 7}]}', "no UniFi answer"),
        (b'{"meta": {"rc": "error", "msg": "api.err.NoPermission"}, "data": []}', "request that failed"),
        (b'{"code": "unauthorized", "httpStatusCode": 401, "message": "no", "traceId": "1"}', "request that failed"),
        (b'{"statusCode": 401, "statusName": "UNAUTHORIZED"}', "request that failed"),
        (b'{"error": "Unauthorized", "message": "no"}', "request that failed"),
    ],
)
def test_a_file_that_does_not_read_is_named_with_what_is_wrong(tmp_path: Path, body: bytes, words: str) -> None:
    (tmp_path / "0.json").write_bytes(body)
    with pytest.raises(SourceDataInvalid, match=words) as raised:
        read_saved(tmp_path / "0.json")
    findings = read_saved(tmp_path).findings
    assert [finding.record for finding in findings if finding.severity is Severity.ERROR] == ["0.json"]
    assert "0.json" in str(raised.value)
    assert "0.json" in raised.value.path


@pytest.mark.parametrize("place", ["nowhere.json", "."])
def test_a_path_with_nothing_in_it_is_said_to_be_so(tmp_path: Path, place: str) -> None:
    with pytest.raises(SourceDataInvalid, match="saved"):
        read_saved(tmp_path / place)
