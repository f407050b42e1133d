"""The state is for its owner only (S4)."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from beast_dream_snow_loader.core.run import Run
from beast_dream_snow_loader.errors import ConfigurationError, StateError
from beast_dream_snow_loader.state.locks import one_run_per_target
from beast_dream_snow_loader.state.patience import Patience
from beast_dream_snow_loader.state.store import open_store

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def mode(path: Path) -> str:
    return oct(stat.S_IMODE(path.stat().st_mode))


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o777], ids=oct)
def umask(request):
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_every_file_is_0600_and_every_directory_0700_whatever_the_umask(tmp_path, file, url, clock):
    with open_store(url, clock) as store, one_run_per_target(file.parent, "dev1", "run-1", Patience.of(clock)):
        run = Run(id="run-1", command="load", environment="testing", target="dev1", started_at=clock.now())
        store.memory.start_run(run)
        found = {path.relative_to(tmp_path) for path in tmp_path.rglob("*")}
        assert {"state.sqlite", "state.sqlite-wal", "state.sqlite-shm"} <= {path.name for path in found}
        for path in found:
            assert mode(tmp_path / path) == ("0o700" if (tmp_path / path).is_dir() else "0o600"), path


def test_a_file_that_others_may_read_is_narrowed(file, url, clock):
    open_store(url, clock).close()
    file.chmod(0o644)
    open_store(url, clock).close()
    assert mode(file) == "0o600"


def test_an_empty_directory_is_narrowed(file, url, clock):
    file.parent.mkdir(parents=True)
    file.parent.chmod(0o755)
    open_store(url, clock).close()
    assert mode(file.parent) == "0o700"


def test_a_directory_with_other_things_in_it_keeps_its_mode(file, url, clock):
    file.parent.mkdir(parents=True)
    file.parent.chmod(0o755)
    (file.parent / "notes.txt").touch()
    open_store(url, clock).close()
    assert mode(file.parent) == "0o755"


def test_a_directory_others_may_write_to_is_refused_with_the_fix(file, url, clock):
    file.parent.mkdir(parents=True)
    (file.parent / "notes.txt").touch()
    file.parent.chmod(0o777)
    with pytest.raises(StateError, match=f"chmod go-w {file.parent}"):
        open_store(url, clock)


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_a_symbolic_link_is_refused_and_what_it_points_to_untouched(tmp_path, file, url, clock, suffix):
    file.parent.mkdir(parents=True, mode=0o700)
    other = tmp_path / "other"
    other.write_text("precious")
    link = file.with_name(file.name + suffix)
    link.symlink_to(other)
    with pytest.raises(StateError, match=f"{link} is a symbolic link.*rm {link}"):
        open_store(url, clock)
    assert other.read_text() == "precious"


@needs_root
def test_another_users_file_is_refused_with_the_fix(file, url, clock):
    open_store(url, clock).close()
    os.chown(file, 12345, 12345)
    with pytest.raises(StateError, match=f"belongs to user 12345.*chown {os.geteuid()} {file}"):
        open_store(url, clock)


@needs_root
def test_another_users_directory_is_refused(file, url, clock):
    file.parent.mkdir(parents=True)
    os.chown(file.parent, 12345, 12345)
    with pytest.raises(StateError, match="belongs to user 12345"):
        open_store(url, clock)


def test_a_directory_that_cannot_be_made_is_told(tmp_path, clock):
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match="SNOWLOAD_STATE_DIR"):
        open_store(f"sqlite:///{tmp_path / 'file' / 'state.sqlite'}", clock)


@pytest.mark.parametrize(
    "unusable",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "mysql://x/y",
        "nonsense",
        "mongodb://x",
        "postgresql+pg8000://x/y",
        "sqlite+aiosqlite:///x",
    ],
)
def test_a_url_that_names_no_usable_database_is_a_matter_of_configuration(unusable, clock):
    with pytest.raises(ConfigurationError, match="SNOWLOAD_STATE_URL"):
        open_store(unusable, clock)


def test_a_database_password_is_in_no_message(clock):
    with pytest.raises(StateError) as refused:
        open_store("postgresql+psycopg://someone:hunter2@127.0.0.1:1/none", clock)
    assert "127.0.0.1:1/none" in str(refused.value)
    assert "hunter2" not in str(refused.value)
