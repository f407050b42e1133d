"""What was asked for on the command line and in the settings, as one order for the pipeline."""

from __future__ import annotations

from dataclasses import replace

from beast_dream_snow_loader.app.ground import Ground
from beast_dream_snow_loader.app.options import LoadOptions
from beast_dream_snow_loader.app.section_config import FeatureSettings
from beast_dream_snow_loader.app.wiring import mapping_rules
from beast_dream_snow_loader.core.bindings import read_bindings
from beast_dream_snow_loader.core.scope import Scope
from beast_dream_snow_loader.operations.durations import parse_duration
from beast_dream_snow_loader.pipeline.world import Order, Parts


def order_of(options: LoadOptions, here: Ground, run_id: str) -> Order:
    """The order of ``load``, ``plan`` and ``explain``. ConfigurationError when the mapping rules are wrong."""
    usual = usual_order(here, run_id, dry_run=options.dry_run)
    return replace(
        usual,
        scope=Scope(
            sites=frozenset(options.sites),
            consoles=frozenset(options.consoles),
            kinds=frozenset(options.kinds),
            keys=options.keys,
        ),
        full=options.full,
        check_within_runs=1 if options.adopt_instance else usual.check_within_runs,
        allow_upgrade=options.allow_upgrade or usual.allow_upgrade,
        lanes=options.workers or usual.lanes,
        retire=here.settings.retire.policy(options.allow_retire),
        again=options.command,
    )


def usual_order(here: Ground, run_id: str, *, dry_run: bool) -> Order:
    """What the settings say, for commands without options of their own."""
    settings = here.settings.servicenow
    return Order(
        run_id=run_id,
        target=here.target,
        rules=mapping_rules(here.settings),
        bindings=read_bindings(here.settings.bindings),
        dry_run=dry_run,
        read_only=settings.read_only,
        allow_upgrade=settings.allow_upgrade,
        lanes=settings.concurrency,
        batch_size=settings.batch_size,
        batch_size_max=settings.batch_size_max,
        check_within_runs=settings.check_within_runs,
        recheck_after=settings.recheck_seconds,
        quarantine=settings.quarantine_seconds,
        patience=settings.total_timeout_seconds,
        facts_max_age=settings.facts_max_age_hours * 3600,
        stale_max_age=parse_duration(here.settings.unifi.stale_max_age).total_seconds(),
        retire=here.settings.retire.policy(),
        parts=_parts(here.settings.features),
    )


def _parts(features: FeatureSettings) -> Parts:
    return Parts(links=features.links, preflight=features.preflight, verify=features.verify, healing=features.healing)
