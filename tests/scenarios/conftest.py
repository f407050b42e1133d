"""A sandbox of a test's own, and the command pointed at it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.messages import Application
from beast_dream_snow_loader.sandbox.servicenow.app import ServiceNowApp
from beast_dream_snow_loader.sandbox.town import Account, Sandbox
from tests.conftest import Snowload
from tests.scenarios.in_process import InProcess


class Town:
    """A running sandbox, the ServiceNow behind it, and ``snowload`` with its variables set. ``door``: what stands
    before ServiceNow, if anything does."""

    def __init__(
        self,
        estate: Estate,
        snowload: Snowload,
        door: Callable[[ServiceNowApp], Application] | None = None,
        **shape: Any,
    ) -> None:
        self.app = ServiceNowApp.create(**shape)
        self.door = door(self.app) if door is not None else self.app
        self.sandbox = Sandbox.create(estate=estate, servicenow=self.door)
        self.sandbox.account = Account(username="snowload", password="snowload-demo")
        self.estate = estate
        self.run = snowload

    def __enter__(self) -> Town:
        self.sandbox.start()
        self.run.variables |= dict(self.sandbox.environment())
        return self

    def __exit__(self, *_: object) -> None:
        self.sandbox.stop()
        self.app.close()

    def writes(self) -> int:
        """Requests so far that could have changed the CMDB."""
        lines = self.sandbox.log.lines("servicenow")
        return sum(1 for line in lines if line.path.endswith("/identifyreconcile/enhanced"))

    def writes_begun(self) -> bool:
        """Whether the journal holds an intent, so that a write is on its way or about to be."""
        database = next(self.run.home.rglob("state.sqlite"), None)
        if database is None:
            return False
        with contextlib.suppress(sqlite3.Error), sqlite3.connect(f"file:{database}?mode=ro", uri=True) as reading:
            return bool(reading.execute("select count(*) from journal").fetchone()[0])
        return False

    def servicenow_reads(self) -> list[str]:
        return [line.path for line in self.sandbox.log.lines("servicenow")]


@pytest.fixture
def snowload(tmp_path: Path) -> Snowload:
    """In this process, which is sooner; a scenario about processes asks for :class:`Snowload` itself."""
    return InProcess(tmp_path)


@pytest.fixture
def town(snowload: Snowload, tmp_path: Path) -> Iterator[Callable[..., Town]]:
    opened: list[Town] = []

    def opening(estate: Estate, **shape: Any) -> Town:
        opened.append(Town(estate, snowload, **shape).__enter__())
        return opened[-1]

    yield opening
    for one in opened:
        one.__exit__()
