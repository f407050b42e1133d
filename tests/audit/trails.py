"""A trail to look at: some runs of changes on a store of its own, each sealed with its head."""

from __future__ import annotations

import random
from pathlib import Path

from beast_dream_snow_loader.core.audit import Head, Link
from beast_dream_snow_loader.core.changes import ChangeType, ItemChange
from beast_dream_snow_loader.core.desired import ConfigItem
from beast_dream_snow_loader.core.identity import SourceKey, SysId
from beast_dream_snow_loader.core.ports import Settlement
from beast_dream_snow_loader.core.receipts import Operation, Outcome, Receipt
from beast_dream_snow_loader.operations.audit_check import Check, Verdict
from beast_dream_snow_loader.state.store import Store, open_store
from tests.contracts.conftest import SteppingClock

FIELDS = ("name", "serial_number", "ip_address", "mac_address", "firmware_version", "model_number", "location")


def change(number: int, of: random.Random | None = None) -> ItemChange:
    chance = of or random.Random(number)
    values = {name: f"{name} {chance.randrange(10**6)}" for name in FIELDS}
    item = ConfigItem(
        key=SourceKey("device", f"{number:012x}"),
        kind="switch",
        lane="console-1",
        site="default",
        class_chain=("cmdb_ci_ip_switch",),
        values=values,
        name_forms=(values["name"],),
        class_name="cmdb_ci_ip_switch",
    )
    return ItemChange(type=ChangeType.CREATE, item=item, send=values)


def settlement(made: ItemChange) -> Settlement:
    sys_id = SysId(f"{int(made.item.key.mac, 16):032x}")
    receipt = Receipt(subject=made.subject, outcome=Outcome.DONE, operation=Operation.INSERTED, sys_id=sys_id)
    return Settlement(change=made, receipt=receipt)


def run(store: Store, number: int, changes: int = 3) -> Head:
    """One run of so many changes, and its head."""
    made = [change(number * 1000 + one) for one in range(changes)]
    name = f"run-{number}"
    store.journal.intend(name, made)
    store.journal.settle(name, [settlement(one) for one in made])
    head = store.audit.seal(name)
    assert head is not None
    return head


def opened(directory: Path, clock: SteppingClock | None = None) -> Store:
    return open_store(f"sqlite:///{directory / 'state.sqlite'}", clock or SteppingClock())


def links_of(store: Store) -> list[Link]:
    with store.audit.links() as (_, links):
        return list(links)


def verdict(store: Store, *heads: Head, key: bool = True, known: tuple[int, ...] = ()) -> Verdict:
    """What ``audit verify`` finds, with or without the key."""
    mine = store.audit.key() if key else None
    with store.audit.links() as (pruned, links):
        return Check(key=mine, heads=heads, known=known, pruned=pruned).run(links)
