"""What can be seen without asking anybody: the settings, files left behind, disk, memory, processor."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from beast_dream_snow_loader.app.doctor import setup_checks
from beast_dream_snow_loader.app.health.sight import Sight, folded, poor, put_right, well
from beast_dream_snow_loader.app.judging import low_disk_bytes
from beast_dream_snow_loader.operations.healing import FILES
from beast_dream_snow_loader.operations.health import HealthCheck, HealthMonitor
from beast_dream_snow_loader.state.private_files import left_behind

_ABANDONED = timedelta(hours=1)
"""No file of ours takes so long to write."""


def configuration(sight: Sight) -> HealthCheck:
    """They were read, or nobody would ask; what else is odd about them."""
    return folded(setup_checks.settings_parse(sight.here), "read, and the mapping is sound")


def files(sight: Sight, directory: Path) -> HealthCheck:
    """Files that a killed process had begun to write beside their targets."""
    before = (sight.here.clock.now() - _ABANDONED).timestamp()
    found = left_behind(directory, before)
    if not found:
        return well("nothing is left behind", left_behind=0)
    told = f"{len(found)} files were left half-written by a process that was killed"
    healing = sight.healing(FILES, told, "They were removed.")
    if healing is None:
        return poor(f"{told}: {', '.join(file.name for file in found[:3])} in {directory}", left_behind=len(found))
    for file in found:
        with suppress(OSError):
            file.unlink()
    if left := left_behind(directory, before):
        healing.did_not_help()
        return poor(f"{told}, and {len(left)} of them cannot be removed from {directory}", left_behind=len(left))
    healing.helped()
    return put_right(well("nothing is left behind any more", left_behind=0), f"{told}: removed")


def system(sight: Sight, monitor: HealthMonitor, directory: Path) -> HealthCheck:
    mine = sight.settings.health
    return monitor.check_system_resources(
        directory,
        low_disk_bytes=low_disk_bytes(mine),
        low_memory_percent=mine.memory_percent,
        most_load_per_core=mine.most_load_per_core,
    )
