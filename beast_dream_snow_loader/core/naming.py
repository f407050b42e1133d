"""Unique names: the identification engine would merge two devices that share one (cmdb-model 2.4, guard 1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import TypeVar

from beast_dream_snow_loader.core.normalize import cut
from beast_dream_snow_loader.core.visible import look

K = TypeVar("K")


def name_forms(name: str, site: str, mac: str, *, shared: bool, limit: int = 255) -> tuple[str, ...]:
    """The names to try in order; each at most ``limit`` long with its distinguishing end kept whole.

    ``shared`` names (more than one device, or only the model's own) are not tried as they are. The last form holds
    the whole MAC, so it is nobody else's.
    """
    endings = [f" ({site})", f" ({site}) {mac[-6:]}", f" ({site}) {mac}"] if site else [f" {mac[-6:]}", f" {mac}"]
    if not shared:
        endings.insert(0, "")
    if len(name) + len(endings[-1]) <= limit and len(endings[-1]) <= limit // 2:
        return tuple(f"{name}{end}" for end in endings)
    forms = (f"{cut(name, max(1, limit - len(end)))}{end}" for end in (_short(e, limit) for e in endings))
    return tuple(dict.fromkeys(forms))


def _short(ending: str, limit: int) -> str:
    """An ending that leaves room for a name: at most half of ``limit``, cut at its front."""
    room = limit // 2
    return ending if len(ending) <= room else f" {ending[-(room - 1) :].lstrip()}"


def settle(forms: Mapping[K, tuple[str, ...]], taken: Collection[str] = ()) -> dict[K, int]:
    """Per record the index of the first form that no other record has and that is not ``taken``, as people see them.

    Where names collide all of them go on to their next form, so that the outcome does not depend on order. A record
    at its last form stays; the others go on.
    """
    level = dict.fromkeys(forms, 0)
    used = {look(name) for name in taken}
    while True:
        names = {key: look(forms[key][level[key]]) for key in forms}
        counts = Counter(names.values())
        movable = [
            key
            for key, name in names.items()
            if (counts[name] > 1 or name in used) and level[key] + 1 < len(forms[key])
        ]
        if not movable:
            return level
        for key in movable:
            level[key] += 1


def refit(forms: tuple[str, ...], source: str, limit: int) -> tuple[str, ...]:
    """The same forms for a field of ``limit`` characters; what was added to the name ``source`` stays whole."""
    if all(len(form) <= limit for form in forms):
        return forms
    return tuple(dict.fromkeys(_refitted(form, source, limit) for form in forms))


def _refitted(form: str, source: str, limit: int) -> str:
    if len(form) <= limit:
        return form
    ending = form[_common(form, source) :]
    if len(ending) >= limit:
        return ending[-limit:].lstrip()
    return f"{cut(form[: len(form) - len(ending)], limit - len(ending))}{ending}"


def _common(one: str, other: str) -> int:
    """Length of the beginning both share."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
