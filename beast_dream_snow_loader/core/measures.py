"""Every metric there is, as data: what is exposed, what the reference page, the alerts and the dashboard are held to.

A run is a job and no server: what it counted is told as gauges of the last run, which begin anew with each, and not as
counters, of which Prometheus would take a second run with as many requests for no request at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Type = Literal["gauge", "counter", "summary"]
COMMON = ("environment", "target")
"""On every series: which environment, and which ServiceNow instance (its host, or ``sandbox``)."""
QUANTILES = {"0.5": "p50_ms", "0.95": "p95_ms", "0.99": "p99_ms"}
"""Those of a summary, and where they stand in a row of ``operations``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One metric. ``labels`` beside :data:`COMMON`; ``unit`` is the base unit its name ends with, if it has one."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    type: Type = "gauge"
    unit: str = ""

    @property
    def every_label(self) -> tuple[str, ...]:
        return (*COMMON, *self.labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One value of one series. ``suffix``: ``_sum`` or ``_count`` of a summary, ``_total`` of a counter."""

    name: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    suffix: str = ""


def _of_run(name: str, text: str, *labels: str, unit: str = "", type: Type = "gauge") -> Measure:  # noqa: A002
    return Measure(name=f"snowload_run_{name}", help=text, labels=("command", *labels), unit=unit, type=type)


# fmt: off
MEASURES: tuple[Measure, ...] = (
    # As the database has it at the moment of asking.
    Measure(name="snowload_build_info", labels=("version",), help="1, with the version of snowload that wrote this."),
    Measure(name="snowload_exposition_timestamp_seconds", unit="seconds", help="When this was written."),
    Measure(name="snowload_state_up",
            help="1 if the state database could be read, 0 if not: the rest is then as before."),
    Measure(name="snowload_state_size_bytes", unit="bytes", help="Size of the state database on disk."),
    Measure(name="snowload_last_run_timestamp_seconds", labels=("command",), unit="seconds",
            help="When the last run of this command ended, however it went."),
    Measure(name="snowload_last_success_timestamp_seconds", labels=("command",), unit="seconds",
            help="When the last run of this command ended that went well (status ok); 0: none did."),
    Measure(name="snowload_queue_entries", labels=("state",),
            help="Writes that are not over: later waits to be sent, dead is parked, open and unknown are looked up."),
    Measure(name="snowload_queue_oldest_timestamp_seconds", unit="seconds",
            help="When the oldest queued write was first meant to be made; absent when none waits."),
    Measure(name="snowload_breakers", labels=("breaker", "state"),
            help="Circuit breakers by dependency and state; those of all consoles count as unifi."),
    Measure(name="snowload_snapshot_timestamp_seconds", unit="seconds", help="When UniFi was last read."),
    Measure(name="snowload_stale_consoles", help="Consoles that a remembered snapshot stood in for when last asked."),
    Measure(name="snowload_degradation_level",
            help="How much works, as last recorded: 0 full, 1 reduced, 2 read-only, 3 stale, 4 offline."),
    # Of the last run of each command.
    _of_run("exit_code", "Exit code of the last run; health has codes of its own."),
    _of_run("success", "1 if the last run ended with exit code 0, else 0."),
    _of_run("duration_seconds", "How long the last run took.", unit="seconds"),
    _of_run("step_duration_seconds", "How long each step of it took.", "step", unit="seconds"),
    _of_run("step_records", "Records that each step of it dealt with.", "step"),
    _of_run("source_records", "Records read from UniFi, by kind.", "kind"),
    _of_run("changes", "What became of records and relations, by outcome.", "outcome"),
    _of_run("items", "Configuration items sent, by kind of gear and outcome.", "kind", "outcome"),
    _of_run("findings", "What was found wrong or worth knowing, by severity.", "severity"),
    _of_run("errors", "Errors by category.", "category"),
    _of_run("verified_items", "Items that were written and read back."),
    _of_run("verify_mismatches", "Items of which the CMDB did not keep what was written."),
    _of_run("links_ratio", "Share of the wanted relations that exist, 0 to 1.", unit="ratio"),
    _of_run("stale_source_seconds", "Age of the oldest snapshot it worked from; absent when all was read.",
            unit="seconds"),
    _of_run("requests", "HTTP requests by operation; failed: no answer, or a status from 400 on.",
            "operation", "outcome"),
    _of_run("request_retries", "How many of them were sent again after a failure.", "operation"),
    _of_run("request_duration_seconds", "How long they took until the whole answer was there.", "operation",
            unit="seconds", type="summary"),
    _of_run("requests_per_second", "Throughput: requests of an operation in each second of the run.", "operation"),
    _of_run("restraints", "What was done not to ask too much: waits, rejected for want of a place, retries_refused.",
            "outcome"),
    _of_run("breaker_openings", "How often a circuit breaker opened."),
    # Of the last look with `snowload health --textfile`.
    Measure(name="snowload_health_status", labels=("command", "check"),
            help="What a health check found, of several sources the worst: 0 healthy, 1 degraded, 2 unhealthy."),
    Measure(name="snowload_health_duration_seconds", labels=("command", "check"), unit="seconds",
            help="How long a health check took."),
    # Of `snowload metrics --listen` alone.
    Measure(name="snowload_scrapes_total", labels=("outcome",), type="counter",
            help="Times that metrics were asked for, by whether the state could be read (ok, failed)."),
)
# fmt: on

BY_NAME: Mapping[str, Measure] = {one.name: one for one in MEASURES}
