"""One store, on every database it can stand on, and values to put into it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from beast_dream_snow_loader.core.changes import Change, ChangeType, ItemChange, LinkChange
from beast_dream_snow_loader.core.desired import ConfigItem, Relation, RelationRole
from beast_dream_snow_loader.core.identity import SourceKey, SysId
from beast_dream_snow_loader.core.known import KnownItem
from beast_dream_snow_loader.core.ports import Settlement
from beast_dream_snow_loader.core.receipts import Operation, Outcome, Receipt
from beast_dream_snow_loader.state.audit_key import FileKeys, named_after
from beast_dream_snow_loader.state.audit_log import Signing
from beast_dream_snow_loader.state.store import Store, open_store

LOCAL_POSTGRES = "postgresql+psycopg://postgres@127.0.0.1/test"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


class SteppingClock:
    """Every look at it is one second later than the one before."""

    def __init__(self) -> None:
        self.instant = NOON

    def now(self) -> datetime:
        self.instant += timedelta(seconds=1)
        return self.instant

    def monotonic(self) -> float:
        return (self.instant - NOON).total_seconds()

    def sleep(self, seconds: float) -> None:
        self.instant += timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Make:
    """Values of the core, told apart by a number."""

    noon: datetime = NOON

    def key(self, number: int = 1) -> SourceKey:
        return SourceKey("device", f"{number:012x}")

    def sys_id(self, number: int = 1) -> SysId:
        return SysId(f"{number:032x}")

    def item(self, number: int = 1, name_source: str = "", **values: str) -> ConfigItem:
        return ConfigItem(
            key=self.key(number),
            kind="switch",
            lane="console-1",
            site="default",
            class_chain=("cmdb_ci_ip_switch", "cmdb_ci_netgear"),
            values={"name": f"sw-{number}", **values},
            name_forms=(f"sw-{number}",),
            class_name="cmdb_ci_ip_switch",
            name_source=name_source or f"sw-{number}",
        )

    def change(
        self,
        number: int = 1,
        change_type: ChangeType = ChangeType.CREATE,
        known: KnownItem | None = None,
        send: Mapping[str, str] | None = None,
    ) -> ItemChange:
        item = self.item(number)
        return ItemChange(type=change_type, item=item, send=item.values if send is None else send, known=known)

    def link(self, lower: int = 1, upper: int = 2) -> LinkChange:
        relation = Relation(
            role=RelationRole.UPLINK, lower=self.key(lower), upper=self.key(upper), type="Connects to::Connected by"
        )
        return LinkChange(relation=relation)

    def known(self, number: int = 1, created_by_us: bool = False, **written: str) -> KnownItem:
        return KnownItem(
            key=self.key(number),
            sys_id=self.sys_id(number),
            class_name="cmdb_ci_netgear",
            created_by_us=created_by_us,
            written=written,
        )

    def settlement(
        self,
        change: Change,
        outcome: Outcome = Outcome.DONE,
        operation: Operation = Operation.NONE,
        sys_id: SysId | None = None,
        code: str = "",
    ) -> Settlement:
        receipt = Receipt(subject=change.subject, outcome=outcome, operation=operation, sys_id=sys_id, code=code)
        return Settlement(change=change, receipt=receipt)

    def inserted(self, number: int = 1) -> Settlement:
        return self.settlement(self.change(number), operation=Operation.INSERTED, sys_id=self.sys_id(number))


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a store is; ``open`` as often as a test likes, each as a program of its own would."""

    url: str
    key: Path
    clock: SteppingClock = field(default_factory=SteppingClock)

    def open(self) -> Store:
        return open_store(self.url, self.clock, signing=self.signing)

    @property
    def signing(self) -> Signing:
        """The audit trail's key is beside the database, or where a server's clients keep it."""
        return Signing(keys=FileKeys(self.key))


@pytest.fixture
def make() -> Make:
    return Make()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A store's place on each kind of database, empty."""
    if request.param == "sqlite":
        file = tmp_path / "state" / "state.sqlite"
        return Place(url=f"sqlite:///{file}", key=file.with_name(named_after(file.name)))
    return Place(url=request.getfixturevalue("postgres_url"), key=tmp_path / "state" / named_after("postgresql"))


@pytest.fixture
def postgres_url() -> Iterator[str]:
    with own_schema(os.environ.get("SNOWLOAD_TEST_POSTGRES_URL") or LOCAL_POSTGRES) as url:
        yield url


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    with place.open() as opened:
        yield opened


@contextmanager
def own_schema(server: str) -> Iterator[str]:
    """The server's URL with a fresh schema for one test. Without a server the test is skipped, in CI it fails."""
    name = f"snowload_{secrets.token_hex(6)}"
    plain = make_url(server).set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        connection = psycopg.connect(plain, autocommit=True, connect_timeout=5)
    except psycopg.OperationalError as error:
        why = f"no PostgreSQL at {make_url(server).render_as_string()}: {error}"
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)
    with connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
    try:
        yield (
            make_url(server)
            .update_query_dict({"options": f"-csearch_path={name}"})
            .render_as_string(hide_password=False)
        )
    finally:
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))
