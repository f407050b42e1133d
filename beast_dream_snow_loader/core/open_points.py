"""What was believed of ServiceNow and UniFi when this was written, point by point, and what this instance says of it.

Numbers and assumptions are those of cmdb-model 7. Being wrong is reported, not hidden.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from beast_dream_snow_loader.core.checkup import Check, Evidence


class Verdict(StrEnum):
    AGREES = "agrees"
    CONTRADICTS = "contradicts"
    NOT_READABLE = "not_readable"
    """Looked for; the account may not see it, or there is nothing yet to see it by."""
    NOT_BY_READING = "not_by_reading"
    NOT_LOOKED_AT = "not_looked_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPoint:
    """``otherwise`` is what settles it where reading does not."""

    number: int
    question: str
    assumption: str
    otherwise: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PointVerdict:
    point: OpenPoint
    verdict: Verdict
    says: str


OPEN_POINTS: tuple[OpenPoint, ...] = (
    OpenPoint(
        number=1,
        question="what the Hardware Rule's adapter entry compares",
        assumption="ip_address, mac_address or name: all are sent",
    ),
    OpenPoint(
        number=2,
        question="whether an adapter sent as a lookup becomes a row with its owner set",
        assumption="yes",
    ),
    OpenPoint(
        number=3,
        question="whether an update of last_discovered alone moves sys_updated_on",
        assumption="yes",
    ),
    OpenPoint(
        number=4,
        question="which of Managed by::Manages and its reverse is base",
        assumption="Managed by::Manages",
    ),
    OpenPoint(
        number=5,
        question="whether Connects to::Connected by is there without Discovery",
        assumption="yes",
    ),
    OpenPoint(
        number=6,
        question="whether firmware_version is declared on network gear",
        assumption="yes; read per class in any case",
    ),
    OpenPoint(
        number=7,
        question="parents of network controller, handheld, communication hardware, printer",
        assumption="the hardware branch",
    ),
    OpenPoint(
        number=8,
        question="lengths of name, serial_number, correlation_id",
        assumption="at least 255, 255, 100; read in any case",
    ),
    OpenPoint(
        number=9,
        question="whether REST takes skip_updating_last_scan_to_now",
        assumption="not used",
        otherwise="documented for the script API only; nothing depends on it",
    ),
    OpenPoint(
        number=10,
        question="what dynamic IRE does to the name entry",
        assumption="off; a match by name is seen in the simulation in any case",
    ),
    OpenPoint(
        number=11,
        question="whether a UniFi serial number equals the base MAC",
        assumption="yes",
        otherwise="snowload doctor --deep compares them",
    ),
    OpenPoint(
        number=12,
        question="whether life_cycle_stage is a reference or a choice",
        assumption='written only with retire.lifecycle = "csdm", by what the instance shows',
    ),
    OpenPoint(
        number=13,
        question="whether cmdb_key_value may come along with hardware",
        assumption="not used",
    ),
    OpenPoint(
        number=14,
        question="whether a gateway is a router or a firewall",
        assumption="router",
        otherwise='ask the CMDB\'s owner; gateway_class = "firewall" in [mapping]',
    ),
    OpenPoint(
        number=15,
        question="which classes the general Meraki connector uses",
        assumption="those of its telecom edition",
        otherwise="not public; nothing depends on it",
    ),
)


def verdicts(checks: Iterable[Check]) -> Sequence[PointVerdict]:
    """One for each point. Where checks disagree, the contradiction counts."""
    evidence = [one for check in checks for one in check.evidence]
    return [_verdict(point, [one for one in evidence if one.point == point.number]) for point in OPEN_POINTS]


def _verdict(point: OpenPoint, evidence: Sequence[Evidence]) -> PointVerdict:
    for holds, verdict in ((False, Verdict.CONTRADICTS), (True, Verdict.AGREES), (None, Verdict.NOT_READABLE)):
        said = [one.says for one in evidence if one.holds is holds]
        if said:
            return PointVerdict(point=point, verdict=verdict, says="; ".join(dict.fromkeys(said)))
    if point.otherwise:
        return PointVerdict(point=point, verdict=Verdict.NOT_BY_READING, says=point.otherwise)
    return PointVerdict(point=point, verdict=Verdict.NOT_LOOKED_AT, says="the check that reads it did not run")
