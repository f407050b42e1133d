"""Every exam, in the order of the report, and what each needs to have passed before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from math import inf
from typing import TypeVar

from pydantic import BaseModel

from beast_dream_snow_loader.app.breaker_config import SERVICENOW
from beast_dream_snow_loader.app.doctor import network_checks, setup_checks
from beast_dream_snow_loader.app.doctor.ends import Ends
from beast_dream_snow_loader.app.secret_settings import secrets_in
from beast_dream_snow_loader.core.check_graph import named
from beast_dream_snow_loader.core.checkup import Check, ok
from beast_dream_snow_loader.core.desired import Reference
from beast_dream_snow_loader.core.mapping import map_snapshot
from beast_dream_snow_loader.core.mapping_rules import MappingRules
from beast_dream_snow_loader.core.observed import Snapshot
from beast_dream_snow_loader.core.remembered import remembered_whole, usable
from beast_dream_snow_loader.core.wanted_facts import wishes
from beast_dream_snow_loader.core.wanted_rows import WantedRows
from beast_dream_snow_loader.operations.examination import Exam
from beast_dream_snow_loader.servicenow.config import ServiceNowSettings
from beast_dream_snow_loader.servicenow.examining import access, class_checks, engine, hardware_rule, platform, records
from beast_dream_snow_loader.servicenow.examining.instance import Instance
from beast_dream_snow_loader.state.store import Store
from beast_dream_snow_loader.unifi import examining
from beast_dream_snow_loader.unifi.cloud import SITE_MANAGER, cloud_endpoint
from beast_dream_snow_loader.unifi.config import ConsoleSettings, UniFiSettings
from beast_dream_snow_loader.unifi.door import address
from beast_dream_snow_loader.unifi.source import UniFiSource

_ENDS = {"servicenow", "unifi"}
"""Sections whose secrets are told with the end they are for."""
_GROUPS = ("configuration", "state", "servicenow", "unifi")
M = TypeVar("M", bound=BaseModel)
Run = Callable[[], Iterable[Check]]


def one(check: Callable[[], Check]) -> Run:
    """A check of one line, as an exam runs it."""
    return lambda: (check(),)


@dataclass(slots=True, kw_only=True)
class Exams:
    """``store`` is None where the database does not open: ``database`` then says why.

    ``deep`` reads the whole of UniFi once and looks up every model and location of it.
    """

    ends: Ends
    store: Store | None
    database: Run
    deep: bool = False
    instance: Instance | None = None
    """The instance, once :meth:`all` was asked, if its secrets resolved."""
    secrets: set[str] = field(default_factory=set)
    """Every secret in use: nothing that leaves the machine may hold one."""
    _snapshot: Snapshot | None = None
    _found: list[Exam] = field(default_factory=list)

    def all(self) -> list[Exam]:
        """Secrets are read here, once each: the lines about them are ready before the first exam runs."""
        settings = self.ends.here.settings
        self._setup()
        servicenow, lines = self._resolved(settings.servicenow, "servicenow")
        self._add("configuration.secrets", lambda: lines, "servicenow", ("configuration.logins[servicenow]",))
        self.secrets |= setup_checks.passwords_in_urls(settings)
        self.secrets |= {secret.reveal() for _, secret in secrets_in(settings)}
        for name in sorted({path.partition(".")[0] for path, _ in secrets_in(settings)} - _ENDS):
            told = self._resolved(getattr(settings, name), name)[1]
            self._add("configuration.secrets", partial(_same, told), name)
        self._servicenow(servicenow or settings.servicenow)
        self._unifi(settings.unifi)
        return sorted(self._found, key=lambda exam: _GROUPS.index(exam.group))

    def _resolved(self, section: M, path: str) -> tuple[M | None, list[Check]]:
        whole, lines = setup_checks.secrets_resolve(self.ends.here.credentials, section, path)
        self.secrets |= {secret.reveal() for _, secret in secrets_in(whole)}
        return whole, lines

    def _add(self, name: str, run: Run, subject: str = "", parents: tuple[str, ...] = ()) -> None:
        self._found.append(Exam(name=name, run=run, subject=subject, parents=parents))

    def _setup(self) -> None:
        here = self.ends.here
        self._add("configuration.settings", partial(setup_checks.settings_parse, here))
        for end in ("servicenow", "unifi"):
            self._add("configuration.logins", partial(setup_checks.logins_named, here.settings, end), end)
        if here.credentials.in_1password:
            self._add("configuration.1password", partial(setup_checks.one_password, here.credentials))
        self._add("state.disk", partial(setup_checks.disk, here))
        self._add("state.database", self.database)
        if self.store is not None:
            self._add("state.lock", one(partial(setup_checks.lock, self.store, here.target)))
            self._add("state.data-source", one(partial(setup_checks.data_source, here, self.store)))
            self._add("state.instance", one(partial(setup_checks.instance, here, self.store)))

    def _servicenow(self, settings: ServiceNowSettings) -> None:
        instance = self.instance = self.ends.instance(settings)
        secrets = ("configuration.secrets[servicenow]",)
        self._reach("servicenow", "", settings.instance, True, settings.connect_timeout_seconds, SERVICENOW, secrets)
        self._add(
            "servicenow.awake",
            self._unless_cooling(SERVICENOW, partial(access.awake, instance)),
            "",
            ("servicenow.network",),
        )
        self._add("servicenow.clock", self._clock(SERVICENOW), "", ("servicenow.awake",))
        self._add("servicenow.login", partial(access.login, instance), "", ("servicenow.awake",))
        for name, run, after in self._asked(instance):
            self._add(f"servicenow.{name}", run, "", (f"servicenow.{after}",))

    def _asked(self, instance: Instance) -> Iterator[tuple[str, Run, str]]:
        """What the account may see, behind the login."""
        yield "release", one(partial(access.release, instance)), "login"
        yield "tables", partial(access.tables, instance), "login"
        yield "meta", one(partial(access.meta, instance)), "login"
        yield "engine", one(partial(engine.engine, instance)), "login"
        yield "instance-api", one(partial(access.instance_api, instance)), "login"
        yield "discovery-source", one(partial(engine.discovery_source, instance)), "engine"
        yield "identification", partial(engine.identified, instance), "engine"
        yield "native-keys", one(partial(engine.native_keys, instance)), "engine"
        yield "classes", partial(class_checks.classes, instance), "meta"
        yield "fields", partial(class_checks.fields, instance), "meta"
        yield "definitions", partial(class_checks.points, instance), "meta"
        yield "hardware-rule", partial(hardware_rule.hardware_rule, instance), "meta"
        yield "properties", partial(platform.properties, instance), "login"
        yield "relation-types", partial(platform.relation_types, instance), "login"
        yield "status-choices", partial(platform.status_choices, instance), "login"
        yield "write-rules", partial(platform.write_rules, instance), "login"
        yield "references", lambda: records.reference_rows(instance, self._references()), "login"
        yield "own-records", one(partial(records.own_records, instance)), "login"

    def _unifi(self, settings: UniFiSettings) -> None:
        whole, lines = self._resolved(settings, "unifi")
        named = "configuration.logins[unifi]"
        if settings.api_key is not None:
            self._add("configuration.secrets", lambda: lines, "site-manager", (named,))
            self._site_manager(whole or settings)
        consoles = []
        for place, console in enumerate(settings.consoles):
            mine, told = self._resolved(console, f"unifi.consoles.{place}")
            self._add("configuration.secrets", partial(_same, told), address(console), (named,))
            self._console(settings, mine or console)
            consoles.append(mine or console)
        if self.deep:
            read = (whole or settings).model_copy(update={"consoles": tuple(consoles)})
            self._add("unifi.completeness", partial(self._complete, read), "", (named,))

    def _site_manager(self, settings: UniFiSettings) -> None:
        sources = self.ends.sources(settings)
        cloud = cloud_endpoint(settings, sources.transports)
        assert cloud is not None  # there is a key
        where, timeout = "site-manager", settings.connect_timeout_seconds
        secrets = ("configuration.secrets[site-manager]",)
        self._reach("unifi", where, settings.site_manager_url, settings.verify_tls, timeout, SITE_MANAGER, secrets)
        manager = self._unless_cooling(SITE_MANAGER, partial(examining.site_manager_key, sources, cloud))
        self._add("unifi.site-manager", manager, "", (f"unifi.network[{where}]",))
        self._add("unifi.clock", self._clock(SITE_MANAGER), where, ("unifi.site-manager",))
        if settings.use_connector:
            self._add("unifi.connector", partial(examining.connector, sources, cloud), "", ("unifi.site-manager",))

    def _console(self, settings: UniFiSettings, console: ConsoleSettings) -> None:
        where, timeout = address(console), settings.connect_timeout_seconds
        verify = settings.verify_tls if console.verify_tls is None else console.verify_tls
        service = f"unifi:{where}"
        secrets = (f"configuration.secrets[{where}]",)
        self._reach("unifi", where, console.url, verify, timeout, service, secrets)
        sources = self.ends.sources(settings)
        asked = self._unless_cooling(service, partial(examining.console, sources, console))
        self._add("unifi.console", asked, where, (f"unifi.network[{where}]",))
        self._add("unifi.clock", self._clock(service), where, (f"unifi.console[{where}]",))

    def _reach(
        self, group: str, where: str, url: str, verify: bool | str, timeout: float, service: str, after: tuple[str, ...]
    ) -> None:
        way = network_checks.Way(service=service, url=url, verify=verify, timeout=timeout)
        self._add(f"{group}.network", one(way.network), where, after)
        self._add(
            f"{group}.certificate", partial(way.certificate, self.ends.here), where, (named(f"{group}.network", where),)
        )

    def _unless_cooling(self, service: str, run: Run) -> Run:
        """The first exam of a service that is sent anything: the others need it."""
        return lambda: network_checks.cooling(service, self.ends) or run()

    def _clock(self, service: str) -> Run:
        return one(partial(network_checks.clock_agrees, service, self.ends.answers, self.ends.here.settings.health))

    def _complete(self, settings: UniFiSettings) -> Iterator[Check]:
        source = UniFiSource(settings, self.ends.transports().unifi, self.ends.here.clock, self.ends.listener)
        self._snapshot = source.read()
        yield from examining.completeness(self._snapshot)

    def _remembered(self) -> Snapshot | None:
        parts = self.store.memory.remembered() if self.store is not None else ()
        now = self.ends.here.clock.now()
        return remembered_whole(usable(parts, now, inf), now, "") if parts else None

    def _references(self) -> Iterable[Reference]:
        """Of the last snapshots where there is one; else only what the configuration names."""
        rules: MappingRules = self.ends.rules
        snapshot = self._snapshot or self._remembered()
        if snapshot is None:
            return WantedRows(rules=rules).of_device("", "", None)
        return wishes(map_snapshot(snapshot, rules), rules).references


def _same(lines: list[Check]) -> list[Check]:
    return lines or [ok("none is configured here")]
