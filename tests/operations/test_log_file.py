"""The log file: whole lines, whatever else writes to it and however full the disk is (R1.2)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from beast_dream_snow_loader.errors import ConfigurationError
from beast_dream_snow_loader.operations.config import LoggingConfig
from beast_dream_snow_loader.operations.log_sinks import logging_to

WRITER = """
import io, sys
from pathlib import Path
from beast_dream_snow_loader.operations.config import LoggingConfig
from beast_dream_snow_loader.operations.log_sinks import logging_to
from beast_dream_snow_loader.operations.logger import StructuredLogger
file, who, count, size, backups = Path(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:6])
with logging_to(LoggingConfig(file=file, max_bytes=size, backups=backups), io.StringIO()):
    logger = StructuredLogger("test")
    for number in range(count):
        logger.log_operation_start(f"{who}-{number}", {})
print("went on to the end")
"""


def writing(
    file: Path, who: str, count: int, *, size: int, backups: int = 200, limit: str = ""
) -> subprocess.Popen[str]:
    """A process of its own; ``limit`` is a line of shell before it, for a file size that the system refuses to pass."""
    command = [sys.executable, "-c", WRITER, str(file), who, str(count), str(size), str(backups)]
    shell = ["sh", "-c", f'{limit or ":"}; exec "$@"', "sh", *command]
    return subprocess.Popen(shell, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def kept(file: Path) -> list[str]:
    """The operations told in the file and its rotated ones; every line must be JSON."""
    files = [one for one in file.parent.iterdir() if one.name.startswith(file.name)]
    return [json.loads(line)["operation"] for one in files for line in one.read_text().splitlines()]


def test_two_processes_that_rotate_one_file_lose_no_line(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    writers = [writing(file, who, 1000, size=5000) for who in "ab"]
    said = [writer.communicate(timeout=60) for writer in writers]
    assert [err for _, err in said] == ["", ""]
    assert sorted(kept(file)) == sorted(f"{who}-{number}" for who in "ab" for number in range(1000))
    sizes = [one.stat().st_size for one in tmp_path.glob("log.jsonl*")]
    assert len(sizes) > 20
    assert max(sizes) <= 5400


def test_a_file_that_may_not_grow_costs_whole_lines_and_is_told_once(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    out, err = writing(file, "a", 200, size=10_000_000, limit="ulimit -f 8").communicate(timeout=60)
    assert out == "went on to the end\n"
    assert err.count("cannot be written") == 1
    assert str(file) in err
    told = kept(file)
    assert told == [f"a-{number}" for number in range(len(told))]
    assert 0 < len(told) < 200


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_full_device_is_told_once_and_keeps_its_mode() -> None:
    device = Path("/dev/full")
    before = device.stat().st_mode
    out, err = writing(device, "a", 50, size=1000).communicate(timeout=60)
    assert (out, err.count("cannot be written")) == ("went on to the end\n", 1)
    assert device.stat().st_mode == before


def test_without_old_files_the_newest_lines_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    _, err = writing(file, "a", 100, size=2000, backups=0).communicate(timeout=60)
    assert (err, kept(file)[-1]) == ("", "a-99")
    assert list(tmp_path.glob("log.jsonl*")) == [file]
    assert file.stat().st_size <= 2000


def test_a_place_that_is_none_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="--log-file"), logging_to(LoggingConfig(file=tmp_path / "file" / "x")):
        pytest.fail("opened")
