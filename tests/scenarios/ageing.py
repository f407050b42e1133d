"""Time goes by between two runs: the program runs on the system clock, so everything stored is made older instead.

UniFi's records, the CMDB's tables and the state database are moved back together, by the same amount. To the program
that is the same as a clock that has moved on: it only ever compares stored moments with now.
"""

from __future__ import annotations

import re
import sqlite3
import zlib
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.servicenow.by_hand import grow_older
from beast_dream_snow_loader.sandbox.servicenow.records import Instance

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d")


def pass_time(seconds: float, estate: Estate, instance: Instance, home: Path) -> None:
    """``home`` holds the state database, if there is one yet."""
    estate.grow_older(seconds)
    grow_older(instance, seconds)
    for database in home.rglob("state.sqlite"):
        _age_state(database, seconds)


def _age_state(database: Path, seconds: float) -> None:
    """Every moment in every column of every table, those inside JSON and packed snapshots included."""
    with sqlite3.connect(database) as connection:
        tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
        for table in tables:
            columns = [row[1] for row in connection.execute(f"pragma table_info({table})")]
            for rowid, *values in connection.execute(f"select rowid, * from {table}").fetchall():
                aged = {column: _aged(value, seconds) for column, value in zip(columns, values, strict=True)}
                moved = {c: new for (c, new), old in zip(aged.items(), values, strict=True) if new is not old}
                if moved:
                    names = ", ".join(f"{column} = ?" for column in moved)
                    connection.execute(f"update {table} set {names} where rowid = ?", (*moved.values(), rowid))
    connection.close()


def _aged(value: object, seconds: float) -> object:
    if isinstance(value, bytes):
        try:
            plain = zlib.decompress(value).decode()
        except (zlib.error, UnicodeDecodeError):
            return value
        return zlib.compress(str(_aged(plain, seconds)).encode(), level=1)
    if not isinstance(value, str):
        return value
    return _MOMENT.sub(lambda found: _earlier(found[0], seconds), value) if _MOMENT.search(value) else value


@lru_cache(maxsize=4096)
def _earlier(text: str, seconds: float) -> str:
    moment = datetime.fromisoformat(text) - timedelta(seconds=seconds)
    return moment.strftime(f"%Y-%m-%d{text[10]}%H:%M:%S")
