"""``snowload doctor --bundle``: what may be sent away, and what must never be in it (R5.3)."""

from __future__ import annotations

import base64
import json
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from tests.scenarios.conftest import Town

DOCTOR = ("doctor", "--env", "testing", "--json", "--check", "servicenow.login")
PASSWORD = 'canary/p+ss "wörd"&7'
NAMES = [
    "doctor.json",
    "configuration.json",
    "versions.json",
    "state.json",
    "runs.json",
    "instance.json",
    "log-tail.jsonl",
]


@pytest.fixture
def here(town: Callable[..., Town]) -> Town:
    return town(Estate.generate(seed=4, sites=1, devices=3))


def encoded(secret: str) -> list[bytes]:
    """As it stands in headers and addresses. Written out here: the test shares no code with what it checks."""
    plain = secret.encode()
    whole = [base64.b64encode(prefix + plain + b"~~~") for prefix in (b"", b"snowload:", b"a:", b"ab:")]
    texts = [secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1], plain.hex()]
    return [*(text.encode() for text in texts), *whole, *map(url_safe, whole)]


def telling(secret: str) -> list[bytes]:
    """Of each encoding, what is enough to know the secret by: base64 without its first and last groups."""
    forms = encoded(secret)
    return [*forms[:5], *(form[12:-8] for form in forms[5:])]


def url_safe(code: bytes) -> bytes:
    return code.replace(b"+", b"-").replace(b"/", b"_")


def packed(town: Town, file: Path, **variables: str) -> dict[str, bytes]:
    ended = town.run(*DOCTOR, "--bundle", str(file), **variables)
    told = ended.document["bundle"]
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    assert [one["name"] for one in told["contents"]] == list(members)
    assert [one["bytes"] for one in told["contents"]] == [len(data) for data in members.values()]
    return members


def test_the_archive_is_for_its_owner_alone_and_lists_what_it_holds(here: Town, tmp_path: Path) -> None:
    file = tmp_path / "support.zip"
    assert here.run("load", "--env", "testing").code == 0
    members = packed(here, file)
    assert list(members) == NAMES
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(members["doctor.json"])["schema"] == "snowload.doctor/1"
    assert json.loads(members["versions.json"])["packages"]["requests"][0].isdigit()
    (run,) = json.loads(members["runs.json"])
    assert (run["command"], run["written"]["created"]) == ("load", 3)
    rows = {row["key"]: row["value"] for row in json.loads(members["configuration.json"])}
    assert rows["servicenow.password"] == "[hidden]"
    assert json.loads(members["state.json"])["kind"] == "sqlite"


def test_runs_hold_numbers_and_no_device(here: Town, tmp_path: Path) -> None:
    assert here.run("load", "--env", "testing").code == 0
    members = packed(here, tmp_path / "support.zip")
    for device in here.estate.devices(here.estate.consoles()[0].host_id):
        assert device.mac.lower().encode() not in members["runs.json"].lower()
        assert device.name.encode() not in members["runs.json"]


def test_no_form_of_a_secret_is_in_any_member_even_when_the_log_holds_it(here: Town, tmp_path: Path) -> None:
    home = Path(here.run.variables["SNOWLOAD_STATE_DIR"]) / "testing" / "log"
    home.mkdir(parents=True)
    planted = [json.dumps({"event": "x", "text": form.decode()}) for form in encoded(PASSWORD)]
    (home / "snowload.jsonl").write_text("\n".join([*planted, f"not json {PASSWORD}", ""]), encoding="utf-8")
    members = packed(here, tmp_path / "support.zip", SERVICENOW_PASSWORD=PASSWORD, UNIFI_API_KEY="another-canary")
    assert b"[hidden]" in members["log-tail.jsonl"]
    for name, data in members.items():
        for form in [*telling(PASSWORD), *telling("another-canary")]:
            assert form not in data, (name, form)


def test_passwords_in_addresses_are_hidden_in_the_archive_and_by_config_show(here: Town, tmp_path: Path) -> None:
    url = "postgresql+psycopg://loader:canary-in-url@127.0.0.1:9/none"
    members = packed(here, tmp_path / "support.zip", SNOWLOAD_STATE_URL=url)
    assert not any(b"canary-in-url" in data for data in members.values())
    shown = here.run("config", "show", "--env", "testing", SNOWLOAD_STATE_URL=url)
    assert "canary-in-url" not in shown.out
    assert "loader:[hidden]@127.0.0.1" in shown.out


def test_text_that_could_act_is_made_harmless(here: Town, tmp_path: Path) -> None:
    home = Path(here.run.variables["SNOWLOAD_STATE_DIR"]) / "testing" / "log"
    home.mkdir(parents=True)
    evil = "\x1b[31m<script>alert(1)</script>\u202egnp.exe"
    (home / "snowload.jsonl").write_text(json.dumps({"event": evil}) + "\n" + evil + "\n", encoding="utf-8")
    tail = packed(here, tmp_path / "support.zip")["log-tail.jsonl"]
    assert b"script" in tail
    for part in (b"\x1b", b"<script", "\u202e".encode()):
        assert part not in tail


def test_an_archive_that_cannot_be_written_is_an_error_that_names_it(here: Town, tmp_path: Path) -> None:
    ended = here.run(*DOCTOR, "--bundle", str(tmp_path))
    assert ended.code == 2
    assert str(tmp_path) in ended.document["error"]["message"]
