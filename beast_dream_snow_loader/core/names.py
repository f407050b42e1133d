"""Which name each record gets: the one its CI has, else the first form that is free (cmdb-model 2.4, guard 1)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from beast_dream_snow_loader.core.desired import ConfigItem
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.known import KnownItem, KnownState
from beast_dream_snow_loader.core.naming import settle


def planned_names(items: Mapping[SourceKey, ConfigItem], known: KnownState) -> dict[SourceKey, str]:
    """Names that no two records share, ignoring case. A CI keeps its name while UniFi's stays, and nobody is given
    the name of a known CI that is not among ``items``: a device that follows another under its name gets its own."""
    kept = {key: name for key, item in items.items() if (name := _kept(item, known.items.get(key)))}
    taken = {*kept.values(), *(_name_there(entry) for key, entry in known.items.items() if key not in items)}
    free = {key: _forms_from(item) for key, item in items.items() if key not in kept}
    levels = settle(free, taken)
    return {**kept, **{key: free[key][level] for key, level in levels.items()}}


def named(item: ConfigItem, name: str) -> ConfigItem:
    """The item under this name."""
    return item if item.name == name else replace(item, values={**item.values, "name": name})


def next_form(item: ConfigItem) -> ConfigItem | None:
    """The item under the form after the one it has; None at the last."""
    following = _forms_from(item)[1:]
    return named(item, following[0]) if following else None


def without(item: ConfigItem, taken: Collection[str]) -> ConfigItem:
    """The item without the name forms that are ``taken`` (in lower case); the last, with its whole MAC, stays."""
    free = tuple(form for form in item.name_forms if form.casefold() not in taken) or item.name_forms[-1:]
    return replace(named(item, free[0]), name_forms=free)


def last_form(item: ConfigItem) -> ConfigItem:
    """The item under the form that holds its whole MAC."""
    return named(item, item.name_forms[-1])


def name_source(item: ConfigItem, written: Mapping[str, str], known: KnownItem | None) -> str:
    """From which UniFi name the name in ``written`` was made. While another name stands in the CMDB (a person's, or one
    put back), it is not made from what UniFi says now. On CIs of others no name is ours to derive."""
    if known is None or not known.created_by_us or written.get("name", "") == item.name:
        return item.name_source
    return known.name_source


def _kept(item: ConfigItem, known: KnownItem | None) -> str:
    """The stored name, while it still derives from the same UniFi name: names do not flap because a neighbour came
    or went. Empty when the record needs a name."""
    if known is None:
        return ""
    written = known.written.get("name", "")
    if not known.created_by_us:
        return (known.stored or {}).get("name") or written or item.name
    derived = bool(known.name_source) and known.name_source == item.name_source
    return written if derived or written in item.name_forms else ""


def _name_there(known: KnownItem) -> str:
    return (known.stored or {}).get("name") or known.written.get("name", "")


def _forms_from(item: ConfigItem) -> tuple[str, ...]:
    """The forms not yet refused: recognition may have moved on to a later one."""
    if item.name in item.name_forms:
        return item.name_forms[item.name_forms.index(item.name) :]
    return (item.name, *item.name_forms)
