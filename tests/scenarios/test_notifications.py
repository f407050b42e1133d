"""People are told what loads come to: once, on every channel, and never at the load's expense (R4.4)."""

from __future__ import annotations

import hashlib
import hmac
import json
import shutil
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import jsonschema
import pytest

from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.core.run import RunStatus
from beast_dream_snow_loader.sandbox.certificate import Certificate, self_signed
from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.sandbox.messages import HttpAnswer, HttpRequest
from beast_dream_snow_loader.sandbox.servicenow.ire.options import IreOptions
from beast_dream_snow_loader.sandbox.serving import Server
from beast_dream_snow_loader.state.store import open_store
from tests.conftest import Ended, Snowload
from tests.history.generate import runs
from tests.scenarios.conftest import Town
from tests.scenarios.desk import (
    LOAD,
    RETIRING,
    WRITES,
    OpenTown,
    away,
    keeps,
    one_switch,
    refuse,
    remove,
    running,
    unifi_away,
    when,
    writing,
)
from tests.scenarios.mailbox import MailServer

TEST = ("notify", "test", "--env", "testing", "--json")
PATH, SECRET, PASSWORD = "/hooks/T0-canary-path-4711", "canary-signing-key-4711", "canary-mail-password-4711"


class Receiver:
    """Takes what it is sent; ``status`` is its answer, after ``does``."""

    def __init__(self) -> None:
        self.got: list[HttpRequest] = []
        self.status, self.headers = 204, ()
        self.does: Callable[[], object] = lambda: None

    def answer(self, request: HttpRequest) -> HttpAnswer:
        self.got.append(request)
        self.does()
        return HttpAnswer(status=self.status, headers=self.headers)

    def messages(self) -> list[dict[str, Any]]:
        file = resources.files("beast_dream_snow_loader") / "schemas" / "notice.schema.json"
        found = [json.loads(request.body) for request in self.got if "x-snowload-notice" in request.headers]
        for one in found:
            jsonschema.validate(one, json.loads(file.read_text("utf-8")))
        return found

    def told(self) -> list[list[tuple[str, bool]]]:
        """Message by message: the conditions, and whether each is over."""
        return [[(one["condition"], one["recovered"]) for one in message["notices"]] for message in self.messages()]


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def hook(receiver: Receiver) -> Iterator[Server]:
    with Server(receiver) as running:
        yield running


@pytest.fixture
def here(town: OpenTown, hook: Server) -> Town:
    """A small town whose loads tell a webhook."""
    opened = town(Estate.generate(seed=3, sites=1, devices=4))
    opened.run.variables["SNOWLOAD_NOTIFY__WEBHOOK_URL"] = f"{hook.url}{PATH}"
    return opened


@pytest.fixture(scope="module")
def certificate() -> Certificate:
    return self_signed("localhost")


@pytest.fixture
def mail(certificate: Certificate) -> Iterator[MailServer]:
    with MailServer(certificate, password=PASSWORD) as running:
        yield running


@pytest.fixture
def by_mail(mail: MailServer, certificate: Certificate, tmp_path: Path) -> dict[str, str]:
    authorities = tmp_path / "ca.pem"
    authorities.write_bytes(certificate.certificate_pem)
    return {
        "SNOWLOAD_NOTIFY__SMTP_HOST": "localhost",
        "SNOWLOAD_NOTIFY__SMTP_PORT": str(mail.port),
        "SNOWLOAD_NOTIFY__SMTP_USERNAME": "snowload",
        "SNOWLOAD_NOTIFY__SMTP_PASSWORD": "env:MAIL_PASSWORD",
        "SNOWLOAD_NOTIFY__SMTP_SENDER": "snowload@example.com",
        "SNOWLOAD_NOTIFY__SMTP_RECIPIENTS": '["ops@example.com", "cmdb@example.com"]',
        "SNOWLOAD_NOTIFY__CA_FILE": str(authorities),
        "MAIL_PASSWORD": PASSWORD,
    }


