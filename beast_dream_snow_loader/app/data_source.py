"""The discovery source may not change under a ledger: every native key would be orphaned (cmdb-model 2.7)."""

from __future__ import annotations

from beast_dream_snow_loader.app.ground import Ground
from beast_dream_snow_loader.errors import UnknownDataSource
from beast_dream_snow_loader.state.store import Store


def other_source(here: Ground, store: Store) -> str | None:
    """The source that was used before, where the settings name another one now; None while nothing was written."""
    used = store.data_source()
    changed = used is not None and used != here.settings.servicenow.data_source
    return used if changed and not store.untouched else None


def refuse_other_source(here: Ground, store: Store) -> None:
    """Raises UnknownDataSource."""
    used = other_source(here, store)
    if used is not None:
        now = here.settings.servicenow.data_source
        raise UnknownDataSource(
            f"servicenow.data_source is {now}, but the CIs of this state carry native keys of {used}: under another "
            "name none of them would be found.",
            next_step=ways_on(used, now),
        )


def ways_on(used: str, now: str) -> str:
    return f"Set it back: SERVICENOW_DATA_SOURCE={used}. To start over under {now}, see docs/guides/identity.md."


def keep_source(here: Ground, store: Store) -> None:
    """Before the first write. Raises UnknownDataSource when the ledger belongs to another one."""
    refuse_other_source(here, store)
    if store.data_source() != here.settings.servicenow.data_source:
        store.keep_data_source(here.settings.servicenow.data_source)
