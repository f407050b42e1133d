"""The key of the trail moves on, and nothing is written without it (R5.2)."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from beast_dream_snow_loader.errors import AuditDamaged, StateError
from beast_dream_snow_loader.redaction import Secret
from beast_dream_snow_loader.state.audit_key import FORMER, FileKeys, SecretKeys, named_after
from beast_dream_snow_loader.state.audit_log import Signing
from beast_dream_snow_loader.state.store import Store, open_store
from tests.audit.trails import change, links_of, opened, run, settlement, verdict
from tests.contracts.conftest import NOON, SteppingClock

FILE = named_after("state.sqlite")
UNWRITABLE = """
CREATE TRIGGER unwritable BEFORE INSERT ON audit_log BEGIN SELECT RAISE(ABORT, 'no room for it'); END
"""


def rows(directory: Path, query: str, *values: Any) -> list[Any]:
    with closing(sqlite3.connect(directory / "state.sqlite")) as connection, connection:
        return connection.execute(query, values).fetchall()


def ended(directory: Path, number: int) -> None:
    """One run in a process of its own."""
    with opened(directory) as store:
        run(store, number)


def whole(directory: Path, *known: int) -> bool:
    with opened(directory) as store:
        return verdict(store, known=known).whole


def killed(directory: Path, number: int = 9) -> None:
    """A run that wrote and never sealed."""
    with opened(directory) as store:
        store.journal.intend(f"run-{number}", [change(number)])


def test_the_file_is_for_its_owner_only_and_holds_another_key_after_each_run(tmp_path: Path) -> None:
    ended(tmp_path, 1)
    before = FileKeys(tmp_path / FILE).load(1, "")
    ended(tmp_path, 2)
    after = FileKeys(tmp_path / FILE).load(1, "")
    assert before is not None
    assert after is not None
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    assert before.at(after.segment).secret == after.secret
    assert before.secret != after.secret
    with pytest.raises(ValueError, match="not to be had"):
        after.at(before.segment)


def test_no_key_is_left_lying_about_by_a_run_that_was_killed_while_it_changed_it(tmp_path: Path) -> None:
    ended(tmp_path, 1)
    (tmp_path / f".{FILE}").write_text("what a killed run left", encoding="ascii")
    ended(tmp_path, 2)
    assert [file.name for file in tmp_path.iterdir() if "key" in file.name] == [FILE]


def test_without_its_key_no_change_is_written_down_so_none_is_made(tmp_path: Path) -> None:
    ended(tmp_path, 1)
    (tmp_path / FILE).unlink()
    with opened(tmp_path) as store, pytest.raises(AuditDamaged, match="key of the audit trail is not here"):
        store.journal.intend("run-2", [change(1)])
    assert rows(tmp_path, "SELECT count(*) FROM journal WHERE run_id = 'run-2'") == [(0,)]


def test_a_change_whose_entry_cannot_be_written_is_not_written_down_either(tmp_path: Path) -> None:
    ended(tmp_path, 1)
    rows(tmp_path, UNWRITABLE)
    with opened(tmp_path) as store, pytest.raises(StateError):
        store.journal.intend("run-2", [change(1)])
    assert rows(tmp_path, "SELECT count(*) FROM journal WHERE run_id = 'run-2'") == [(0,)]


def test_what_became_of_a_change_is_not_settled_without_its_entry_either(tmp_path: Path) -> None:
    killed(tmp_path)
    (tmp_path / FILE).unlink()
    with opened(tmp_path) as store, pytest.raises(AuditDamaged):
        store.journal.settle("run-9", [settlement(change(9))])
    assert rows(tmp_path, "SELECT state FROM journal") == [("open",)]
    assert rows(tmp_path, "SELECT count(*) FROM ledger_items") == [(0,)]


def test_a_key_that_is_a_segment_behind_because_of_a_kill_is_good_enough(tmp_path: Path) -> None:
    ended(tmp_path, 1)
    shutil.copy(tmp_path / FILE, tmp_path / "before")
    ended(tmp_path, 2)
    shutil.copy(tmp_path / "before", tmp_path / FILE)
    ended(tmp_path, 3)
    assert whole(tmp_path)


def test_a_kill_between_a_new_key_and_the_first_entry_leaves_a_chain_that_begins(tmp_path: Path) -> None:
    opened(tmp_path).close()
    rows(tmp_path, UNWRITABLE)
    with opened(tmp_path) as store, pytest.raises(StateError):
        store.journal.intend("run-1", [change(1)])
    rows(tmp_path, "DROP TRIGGER unwritable")
    assert (tmp_path / FILE).exists()
    assert rows(tmp_path, "SELECT count(*) FROM audit_log") == [(0,)]
    ended(tmp_path, 1)
    assert whole(tmp_path)


def test_what_a_killed_run_left_is_sealed_by_the_next_one(tmp_path: Path) -> None:
    ended(tmp_path, 1)
    killed(tmp_path)
    with opened(tmp_path) as store:
        assert verdict(store).unsealed == 1
        run(store, 2)
        assert (verdict(store).unsealed, verdict(store).whole) == (0, True)


def test_what_a_killed_run_left_is_not_gone_on_with_once_it_was_altered(tmp_path: Path) -> None:
    ended(tmp_path, 1)
    killed(tmp_path)
    rows(tmp_path, "UPDATE audit_log SET body = replace(body, 'create', 'update') WHERE number = 9")
    with opened(tmp_path) as store, pytest.raises(AuditDamaged, match="from entry 9 on"):
        store.journal.intend("run-2", [change(1)])


@pytest.mark.parametrize("which", ["(SELECT max(number) FROM audit_log)", "number"])
def test_a_segment_made_up_is_a_damage_and_no_keys_are_made_up_to_it(tmp_path: Path, which: str) -> None:
    ended(tmp_path, 1)
    rows(tmp_path, f"UPDATE audit_log SET segment = segment + 1000000000000 WHERE number = {which}")
    assert not whole(tmp_path)
    with opened(tmp_path) as store, pytest.raises(AuditDamaged):
        store.journal.intend("run-2", [change(1)])


def test_a_database_that_was_set_back_goes_on_with_a_chain_that_somebody_has_to_answer_for(tmp_path: Path) -> None:
    ended(tmp_path, 1)
    shutil.copy(tmp_path / "state.sqlite", tmp_path / "backup")
    ended(tmp_path, 2)
    shutil.copy(tmp_path / "backup", tmp_path / "state.sqlite")
    assert not whole(tmp_path)
    ended(tmp_path, 3)
    with opened(tmp_path) as store:
        found = verdict(store)
    assert [(one.number, one.reason, one.known) for one in found.beginnings[1:]] == [(9, "set_back", False)]
    assert not found.whole
    assert whole(tmp_path, 9)


def test_a_trail_that_was_emptied_says_so_for_good(tmp_path: Path) -> None:
    ended(tmp_path, 1)
    rows(tmp_path, "DELETE FROM audit_log")
    ended(tmp_path, 2)
    with opened(tmp_path) as store:
        assert [(one.reason, one.known) for one in verdict(store).beginnings] == [("emptied", False)]


def test_after_a_lost_key_the_operator_begins_anew_and_what_was_there_stays_verified(tmp_path: Path) -> None:
    ended(tmp_path, 1)
    (tmp_path / FILE).unlink()
    with opened(tmp_path) as store:
        store.audit.begin("run-2")
        run(store, 3)
        found = verdict(store)
    assert [(one.number, one.reason) for one in found.beginnings[1:]] == [(9, "asked")]
    assert whole(tmp_path, 9)
    rows(tmp_path, "UPDATE audit_log SET body = replace(body, 'create', 'update') WHERE number = 3")
    with opened(tmp_path) as store:
        assert verdict(store, known=(9,)).bad is not None


def test_hosts_that_share_a_secret_go_on_with_one_chain_and_keep_no_file(tmp_path: Path) -> None:
    def host() -> Store:
        keys = SecretKeys(lambda: Secret("correct horse battery staple"), "audit.key")
        return open_store(f"sqlite:///{tmp_path / 'state.sqlite'}", SteppingClock(), signing=Signing(keys=keys))

    with host() as one, host() as other:
        run(one, 1)
        run(other, 2)
        run(one, 3)
        found = verdict(other)
    assert (found.whole, found.proven, len(found.beginnings)) == (True, True, 1)
    assert not (tmp_path / FILE).exists()


def test_a_long_run_is_sealed_on_the_way_and_goes_on_with_the_next_key(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'state.sqlite'}"
    with open_store(url, SteppingClock(), signing=Signing(segment=5)) as long, opened(tmp_path) as other:
        for number in range(4):
            long.journal.intend("run-1", [change(10 * number + one) for one in range(5)])
            other.journal.intend("run-2", [change(500 + number)])
        found = verdict(other)
    assert (found.whole, found.proven, found.seals) == (True, True, 4)


def test_another_hosts_chain_is_not_gone_on_with(tmp_path: Path) -> None:
    ended(tmp_path, 1)
    (tmp_path / "other").mkdir()
    ended(tmp_path / "other", 1)
    shutil.copy(tmp_path / "other" / FILE, tmp_path / FILE)
    with opened(tmp_path) as store, pytest.raises(AuditDamaged, match="is not that of chain"):
        store.journal.intend("run-2", [change(1)])


def test_old_entries_go_and_what_is_left_verifies_with_later_heads(tmp_path: Path) -> None:
    clock = SteppingClock()
    with opened(tmp_path, clock) as store:
        heads = [run(store, number) for number in range(1, 5)]
        clock.sleep(timedelta(days=500).total_seconds())
        heads.append(run(store, 5))
        assert store.audit.prune(NOON + timedelta(days=400), "run-6") == heads[3].number
        found = verdict(store, *heads)
        assert (found.whole, found.pruned_to, found.heads, found.heads_gone) == (True, heads[3].number, 2, 3)
        run(store, 7)
        assert verdict(store, *heads).whole
        assert links_of(store)[0].number == heads[3].number + 1


@pytest.mark.parametrize("change_of_it", ["DELETE FROM audit_log WHERE number = 26", "UPDATE audit_log SET body = ''"])
def test_what_is_left_after_old_entries_went_is_as_tamper_evident_as_before(tmp_path: Path, change_of_it: str) -> None:
    clock = SteppingClock()
    with opened(tmp_path, clock) as store:
        for number in range(1, 4):
            run(store, number)
        clock.sleep(timedelta(days=500).total_seconds())
        last = run(store, 4)
        store.audit.prune(NOON + timedelta(days=400), "run-5")
        run(store, 6)
        assert verdict(store, last).whole
        rows(tmp_path, change_of_it)
        assert not verdict(store, key=False).whole


def test_two_databases_in_one_directory_keep_each_its_own_key(tmp_path: Path) -> None:
    def used(name: str, *numbers: int) -> bool:
        with open_store(f"sqlite:///{tmp_path / name}", SteppingClock()) as store:
            for number in numbers:
                run(store, number)
            return verdict(store).whole

    assert used("state.sqlite", 1)
    assert used("other.sqlite", 1)
    assert used("state.sqlite", 2)
    assert used("other.sqlite", 2)


def test_a_key_of_the_former_name_is_found_by_its_database_alone_and_goes_once_it_moved_on(tmp_path: Path) -> None:
    ended(tmp_path, 1)
    (tmp_path / FILE).rename(tmp_path / FORMER)
    with open_store(f"sqlite:///{tmp_path / 'other.sqlite'}", SteppingClock()) as other:
        run(other, 1)
    assert (tmp_path / FORMER).exists()
    assert whole(tmp_path)
    ended(tmp_path, 2)
    assert whole(tmp_path)
    assert sorted(file.name for file in tmp_path.glob("*key")) == [named_after("other.sqlite"), FILE]


def test_a_database_that_got_another_name_finds_its_key(tmp_path: Path) -> None:
    ended(tmp_path, 1)
    (tmp_path / "state.sqlite").rename(tmp_path / "renamed.sqlite")
    with open_store(f"sqlite:///{tmp_path / 'renamed.sqlite'}", SteppingClock()) as store:
        run(store, 2)
        found = verdict(store)
    assert (found.whole, found.proven, len(found.beginnings)) == (True, True, 1)
