"""A state belongs to one discovery source and one instance: elsewhere its native keys and sys_ids mean nothing
(cmdb-model 2.7)."""

from __future__ import annotations

from urllib.parse import urlsplit

from beast_dream_snow_loader.app.ground import Ground
from beast_dream_snow_loader.app.instance_url import is_loopback
from beast_dream_snow_loader.errors import OtherInstance, UnknownDataSource
from beast_dream_snow_loader.state.store import Bond, Store

_LOOPBACK = "a loopback address"


def other_source(here: Ground, store: Store) -> str | None:
    """The source that was used before, where the settings name another one now; None while nothing was written."""
    used = store.bonds().get(Bond.DATA_SOURCE)
    changed = used is not None and used != here.settings.servicenow.data_source
    return used if changed and not store.untouched else None


def other_instance(here: Ground, store: Store) -> str | None:
    """The instance whose CIs and writes are remembered, where the settings name another one now; None while there are
    none of either."""
    used = store.bonds().get(Bond.INSTANCE)
    changed = used is not None and used != instance_of(here)
    return used if changed and not (store.untouched and store.nothing_waits) else None


def instance_of(here: Ground) -> str:
    """The target, as it is remembered. A loopback address is a sandbox or the near end of a tunnel: its port is chosen
    anew each time and says nothing."""
    return _LOOPBACK if is_loopback(urlsplit(here.target).hostname or "") else here.target


def refuse_foreign_state(here: Ground, store: Store, *, adopt: bool = False) -> None:
    """Raises UnknownDataSource or, but with ``adopt``, OtherInstance."""
    used = other_source(here, store)
    if used is not None:
        now = here.settings.servicenow.data_source
        raise UnknownDataSource(
            f"servicenow.data_source is {now}, but the CIs of this state carry native keys of {used}: under another "
            "name none of them would be found.",
            next_step=ways_on(used, now),
        )
    before = None if adopt else other_instance(here, store)
    if before is not None:
        now = instance_of(here)
        raise OtherInstance(
            f"servicenow.instance is {now}, but what this state holds was read from and written to {before}: its "
            "sys_ids, queue and journal mean nothing elsewhere.",
            next_step=ways_on_elsewhere(before, now),
        )


def ways_on(used: str, now: str) -> str:
    return f"Set it back: SERVICENOW_DATA_SOURCE={used}. To start over under {now}, see docs/guides/identity.md."


def ways_on_elsewhere(used: str, now: str) -> str:
    back = "" if used == _LOOPBACK else f"Set it back: SERVICENOW_INSTANCE={used}. "
    return (
        f"{back}Or give {now} a state of its own: SNOWLOAD_STATE_DIR=DIRECTORY (or another SNOWLOAD_STATE_URL). If it "
        "is the same CMDB under a new address (renamed, or cloned over): snowload load --adopt-instance"
    )


def bind(here: Ground, store: Store, *, adopt: bool = False) -> None:
    """Before the first write. Raises as :func:`refuse_foreign_state`."""
    refuse_foreign_state(here, store, adopt=adopt)
    mine = {Bond.DATA_SOURCE: here.settings.servicenow.data_source, Bond.INSTANCE: instance_of(here)}
    if store.bonds() != mine:
        store.bind(mine)
