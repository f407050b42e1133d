"""What the operator decided: this record is that CI (cmdb-model 2.4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.identity import SourceKey, SysId, parse_sys_id
from beast_dream_snow_loader.core.known import Candidate, Held, KnownState
from beast_dream_snow_loader.core.normalize import mac12
from beast_dream_snow_loader.core.shown import shown
from beast_dream_snow_loader.errors import ConfigurationError

Bindings = Mapping[SourceKey, SysId]


def read_bindings(table: Mapping[str, str]) -> dict[SourceKey, SysId]:
    """The ``[bindings]`` of the settings. Raises ConfigurationError with every line that cannot be meant."""
    found: dict[SourceKey, SysId] = {}
    problems: list[str] = []
    for text, value in table.items():
        key, sys_id = parse_key(text), parse_sys_id(value)
        if key is None or sys_id is None:
            problems.append(f'bindings."{shown(text, 60)}": {_expected(key)}')
        elif found.setdefault(key, sys_id) != sys_id:
            problems.append(f'bindings."{shown(text, 60)}": {key} is bound to another CI by an earlier line')
    if problems:
        raise ConfigurationError(
            f"[bindings] has {len(problems)} problem{'s' if len(problems) > 1 else ''}.",
            next_step="Mend them, then check with: snowload config check",
            problems=tuple(problems),
        )
    return found


def parse_key(text: str) -> SourceKey | None:
    """``device/00005e005302``, the MAC in any usual spelling, or the MAC alone, which is a device's."""
    record, slash, mac = text.strip().rpartition("/")
    plain = mac12(mac)
    record = record.casefold() if slash else "device"
    if plain is None or record not in ("device", "client"):
        return None
    return SourceKey(record, plain)  # type: ignore[arg-type]


def _expected(key: SourceKey | None) -> str:
    if key is None:
        return "expected device/<MAC> or client/<MAC>"
    return "expected a sys_id, 32 hexadecimal digits"


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """``held`` are records whose line cannot be followed, whoever they are in the CMDB."""

    held: Mapping[SourceKey, Held]
    findings: tuple[Finding, ...] = ()


def review(bindings: Bindings, known: KnownState, present: Collection[SourceKey]) -> Review:
    """What the lines say against what is known: contradictions, two records for one CI, lines about nobody."""
    doubled = Counter(bindings.values())
    held: dict[SourceKey, Held] = {}
    findings: list[Finding] = []
    for key, sys_id in bindings.items():
        ours = known.items.get(key)
        if key not in present:
            findings.extend(_idle(key, settled=ours is not None))
        elif ours is not None and ours.sys_id != sys_id:
            both = (Candidate(sys_id=sys_id), Candidate(sys_id=ours.sys_id))
            held[key] = _held(key, "binding.contradicts", _contradiction(key, ours.sys_id, sys_id), *both)
        elif ours is None and doubled[sys_id] > 1:
            others = ", ".join(str(other) for other, bound in bindings.items() if bound == sys_id and other != key)
            why = f"[bindings] gives the CI {sys_id} to {others} as well"
            held[key] = _held(key, "binding.doubled", why, Candidate(sys_id=sys_id))
    return Review(held=held, findings=tuple(findings))


def contradicted(bindings: Bindings, known: KnownState) -> tuple[SourceKey, ...]:
    """Records that earlier loads wrote to another CI than the operator names."""
    items = known.items
    return tuple(key for key, sys_id in bindings.items() if key in items and items[key].sys_id != sys_id)


def objection(
    key: SourceKey,
    sys_id: SysId,
    candidate: Candidate | None,
    owners: Collection[SourceKey],
    *,
    hardware: bool = True,
) -> Held | None:
    """Why a record is not taken for the CI it is bound to; None when it is. ``owners`` are the records whose native
    key leads there."""
    if candidate is None:
        return _held(key, "binding.missing", f"[bindings] names the CI {sys_id}, which is not in the CMDB")
    if candidate.duplicate_of:
        why = f"[bindings] names the CI {sys_id}, which is a duplicate of {candidate.duplicate_of}: bind it to that one"
        return _held(key, "binding.duplicate", why, candidate)
    if not hardware:
        why = f"[bindings] names the CI {sys_id}, which is a {candidate.class_name} and no hardware"
        return _held(key, "binding.not_hardware", why, candidate)
    others = sorted(str(owner) for owner in owners if owner != key)
    if others:
        why = f"[bindings] names the CI {sys_id}, which is {', '.join(others)} already"
        return _held(key, "binding.claimed", why, candidate)
    return None


def followed(key: SourceKey, sys_id: SysId) -> Finding:
    """Told once, by the run that follows the line."""
    message = (
        f"Taken for the CI {sys_id} as [bindings] says. Once this load has written it, the native key leads there: "
        "the line may go."
    )
    return Finding(record=str(key), rule="binding.followed", severity=Severity.INFO, message=message)


def _contradiction(key: SourceKey, ours: SysId, bound: SysId) -> str:
    return f"[bindings] names the CI {bound} for {key}, but earlier loads wrote it to the CI {ours}"


def _idle(key: SourceKey, *, settled: bool) -> Iterator[Finding]:
    if not settled:
        message = "[bindings] has a line for it, but UniFi does not show it."
        yield Finding(record=str(key), rule="binding.idle", severity=Severity.INFO, message=message)


def _held(key: SourceKey, rule: str, reason: str, *candidates: Candidate) -> Held:
    return Held(key=key, rule=rule, reason=reason, candidates=candidates)
