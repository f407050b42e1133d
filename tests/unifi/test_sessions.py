"""Sessions from run to run, and logins that a console does not want (X2, R5.3)."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from beast_dream_snow_loader.app.config import Settings
from beast_dream_snow_loader.app.kept_sessions import KEPT_FOR, KeptSessions
from beast_dream_snow_loader.app.transports import Transports
from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.core.events import ignore
from beast_dream_snow_loader.errors import SnowloadError, SourceUnavailable
from beast_dream_snow_loader.operations.config import Environment
from beast_dream_snow_loader.operations.restraint import Restraints
from beast_dream_snow_loader.redaction import held_within, masked
from beast_dream_snow_loader.sandbox.estate import Estate, Shape
from beast_dream_snow_loader.state.store import open_store
from beast_dream_snow_loader.transport.observing import RequestMeter
from beast_dream_snow_loader.unifi.config import ConsoleSettings, UniFiSettings
from beast_dream_snow_loader.unifi.source import UniFiSource

from .conftest import PASSWORD, Opening, Town, by_account, by_key, transports

SHAPE = Shape(seed=3, sites=2, devices=10, consoles=2)


class Settable(SystemClock):
    def __init__(self) -> None:
        super().__init__()
        self.instant = datetime(2026, 11, 24, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.instant


@pytest.fixture
def there(town: Opening) -> Town:
    return town(Estate.of(SHAPE))


def run(there: Town, directory: Path, clock: SystemClock, password: str = PASSWORD) -> UniFiSource:
    """A run's source, over a directory that runs share."""
    chosen = UniFiSettings.model_validate({"consoles": [by_account(s, password) for s in there.consoles.values()]})
    return UniFiSource(chosen, transports, clock, sessions=KeptSessions(directory, clock))


def logins(there: Town) -> int:
    return there.asked("/api/auth/login", "POST")


def test_the_next_run_and_health_use_the_session_again(there: Town, tmp_path: Path) -> None:
    clock = Settable()
    devices = [len(run(there, tmp_path, clock).read().devices) for _ in range(3)]
    assert [error for _, error in run(there, tmp_path, clock).probe()] == [None, None]
    assert devices == [10, 10, 10]
    assert (logins(there), there.asked("/api/auth/logout", "POST")) == (2, 0)


def test_what_is_on_disk_is_the_owners_and_opens_with_the_password_only(there: Town, tmp_path: Path) -> None:
    clock = Settable()
    run(there, tmp_path / "sessions", clock).read()
    files = list((tmp_path / "sessions").iterdir())
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600, 0o600]
    assert stat.S_IMODE((tmp_path / "sessions").stat().st_mode) == 0o700
    console = ConsoleSettings.model_validate(by_account(next(iter(there.consoles.values()))))
    kept = KeptSessions(tmp_path / "sessions", clock).kept(console)
    token = kept["Cookie"].partition("=")[2].partition(";")[0]
    for file in files:
        assert token.encode() not in file.read_bytes()
        assert PASSWORD.encode() not in file.read_bytes()
    other = ConsoleSettings.model_validate({**by_account(next(iter(there.consoles.values()))), "password": "another"})
    assert KeptSessions(tmp_path / "sessions", clock).kept(other) == {}


def test_a_session_is_masked_wherever_it_comes_back_whether_it_is_new_or_kept(town: Opening, tmp_path: Path) -> None:
    """R5.3."""
    there, clock = town(Estate.of(Shape(seed=3, sites=1, devices=2, consoles=1))), Settable()
    (server,) = there.consoles.values()
    for _ in ("new", "kept"):
        with held_within():
            run(there, tmp_path, clock).read()
            headers = KeptSessions(tmp_path, clock).kept(ConsoleSettings.model_validate(by_account(server)))
            parts = [headers["X-CSRF-Token"], *(one.partition("=")[2] for one in headers["Cookie"].split("; "))]
            assert [masked(f"said <{part}>") for part in parts] == ["said <[hidden]>"] * len(parts)
        assert masked(parts[0]) == parts[0], "each run has to know it by itself"
    assert logins(there) == 1


def test_a_session_is_made_anew_when_it_is_old_damaged_or_no_longer_taken(there: Town, tmp_path: Path) -> None:
    clock = Settable()
    run(there, tmp_path, clock).read()
    clock.instant += KEPT_FOR + timedelta(seconds=1)
    run(there, tmp_path, clock).read()
    assert logins(there) == 4
    for file in tmp_path.iterdir():
        file.write_bytes(file.read_bytes()[:-5])
    run(there, tmp_path, clock).read()
    assert logins(there) == 6
    for server in there.consoles.values():
        console = ConsoleSettings.model_validate(by_account(server))
        assert KeptSessions(tmp_path, clock).keep(console, {"Cookie": "TOKEN=ended by a restart"})
    assert len(run(there, tmp_path, clock).read().devices) == 10
    assert logins(there) == 8
    run(there, tmp_path, clock).read()
    assert logins(there) == 8


def test_nothing_is_kept_where_others_could_put_files(there: Town, tmp_path: Path) -> None:
    shared = tmp_path / "sessions"
    shared.mkdir()
    (shared / "somebody's").touch()
    shared.chmod(0o777)
    assert len(run(there, shared, Settable()).read().devices) == 10
    assert [file.name for file in shared.iterdir()] == ["somebody's"]
    assert there.asked("/api/auth/logout", "POST") == 2


def test_where_nothing_can_be_kept_the_session_is_given_back(there: Town, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert len(run(there, tmp_path / "file", Settable()).read().devices) == 10
    assert there.asked("/api/auth/logout", "POST") == 2


def test_a_login_that_is_not_wanted_is_tried_once_by_all_runs_and_reads_by_key_go_on(
    town: Opening, tmp_path: Path
) -> None:
    there = town(Estate.of(SHAPE), wrong_logins=0)
    clock = SystemClock()
    consoles = [by_account(server) for server in there.consoles.values()]

    def attempt(consoles: list[dict[str, str]]) -> object:
        settings = Settings(environment=Environment.PRODUCTION, unifi={"consoles": consoles})  # type: ignore[arg-type]
        with open_store(f"sqlite:///{tmp_path / 'state.sqlite'}", clock) as store:
            pacing = store.pacing("dev1")
            made = Transports(
                settings=settings,
                clock=clock,
                listener=ignore,
                meter=RequestMeter(),
                restraints=Restraints(clock, tokens=pacing, pace=pacing),
            )
            try:
                return len(UniFiSource(settings.unifi, made.unifi, clock).read().devices)
            except SnowloadError as error:
                return error

    first = attempt(consoles)
    assert isinstance(first, SourceUnavailable)
    assert "takes no more logins" in str(first)
    assert logins(there) == 2, "one per console, in spite of five attempts in production"
    with_keys = [{**by_account(server), **by_key(server)} for server in there.consoles.values()]
    assert attempt(with_keys) == 10