def refusing(here: Town) -> None:
    refuse(here, one_switch(here.estate))


def well(here: Town) -> None:
    here.app.backend.set_options(ire=IreOptions())
    here.sandbox.servicenow.faults.clear()


def rows(ended: Ended) -> dict[str, str]:
    """Channel → outcome."""
    return {one["channel"]: one["outcome"] for one in ended.document.get("notifications", ())}


def test_a_load_that_is_well_tells_nobody_and_one_that_is_not_tells_once(here: Town, receiver: Receiver) -> None:
    assert here.run(*LOAD).code == 0
    assert receiver.got == []
    refusing(here)
    first = here.run(*LOAD, "--full")
    assert (first.code, rows(first)) == (3, {"webhook": "sent"})
    keeps(first.document)
    (message,) = receiver.messages()
    assert (message["run_id"], message["exit_code"]) == (first.document["run_id"], 3)
    assert message["notices"][0]["condition"] == "partial"
    assert "snowload" in message["notices"][0]["next_step"]
    assert here.run(*LOAD, "--full").code == 3
    assert len(receiver.got) == 1, "the same was told again within the quiet period"


def test_what_lasts_is_told_again_after_the_quiet_period(here: Town, receiver: Receiver) -> None:
    refusing(here)
    for _ in range(2):
        assert here.run(*LOAD, "--full", SNOWLOAD_NOTIFY__REPEAT_AFTER="0s").code == 3
    assert receiver.told() == [[("partial", False)]] * 2
    first, second = receiver.messages()
    assert second["notices"][0]["since"] == first["notices"][0]["since"]


def test_it_is_told_once_that_all_is_well_again(here: Town, receiver: Receiver) -> None:
    refusing(here)
    assert here.run(*LOAD).code == 3
    well(here)
    for _ in range(2):
        assert here.run(*LOAD, "--full").code == 0
    assert receiver.told() == [[("partial", False)], [("partial", True)]]


def test_everything_of_one_run_is_one_message(here: Town, receiver: Receiver) -> None:
    assert here.run(*LOAD).code == 0
    unifi_away(here)
    away(here)
    ended = here.run(*LOAD, "--full", SNOWLOAD_NOTIFY__STALE_LONGER_THAN="0s")
    assert ended.code != 0
    (told,) = receiver.told()
    assert ("stale_longer_than", False) in told
    assert len(told) >= 2


@pytest.mark.parametrize(
    ("variables", "arguments", "code", "condition"),
    [
        ({"SERVICENOW_PASSWORD": "wrong-one"}, (), 7, "failed"),
        ({"SERVICENOW_PASSWORD": "env:NOT_THERE"}, (), 6, "failed"),
        ({"SNOWLOAD_SERVICENOW__MODE": "read-only"}, (), 8, "queued"),
        ({}, ("--site", "no such site"), 2, "failed"),
    ],
)
def test_a_load_that_cannot_work_is_told_of(
    here: Town, receiver: Receiver, variables: dict[str, str], arguments: tuple[str, ...], code: int, condition: str
) -> None:
    ended = here.run(*LOAD, *arguments, **variables)
    assert ended.code == code, ended.err
    assert receiver.told() == [[(condition, False)]]
    assert receiver.messages()[0]["exit_code"] == code


