"""What was looked for completely: the verdicts, and what follows from them for what only the cloud tells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from beast_dream_snow_loader.core.observed import SITE_MANAGER, Read, Subject
from beast_dream_snow_loader.unifi.consoles import ConsoleKeys
from beast_dream_snow_loader.unifi.views import ConsoleView, DeviceView, SiteView


def verdicts(cloud: Iterable[Read], consoles: Iterable[ConsoleView], keys: ConsoleKeys) -> Iterable[Read]:
    """Every read under the key of its console."""
    for read in cloud:
        yield replace(read, console=keys.of_host(read.console) if read.console else SITE_MANAGER)
    for console in consoles:
        for read in console.reads:
            yield replace(read, console=keys.of(console))


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """``listed`` are, for each console that was read whole at its own door, all its MACs; ``strangers`` those a
    console says are not its own; ``unseen`` the sites that only the cloud knows, by console."""

    listed: Mapping[str, frozenset[str]]
    strangers: Mapping[str, frozenset[str]]
    unseen: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, consoles: Sequence[ConsoleView], cloud_sites: Iterable[SiteView], keys: ConsoleKeys) -> Accounts:
        told: dict[str, dict[str, int]] = {}
        for site in cloud_sites:
            told.setdefault(keys.of_host(site.host_id), {})[site.short_name] = site.device_count
        listed: dict[str, frozenset[str]] = {}
        strangers: dict[str, frozenset[str]] = {}
        unseen: dict[str, frozenset[str]] = {}
        for view in consoles:
            key = keys.of(view)
            strangers[key] = strangers.get(key, frozenset()) | view.strangers
            hidden = _hidden(view, told.get(key, {}))
            if hidden:
                unseen[key] = hidden
            elif view.sites and view.whole:
                macs = frozenset(device.device.mac for device in view.devices)
                listed[key] = listed.get(key, frozenset()) | macs
        return cls(listed=listed, strangers=strangers, unseen=unseen)

    def disown(self, view: DeviceView) -> bool:
        """Whether a row of Site Manager is not to be believed, because its console, asked itself, does not list it.

        Other product lines than Network are none of that console API's business; ``view`` has its console's key.
        """
        device = view.device
        if device.is_console or (device.product_line or "").lower() != "network":
            return False
        if device.mac in self.strangers.get(device.console, ()):
            return device.mac not in self.listed.get(device.console, ())
        return device.console in self.listed and device.mac not in self.listed[device.console]

    def unseen_sites(self) -> Iterable[Read]:
        """A login that may not see a site must not make its devices look gone."""
        for key, names in sorted(self.unseen.items()):
            for name in sorted(names):
                for subject in (Subject.DEVICES, Subject.CLIENTS):
                    reason = "Site Manager shows this site, the login used on the console does not"
                    yield Read(console=key, site=name, subject=subject, complete=False, reason=reason)


def _hidden(view: ConsoleView, told: Mapping[str, int]) -> frozenset[str]:
    """Sites with devices that the console did not show. That short names are the same in both is inferred
    (unifi-api 4.1), so at least one has to be."""
    own = {site.short_name for site in view.sites}
    if own.isdisjoint(told):
        return frozenset()
    return frozenset(name for name, devices in told.items() if devices and name not in own)
