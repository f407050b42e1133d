"""What others on the machine may read of a running command: its arguments, and those of what it starts (S1)."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil

from tests.conftest import Snowload
from tests.trust.canaries import IN_THE_OPEN, SHAPES, Stage
from tests.trust.shapes import PLAIN, Search, secrets


def _arguments(pid: int) -> list[list[str]]:
    """Of the process and of all below it, as ``ps`` shows them now."""
    seen = []
    for one in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
        try:
            seen.append(one.cmdline())
        except psutil.NoSuchProcess:
            continue
    return seen


def test_no_secret_is_in_the_process_list_while_a_load_runs(tmp_path: Path) -> None:
    """R5.3: looked at all the time, 1Password's command among what is seen."""
    every = secrets(11)
    shapes, plain = every[:SHAPES], [every[place] for place in PLAIN[10 : 10 + IN_THE_OPEN]]
    home = tmp_path / "home"
    home.mkdir()
    with Stage(home, shapes, plain, Snowload(home)) as stage:
        stage.op(f"sleep 0.2; printf %s '{shapes[0]}'")
        command = [sys.executable, "-m", "beast_dream_snow_loader", "load", "--env", "testing", "-vv"]
        environment = stage.town.run.environment(stage.variables)
        listed: list[list[str]] = []
        with subprocess.Popen(command, env=environment, cwd=home, stdout=-3, stderr=-3) as running:
            while running.poll() is None:
                listed += _arguments(running.pid)
                time.sleep(0.01)
        assert running.returncode == 0
        search = Search([*shapes, *plain, *stage.sessions])
    told = {" ".join(arguments) for arguments in listed}
    assert any(f"{home}/op read" in one for one in told), told
    assert [one for one in told if search.found(one.encode())] == []
