"""The CIs we keep, counted, and how the devices of one site hang on each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from beast_dream_snow_loader.core.shown import shown

MOST_OF_A_SITE = 150


@dataclass(frozen=True, slots=True, kw_only=True)
class Hanging:
    """A CI of a site. ``above`` is the key of what it hangs on, empty for what hangs on nothing."""

    key: str
    name: str
    kind: str
    above: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """CIs that are not retired, by class and by site (``site (console)``). ``tree`` is of ``site``, the one with the
    most CIs, the first :data:`MOST_OF_A_SITE` of them."""

    classes: Mapping[str, int] = field(default_factory=dict)
    sites: Mapping[str, int] = field(default_factory=dict)
    site: str = ""
    tree: Sequence[Hanging] = ()

    def document(self) -> dict[str, Any]:
        names = ("key", "name", "kind", "above")
        return {
            "classes": dict(self.classes),
            "sites": {shown(site): count for site, count in self.sites.items()},
            "site": shown(self.site),
            "tree": [{name: shown(getattr(one, name), 100) for name in names} for one in self.tree],
        }