def test_a_load_that_a_guard_refused_is_told_of(here: Town, receiver: Receiver, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    assert here.run("plan", "--env", "testing", "--out", str(file)).code == 0
    assert here.run(*LOAD, "--plan", str(file), SNOWLOAD_FEATURES__LINKS="false").code == 4
    assert receiver.told() == [[("refused", False)]]


def test_a_source_without_a_snapshot_is_told_of(here: Town, receiver: Receiver) -> None:
    unifi_away(here)
    assert here.run(*LOAD).code == 5
    assert ("failed", False) in receiver.told()[0]


def test_a_damaged_state_is_told_of_each_time_for_nothing_can_be_remembered(here: Town, receiver: Receiver) -> None:
    assert here.run(*LOAD).code == 0
    (database,) = here.run.home.rglob("state.sqlite")
    database.write_bytes(b"no database " * 1000)
    here.run.far_apart = False  # type: ignore[attr-defined]
    ended = here.run(*LOAD)
    assert ended.code == 12, ended.err
    assert receiver.told() == [[("failed", False)]]
    assert rows(ended) == {"memory": "failed", "webhook": "sent"}


def test_a_dry_run_and_a_switched_off_part_tell_nobody(here: Town, receiver: Receiver) -> None:
    """X3."""
    refusing(here)
    here.run(*LOAD, "--dry-run")
    off = here.run(*LOAD, SNOWLOAD_FEATURES__NOTIFICATIONS="false")
    assert (off.code, receiver.got) == (3, [])
    assert "notifications" not in off.document
    shown = here.run("config", "show", "--env", "testing", "--json").document["features"]
    assert ("notifications", True) in [(part["name"], part["on"]) for part in shown]


def test_only_what_was_asked_for_is_told(here: Town, receiver: Receiver) -> None:
    refusing(here)
    assert here.run(*LOAD, SNOWLOAD_NOTIFY__ON='["failed"]').code == 3
    assert receiver.got == []


def test_a_webhook_can_be_verified(here: Town, receiver: Receiver) -> None:
    refusing(here)
    here.run(*LOAD, SNOWLOAD_NOTIFY__WEBHOOK_SECRET="env:SIGNING", SIGNING=SECRET)
    (request,) = receiver.got
    moment = request.headers["x-snowload-timestamp"]
    digest = hmac.new(SECRET.encode(), f"{moment}.".encode() + request.body, hashlib.sha256).hexdigest()
    assert request.headers["x-snowload-signature"] == f"sha256={digest}"


def test_a_channel_that_fails_changes_no_exit_code_and_the_next_run_sends_what_waits(
    here: Town, receiver: Receiver
) -> None:
    refusing(here)
    receiver.status = 403
    first = here.run(*LOAD)
    assert (first.code, rows(first)) == (3, {"webhook": "failed"})
    receiver.status = 200
    well(here)
    assert here.run(*LOAD, "--full").code == 0
    assert receiver.told() == [[("partial", False)], [("partial", False)], [("partial", True)]]
    assert receiver.messages()[0]["id"] == receiver.messages()[1]["id"]


def test_a_channel_that_cannot_be_reached_is_left_alone_for_a_while(here: Town, receiver: Receiver) -> None:
    """X1: the next process knows of it, and a person can see it."""
    here.run.far_apart = False  # type: ignore[attr-defined]
    one = {"SNOWLOAD_CIRCUIT_BREAKER__NOTIFY__WEBHOOK__FAILURE_THRESHOLD": "1", "SNOWLOAD_NOTIFY__REPEAT_AFTER": "0s"}
    one["SNOWLOAD_CIRCUIT_BREAKER__NOTIFY__WEBHOOK__FIRST_WAIT_SECONDS"] = "3600"
    one["SNOWLOAD_CIRCUIT_BREAKER__NOTIFY__WEBHOOK__RECOVERY_TIMEOUT_SECONDS"] = "3600"
    refusing(here)
    receiver.status = 503
    ended = here.run("load", "--env", "testing", **one)
    assert ended.code == 3
    assert "not told by webhook" in ended.out
    asked = len(receiver.got)
    assert rows(here.run(*LOAD, **one)) == {"webhook": "failed"}
    assert len(receiver.got) == asked > 0
    listed = here.run("breakers", "list", "--env", "testing", "--json").document["breakers"]
    assert ("notify.webhook", "open") in [(breaker["name"], breaker["state"]) for breaker in listed]


def test_a_redirect_is_not_followed(here: Town, receiver: Receiver, hook: Server) -> None:
    """S8."""
    receiver.status, receiver.headers = 307, (("Location", f"{hook.url}/elsewhere"),)
    refusing(here)
    ended = here.run(*LOAD)
    assert (ended.code, rows(ended)) == (3, {"webhook": "failed"})
    assert {request.path for request in receiver.got} == {PATH}


@pytest.mark.parametrize("limit", ["TIMEOUT_SECONDS", "TOTAL_SECONDS"])
def test_a_receiver_that_hangs_does_not_hold_a_load_up_for_longer_than_was_allowed(
    here: Town, hook: Server, limit: str
) -> None:
    hook.faults.add(Fault(effect=Effect.HANG, seconds=100.0, path="*"))
    refusing(here)
    begun = time.monotonic()
    ended = here.run(*LOAD, **{f"SNOWLOAD_NOTIFY__{limit}": "0.1"})
    assert (ended.code, rows(ended)) == (3, {"webhook": "failed"})
    assert time.monotonic() - begun < 60  # it would be 100


@pytest.mark.parametrize("when_asked", ["while it writes", "while people are told"])
def test_whoever_asks_for_the_end_twice_waits_for_no_receiver(here: Town, receiver: Receiver, when_asked: str) -> None:
    """L7: and nobody hears of a defect."""
    held = threading.Event()
    receiver.does = lambda: held.wait(60)
    here.run.variables |= {"SNOWLOAD_NOTIFY__TIMEOUT_SECONDS": "30", "SNOWLOAD_NOTIFY__TOTAL_SECONDS": "60"}
    if when_asked == "while it writes":
        here.sandbox.servicenow.faults.add(Fault(effect=Effect.LATENCY, path=WRITES, seconds=40))
        load = writing(here)
    else:
        refusing(here)
        load = running(here, *LOAD)
        when(lambda: receiver.got, "nobody was told")
    for _ in range(2):
        load.send_signal(signal.SIGTERM)
        time.sleep(0.5)
    _, said = load.communicate(timeout=20)
    held.set()
    assert (load.returncode, "defect" in said) == (143, False)
    assert len(receiver.got) == (when_asked == "while people are told")


def test_people_and_the_dead_mans_switch_hear_the_exit_code_with_which_it_ends(
    here: Town, receiver: Receiver, hook: Server, tmp_path: Path
) -> None:
    """A file of errors that cannot be written at the end makes it another one."""
    folder = tmp_path / "out"
    folder.mkdir()

    def lost() -> None:
        if folder.is_dir():
            shutil.rmtree(folder)
            folder.write_text("")

    receiver.does = lost
    ended = here.run(*LOAD, "--errors", str(folder / "file"), SNOWLOAD_NOTIFY__PING_URL=f"{hook.url}/ping")
    assert ended.code != 0
    (start, _), (fail, told), *_ = pings(receiver)
    assert (start, fail, told["exit_code"]) == ("/ping/start", "/ping/fail", str(ended.code))
    assert [message["exit_code"] for message in receiver.messages()] == [ended.code]


def test_a_defect_in_telling_changes_no_exit_code_and_says_who_was_told(
    here: Town, receiver: Receiver, hook: Server
) -> None:
    """A letter that is none of ours stands for it."""
    refusing(here)
    receiver.status = 403
    here.run(*LOAD)
    kept(here, "UPDATE notice_outbox SET attempts = 'many'")
    well(here)
    receiver.status = 200
    for variables, told in (({}, "Nobody"), ({"SNOWLOAD_NOTIFY__PING_URL": f"{hook.url}/ping"}, "Not everybody")):
        ended = here.run(*LOAD, "--full", **variables)
        assert ended.code == 0
        last = ended.document["notifications"][-1]
        assert (last["channel"], last["message"]) == ("all", f"{told} was told: TypeError.")
        assert "snowload notify test" in last["next_step"]


def test_letters_that_are_let_go_are_in_the_log(here: Town, receiver: Receiver, tmp_path: Path) -> None:
    refusing(here)
    receiver.status = 403
    here.run(*LOAD)
    kept(here, "UPDATE notice_outbox SET attempts = 10")
    here.run(*LOAD, "--full", "--log-file", str(tmp_path / "log"), "--log-format", "json")
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [line["count"] for line in lines if line["event"] == "notice.dropped"] == [1]
    assert len(receiver.got) == 1


def kept(here: Town, change: str) -> None:
    """The state, changed by somebody else."""
    (database,) = here.run.home.rglob("state.sqlite")
    with closing(sqlite3.connect(database)) as state, state:
        assert state.execute(change).rowcount == 1


def test_devices_with_hostile_names_do_nothing_in_a_message(
    here: Town, receiver: Receiver, mail: MailServer, by_mail: dict[str, str]
) -> None:
    """S5: a name reaches the message through an error as it is, and makes no line and no header there."""
    name = "x\r\nBcc: all@example.com\r\n\r\n\x1b[2J\u202e<script>"
    ended = here.run(*LOAD, "--resume", name, **by_mail)
    assert (ended.code, name in ended.document["error"]["message"]) == (2, True)
    (message,) = receiver.messages()
    assert all(character.isprintable() or character == "\n" for character in message["text"])
    assert "\nBcc" not in message["text"]
    (sent,) = mail.received
    assert sent.recipients == ["ops@example.com", "cmdb@example.com"]
    parsed = message_from_bytes(sent.data, _class=EmailMessage, policy=policy.default)
    assert parsed["Bcc"] is None
    assert "\x1b" not in parsed.get_content()


def test_mail_goes_encrypted_with_a_login_and_says_what_the_webhook_says(
    here: Town, receiver: Receiver, mail: MailServer, by_mail: dict[str, str]
) -> None:
    refusing(here)
    ended = here.run(*LOAD, **by_mail)
    assert rows(ended) == {"webhook": "sent", "smtp": "sent"}
    (sent,) = mail.received
    assert (sent.encrypted, sent.user) == (True, "snowload")
    parsed = message_from_bytes(sent.data, _class=EmailMessage, policy=policy.default)
    (message,) = receiver.messages()
    assert parsed["Subject"] == message["title"]
    assert parsed.get_content().split() == message["text"].split()


def test_a_mail_that_some_recipients_refuse_is_sent_to_the_others_once(
    here: Town, mail: MailServer, by_mail: dict[str, str]
) -> None:
    here.run.far_apart = False  # type: ignore[attr-defined]
    here.run.variables |= {**by_mail, "SNOWLOAD_CIRCUIT_BREAKER__NOTIFY__SMTP__FAILURE_THRESHOLD": "1"}
    here.run.variables.pop("SNOWLOAD_NOTIFY__WEBHOOK_URL")
    mail.refuses = frozenset({"cmdb@example.com"})
    refusing(here)
    ended = here.run(*LOAD)
    assert (ended.code, rows(ended)) == (3, {"smtp": "sent"})
    assert "1 of 2 recipients" in ended.document["notifications"][0]["message"]
    assert rows(here.run(*LOAD, "--full")) == {}
    assert [one.recipients for one in mail.received] == [["ops@example.com"]]
    breakers = here.run("breakers", "list", "--env", "testing", "--json").document["breakers"]
    assert {one["name"]: one["state"] for one in breakers}["notify.smtp"] == "closed"
    tried = here.run(*TEST)
    assert (tried.code, tried.document["channels"][0]["outcome"]) == (3, "sent")


@pytest.mark.parametrize("breaks_at", ["MAIL", "end"])
def test_a_mail_that_broke_off_is_sent_again_unless_it_may_have_arrived(
    here: Town, mail: MailServer, by_mail: dict[str, str], breaks_at: Literal["MAIL", "end"]
) -> None:
    here.run.variables |= by_mail
    here.run.variables.pop("SNOWLOAD_NOTIFY__WEBHOOK_URL")
    mail.breaks_at = breaks_at
    refusing(here)
    assert rows(here.run(*LOAD)) == {"smtp": "failed"}
    mail.breaks_at = ""
    assert here.run(*LOAD, "--full").code == 3
    assert len(mail.received) == 1


@pytest.mark.parametrize(
    ("change", "code"), [("unknown authority", 5), ("no starttls", 5), ("wrong password", 7), ("no password", 6)]
)
def test_mail_that_would_not_be_safe_is_not_sent(
    here: Town, mail: MailServer, by_mail: dict[str, str], change: str, code: int
) -> None:
    """S7."""
    more = {**by_mail}
    if change == "unknown authority":
        more.pop("SNOWLOAD_NOTIFY__CA_FILE")
    elif change == "no starttls":
        mail.offers_starttls = False
    elif change == "wrong password":
        more["MAIL_PASSWORD"] = "another one"
    else:
        more.pop("MAIL_PASSWORD")
    here.run.variables.pop("SNOWLOAD_NOTIFY__WEBHOOK_URL")
    ended = here.run(*TEST, **more)
    assert ended.code == code
    assert "1 of 1 channel did not reach all it should: smtp." in ended.err
    assert "snowload notify test --channel smtp" in ended.err
    keeps(ended.document)
    assert ended.document["channels"][0]["outcome"] == "failed"
    assert mail.received == []
    assert PASSWORD.encode() not in mail.in_clear


def test_no_secret_of_a_channel_is_in_any_output(
    here: Town, receiver: Receiver, mail: MailServer, by_mail: dict[str, str], tmp_path: Path
) -> None:
    """S1, R5.3: the address of a webhook is a secret too."""
    refusing(here)
    receiver.status = 500
    mail.offers_starttls = False
    secrets = {"SNOWLOAD_NOTIFY__WEBHOOK_SECRET": "env:SIGNING", "SIGNING": SECRET, **by_mail}
    ends = [here.run(*command, **secrets) for command in ((*LOAD, "-vv"), TEST, ("config", "show", "--env", "testing"))]
    kept = b"".join(file.read_bytes() for file in here.run.home.rglob("*") if file.is_file() and file.suffix != ".pem")
    for secret in (SECRET, PASSWORD, PATH):
        assert secret.encode() not in kept
        assert not [ended for ended in ends if secret in ended.out or secret in ended.err]


def test_the_doctor_says_which_secret_of_a_channel_does_not_resolve(here: Town) -> None:
    ended = here.run("doctor", "--env", "testing", "--json", "--check", "configuration.secrets")
    mine = {"SNOWLOAD_NOTIFY__PING_URL": "env:NOT_THERE"}
    wrong = here.run("doctor", "--env", "testing", "--json", "--check", "configuration.secrets", **mine)
    keeps(wrong.document)
    assert ended.code == 0
    assert wrong.code == 6
    assert "notify.ping_url" in json.dumps(wrong.document["checks"])


def pings(receiver: Receiver) -> list[tuple[str, dict[str, str]]]:
    return [(request.path, dict(request.query)) for request in receiver.got]


def test_the_dead_mans_switch_hears_of_start_and_end(town: OpenTown, hook: Server, receiver: Receiver) -> None:
    here = town(Estate.generate(seed=3, sites=1, devices=4))
    here.run.variables["SNOWLOAD_NOTIFY__PING_URL"] = f"{hook.url}/uuid"
    assert here.run(*LOAD).code == 0
    (start, begun), (success, ended) = pings(receiver)
    assert (start, success) == ("/uuid/start", "/uuid")
    assert begun["rid"] == ended["rid"]
    receiver.got.clear()
    refusing(here)
    assert here.run(*LOAD, "--full").code == 3
    assert pings(receiver)[-1][0] == "/uuid/fail"
    assert pings(receiver)[-1][1]["exit_code"] == "3"
    receiver.status = 500
    well(here)
    failing = here.run(*LOAD, "--full")
    assert (failing.code, rows(failing)) == (0, {"ping": "failed"})


def test_a_load_that_is_kept_out_and_one_that_is_ended_are_told_of(here: Town, receiver: Receiver) -> None:
    """9 and 143."""
    here.sandbox.site_manager.faults.add(Fault(effect=Effect.LATENCY, seconds=1.0, path="/*"))
    first = running(here, *LOAD)
    when(lambda: here.sandbox.log.lines("site-manager"), "nothing is read")
    assert here.run(*LOAD).code == 9
    first.terminate()
    here.sandbox.site_manager.faults.clear()
    first.communicate(timeout=60)
    assert first.returncode == 143
    assert [message["exit_code"] for message in receiver.messages()] == [9, 143]
    assert receiver.told() == [[("failed", False)]] * 2


def test_a_breaker_that_opened_is_told_of_by_name_and_when_it_is_closed_again(here: Town, receiver: Receiver) -> None:
    """X1."""
    assert here.run(*LOAD).code == 0
    away(here)
    here.run(*LOAD, "--full", SNOWLOAD_CIRCUIT_BREAKER__FAILURE_THRESHOLD="1")
    opened = [one for one in receiver.messages()[-1]["notices"] if one["condition"] == "breaker_opened"]
    assert "servicenow" in opened[0]["message"]
    well(here)
    assert here.run(*LOAD, "--full").code == 0
    assert ("breaker_opened", True) in receiver.told()[-1]


def test_more_retirements_than_were_allowed_are_told_of(here: Town, receiver: Receiver) -> None:
    """L5."""
    assert here.run(*LOAD, **RETIRING).code == 0
    remove(here)
    quiet = [here.run(*LOAD, **RETIRING, SNOWLOAD_NOTIFY__RETIREMENTS_ABOVE="1") for _ in range(2)]
    assert [ended.document["written"]["retired"] for ended in quiet] == [0, 1]
    assert receiver.got == []
    remove(here)
    loud = [here.run(*LOAD, **RETIRING, SNOWLOAD_NOTIFY__RETIREMENTS_ABOVE="0") for _ in range(2)]
    assert loud[-1].document["written"]["retired"] == 1
    assert receiver.told() == [[("retirements_above", False)]]
    (message,) = receiver.messages()
    assert f"snowload rollback {message['run_id']}" in message["notices"][0]["next_step"]


def test_a_limit_that_the_history_says_will_be_met_is_told_of(here: Town, receiver: Receiver) -> None:
    """X8."""
    assert here.run(*LOAD).code == 0
    (database,) = here.run.home.rglob("state.sqlite")
    with open_store(f"sqlite:///{database}", SystemClock()) as store:
        for run in runs(40, SystemClock().now(), timedelta(days=20), seed=1):
            store.memory.start_run(run)
            store.memory.finish_run(replace(run, status=RunStatus.PARTIAL))
    assert here.run(*LOAD).code == 0
    assert receiver.told() == [[("forecast", False)]]
    assert "unsuccessful runs" in receiver.messages()[0]["text"]


def test_two_processes_tell_the_same_once(here: Town, receiver: Receiver) -> None:
    assert here.run(*LOAD).code == 0
    here.run.variables["SERVICENOW_PASSWORD"] = "env:NOT_THERE"
    both = [running(here, *LOAD) for _ in range(2)]
    for process in both:
        process.communicate(timeout=60)
    assert [process.returncode for process in both] == [6, 6]
    assert receiver.told() == [[("failed", False)]]


def test_notify_test_says_of_each_channel_what_became_of_it(
    here: Town, receiver: Receiver, hook: Server, by_mail: dict[str, str]
) -> None:
    ended = here.run(*TEST, **by_mail, SNOWLOAD_NOTIFY__PING_URL=f"{hook.url}/ping")
    keeps(ended.document)
    assert (ended.code, [one["channel"] for one in ended.document["channels"]]) == (0, ["webhook", "smtp", "ping"])
    assert json.loads(receiver.got[0].body)["test"] is True
    only = here.run("notify", "test", "--env", "testing", "--channel", "webhook")
    assert (only.code, only.out) == (0, "webhook: sent\n")
    assert here.run(*TEST, "--channel", "pager").code == 2


def test_without_a_channel_a_test_says_which_settings_make_one(snowload: Snowload) -> None:
    ended = snowload(*TEST)
    keeps(ended.document)
    assert (ended.code, "notify.webhook_url" in ended.err) == (6, True)


def test_apprise_passes_a_message_on(here: Town, receiver: Receiver, hook: Server) -> None:
    here.run.variables.pop("SNOWLOAD_NOTIFY__WEBHOOK_URL")
    address = hook.url.replace("http://", "json://")
    ended = here.run(*TEST, SNOWLOAD_NOTIFY__APPRISE_URL="env:APPRISE", APPRISE=f"{address}/in")
    assert (ended.code, len(receiver.got)) == (0, 1), ended.out
    assert "This channel works" in json.loads(receiver.got[0].body)["message"]


def test_without_apprise_it_is_said_how_to_install_it(snowload: Snowload, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    ended = snowload(*TEST, SNOWLOAD_NOTIFY__APPRISE_URL="json://127.0.0.1/x")
    assert ended.code == 6
    assert "pip install 'beast-dream-snow-loader[notify]'" in ended.out


def test_a_defect_in_a_library_is_told_as_that_and_without_its_words(
    snowload: Snowload, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S1: a trace would quote the address."""
    broken = ModuleType("apprise")
    broken.Apprise = dict  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "apprise", broken)
    ended = snowload(*TEST, SNOWLOAD_NOTIFY__APPRISE_URL=f"json://127.0.0.1{PATH}")
    assert (ended.code, ended.err.count("Traceback"), PATH in ended.out + ended.err) == (1, 0, False)
    (row,) = ended.document["channels"]
    assert "AttributeError" in row["message"]
    assert "snowload notify test" in row["next_step"]


def test_an_address_that_is_none_makes_no_load_fail(here: Town) -> None:
    """It is looked at when it is resolved, which is when the run is under way."""
    here.run.variables |= {"SNOWLOAD_NOTIFY__PING_URL": "env:PING", "PING": "http://127.0.0.1:99999/x"}
    ended = here.run(*LOAD)
    assert (ended.code, rows(ended)) == (0, {"ping": "failed"})


def test_every_problem_of_the_settings_is_told_at_once(snowload: Snowload) -> None:
    """R7.5."""
    ended = snowload(
        "config",
        "check",
        "--env",
        "testing",
        SNOWLOAD_NOTIFY__WEBHOOK_URL="http://example.com/x",
        SNOWLOAD_NOTIFY__REPEAT_AFTER="soon",
        SNOWLOAD_NOTIFY__SMTP_RECIPIENTS='["a@example.com\\nBcc: b@example.com"]',
        SNOWLOAD_NOTIFY__CA_FILE="/nowhere.pem",
        SNOWLOAD_NOTIFY__ON='["always"]',
    )
    assert ended.code == 6
    for name in ("webhook_url", "repeat_after", "smtp_recipients", "ca_file", "on"):
        assert f"notify.{name}" in ended.err, ended.err


@pytest.mark.parametrize(
    "wrong",
    [
        {"WEBHOOK_SECRET": "x"},
        {"SMTP_HOST": "localhost"},
        {"SMTP_SENDER": "a@example.com"},
        {
            "SMTP_HOST": "mail.example.com",
            "SMTP_SENDER": "a@example.com",
            "SMTP_RECIPIENTS": '["a@example.com"]',
            "SMTP_SECURITY": "plain",
        },
    ],
)
def test_half_a_channel_is_refused(snowload: Snowload, wrong: dict[str, str]) -> None:
    variables = {f"SNOWLOAD_NOTIFY__{name}": value for name, value in wrong.items()}
    ended = snowload("config", "check", "--env", "testing", **variables)
    assert (ended.code, "notify" in ended.err) == (6, True)
