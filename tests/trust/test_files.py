"""What is kept is its owner's alone, whatever the umask (S9)."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from tests.scenarios.conftest import Town
from tests.scenarios.in_process import InProcess


@pytest.fixture
def snowload(tmp_path: Path) -> InProcess:
    return InProcess(tmp_path / "home")


@pytest.fixture
def here(snowload: InProcess) -> Iterator[Town]:
    with Town(Estate.generate(seed=3, sites=1, devices=4), snowload) as town:
        yield town


@pytest.fixture(params=[0o000, 0o277], ids=oct)
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.usefixtures("_umask")
def test_every_file_with_data_is_0600_and_every_directory_of_ours_0700_whatever_the_umask(
    here: Town, tmp_path: Path
) -> None:
    out = tmp_path / "home" / "out"
    out.mkdir()
    out.chmod(0o700)
    named = ("--env", "testing")
    log = ("--log-file", str(out / "log" / "run.jsonl"))
    assert here.run("load", *named, "--report", str(out / "report.json"), *log).code == 0
    assert here.run("plan", *named, "--out", str(out / "plan.json")).code == 0
    assert here.run("report", *named, "--output", str(out / "runs.json")).code == 0
    here.run("queue", "export", str(out / "queue.jsonl"), *named)
    here.run("doctor", *named, "--check", "configuration", "--bundle", str(out / "bundle.zip"))
    assert here.run("config", "init", str(out / "settings.toml")).code == 0
    found = {path: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "home").rglob("*")}
    loose = {str(path): oct(mode) for path, mode in found.items() if mode != (0o700 if path.is_dir() else 0o600)}
    written = {path.name for path in found}
    assert {
        "state.sqlite",
        "report.json",
        "run.jsonl",
        "plan.json",
        "runs.json",
        "queue.jsonl",
        "bundle.zip",
    } <= written
    assert loose == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can lay a link for another user")
@pytest.mark.parametrize("flag", ["--report", "--log-file", "--textfile"])
def test_a_link_that_another_user_laid_is_not_followed(here: Town, tmp_path: Path, flag: str) -> None:
    aim, link = tmp_path / "aim", tmp_path / "link"
    aim.write_text("precious")
    link.symlink_to(aim)
    os.lchown(link, 12345, -1)
    ended = here.run("load", "--env", "testing", flag, str(link))
    assert ended.code != 0
    assert "12345" in ended.err
    assert aim.read_text() == "precious"


@pytest.mark.parametrize("name", ["../../escape", "/etc/x", "a/b", "..", "x\x00y", "nul\nline"])
def test_no_name_from_outside_leaves_the_directory_of_the_state(here: Town, tmp_path: Path, name: str) -> None:
    """A site, a console and a device called like a path are names in the CMDB, and nothing in the file system."""
    before = {path for path in tmp_path.parent.rglob("*") if (tmp_path / "home") not in path.parents}
    for site in here.estate.sites():
        here.estate.rename_site(site.legacy_id, name)
        for device in here.estate.site_devices(site.legacy_id):
            here.estate.rename_device(device.mac, name)
    here.run("load", "--env", "testing")
    assert {path for path in tmp_path.parent.rglob("*") if (tmp_path / "home") not in path.parents} == before
    assert not [path for path in (tmp_path / "home").rglob("*") if path.name in ("escape", "b", "x")]
