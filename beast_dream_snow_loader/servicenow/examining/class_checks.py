"""Which class each kind goes to on this instance, and whether that class takes our fields (cmdb-model 6.2, 6.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from beast_dream_snow_loader.core.checkup import Check, Evidence, fail, ok, unknown, warn
from beast_dream_snow_loader.core.facts import ClassFacts, FieldFacts
from beast_dream_snow_loader.core.mapping_tables import HARDWARE, Chain, FieldRule
from beast_dream_snow_loader.servicenow.apis.meta import ClassMeta
from beast_dream_snow_loader.servicenow.believed_classes import NOT_HARDWARE
from beast_dream_snow_loader.servicenow.classes import ClassBook
from beast_dream_snow_loader.servicenow.examining.instance import GUIDE, Instance

_STORE_APP = (
    "Install the Store app CMDB CI Class Models (sn_cmdb_ci_class) for the finer class, or leave it: the chosen class "
    "is right too. class_map in [mapping] names another."
)
_PARENTS = {
    "cmdb_ci_network_controller": "cmdb_ci_netgear",
    "cmdb_ci_handheld_computing": HARDWARE,
    "cmdb_ci_comm_hardware": HARDWARE,
    "cmdb_ci_printer": HARDWARE,
}
"""Believed (open point 7)."""

_SENT_BY_ENGINE = frozenset({"last_discovered", "discovery_source", "sys_class_name", "first_discovered"})
_LENGTHS = {"name": 255, "serial_number": 255, "correlation_id": 100}


def chains(instance: Instance) -> Mapping[str, Chain]:
    """What is tried for each kind of device, and of client where clients are created."""
    rules = instance.rules
    found = {kind: rules.chain(kind) for kind in rules.class_chains}
    if rules.clients_mode == "create":
        found |= {f"client: {category}": chain for category, chain in rules.client_chains.items()}
    return found


def classes(instance: Instance) -> Iterator[Check]:
    """The class of each kind, with the reason for every one that was passed over."""
    wanted = chains(instance)
    facts = instance.classes(lambda book: book.resolve(wanted.values()))
    for kind, chain in wanted.items():
        yield _kind(kind, chain, facts)
    yield from instance.classes(_parents)


def _kind(kind: str, chain: Chain, facts: Mapping[str, ClassFacts]) -> Check:
    taken = next((name for name in chain if name in facts and facts[name].usable), None)
    over = [name for name in chain if name in facts and not facts[name].usable and name not in NOT_HARDWARE]
    passed = "; ".join(f"{name}: {facts[name].reason}" for name in over)
    if taken is None:
        why = f"no class can take it ({passed})"
        return fail(why, "Switch the Hardware Rule on again in CI Class Manager, or name a class in class_map.", kind)
    if not passed:
        return ok(f"goes to {taken}", kind)
    return warn(f"goes to {taken} ({passed})", _fix(passed), kind)


def _fix(passed: str) -> str:
    if "no such class" in passed:
        return _STORE_APP
    return "Mend the class's identification rule in CI Class Manager, or name another class in class_map of [mapping]."


def _parents(book: ClassBook) -> Iterator[Check]:
    """Open point 7, as far as those classes are there."""
    known = {name: meta.parent for name in _PARENTS if (meta := book.definition(name)) is not None}
    for name, parent in known.items():
        said = Evidence(point=7, holds=parent == _PARENTS[name], says=f"{name} is below {parent}")
        if said.holds:
            yield ok(f"is below {parent}", name, said)
        else:
            fix = f"Tell the project (docs/start.md); {name} is judged by its rule all the same."
            yield warn(f"is below {parent}, not {_PARENTS[name]}", fix, name, said)


def fields(instance: Instance) -> Iterator[Check]:
    """For each class that is used: fields it lacks, demands, will not let us write, and how long they may be."""
    wanted = chains(instance)
    facts = instance.classes(lambda book: book.resolve(wanted.values()))
    users: dict[str, list[str]] = {}
    for kind, chain in wanted.items():
        taken = next((name for name in chain if name in facts and facts[name].usable), None)
        if taken is not None:
            users.setdefault(taken, []).append(kind)
    for name, kinds in sorted(users.items()):
        yield _class_fields(instance, facts[name], kinds)


def _class_fields(instance: Instance, facts: ClassFacts, kinds: list[str]) -> Check:
    if facts.fields is None:
        return unknown("its fields are not told", f"Give the account the role itil ({GUIDE}, APIs).", facts.name)
    mapped = [rule for rule in instance.rules.fields if any(_applies(rule, kind) for kind in kinds)]
    lacking = [rule for rule in mapped if rule.element not in facts.fields]
    vital = [rule.element for rule in lacking if rule.required]
    if vital:
        fix = f"Do not use this class: name another for {', '.join(kinds)} in class_map of [mapping]."
        return fail(f"has no {', '.join(vital)}, which every record needs", fix, facts.name)
    troubles = [*_demanded(mapped, facts.fields), *_unwritable(mapped, facts.fields), *_short(mapped, facts.fields)]
    left_out = f"; left out there: {', '.join(rule.element for rule in lacking)}" if lacking else ""
    if not troubles:
        return ok(f"takes {len(mapped) - len(lacking)} of {len(mapped)} fields{left_out}", facts.name)
    fixes = dict.fromkeys(fix for _, fix in troubles)
    return warn("; ".join(found for found, _ in troubles) + left_out, " ".join(fixes), facts.name)


def _applies(rule: FieldRule, kind: str) -> bool:
    return rule.applies_to("client" if kind.startswith("client: ") else "device", kind)


def _demanded(mapped: list[FieldRule], told: Mapping[str, FieldFacts]) -> Iterator[tuple[str, str]]:
    """Mandatory fields without a value from us: the engine refuses the insert (servicenow-api 5.6)."""
    ours = {rule.element for rule in mapped if rule.required} | _SENT_BY_ENGINE
    missing = sorted(name for name, one in told.items() if one.mandatory and name not in ours)
    if missing:
        names = ", ".join(missing)
        fix = (
            f"Give {names} a default value on the instance, make it optional, or fill it by extra_fields in [mapping]."
        )
        yield f"demands {names}, for which there may be no value", fix


def _unwritable(mapped: list[FieldRule], told: Mapping[str, FieldFacts]) -> Iterator[tuple[str, str]]:
    locked = sorted(rule.element for rule in mapped if rule.element in told and told[rule.element].read_only)
    if locked:
        names = ", ".join(locked)
        yield f"marks {names} read-only", f"Clear the read-only flag of {names} in the dictionary, or live without it."


def _short(mapped: list[FieldRule], told: Mapping[str, FieldFacts]) -> Iterator[tuple[str, str]]:
    """Shorter than usual: free text is cut, an identifier that does not fit is an error."""
    for rule in mapped:
        length = told[rule.element].max_length if rule.element in told else None
        if length is not None and length < rule.max_length and not rule.references:
            what = "records with a longer one are left out" if rule.identifier else "longer ones are cut"
            fix = f"Lengthen {rule.element} to {rule.max_length} in the dictionary."
            yield f"{rule.element} takes {length} characters ({what})", fix


def points(instance: Instance) -> Iterator[Check]:
    """Open points 6, 8, 12 and 13: what only the definitions tell."""
    netgear = instance.classes(lambda book: book.definition("cmdb_ci_netgear"))
    hardware = instance.classes(lambda book: book.definition(HARDWARE))
    if netgear is not None and netgear.fields is not None:
        yield _firmware(netgear.fields)
    if hardware is not None and hardware.fields is not None:
        yield _lengths(hardware.fields)
        yield _life_cycle(hardware.fields)
    if hardware is not None:
        yield _key_value(hardware)


def _firmware(told: Mapping[str, FieldFacts]) -> Check:
    there = "firmware_version" in told
    says = f"firmware_version {'is' if there else 'is not'} a field of cmdb_ci_netgear itself"
    return ok(says, "firmware_version", Evidence(point=6, holds=there, says=says))


def _lengths(told: Mapping[str, FieldFacts]) -> Check:
    seen = {name: told[name].max_length for name in _LENGTHS if name in told}
    shorter = [name for name, length in seen.items() if length is not None and length < _LENGTHS[name]]
    says = ", ".join(f"{name} {length or 'not told'}" for name, length in seen.items())
    evidence = Evidence(point=8, holds=None if None in seen.values() or not seen else not shorter, says=says)
    return ok(says, "lengths", evidence)


def _life_cycle(told: Mapping[str, FieldFacts]) -> Check:
    kind = told["life_cycle_stage"].type if "life_cycle_stage" in told else "not there"
    says = f"life_cycle_stage is {kind}; written only with retire.lifecycle = csdm, by the value the instance shows"
    return ok(says, "life_cycle_stage", Evidence(point=12, holds=True, says=says))


def _key_value(hardware: ClassMeta) -> Check:
    related = hardware.rule.related if hardware.rule is not None else ()
    there = "cmdb_key_value" in related
    says = f"cmdb_key_value {'may' if there else 'may not'} come along with hardware"
    return ok(says, "cmdb_key_value", Evidence(point=13, holds=True, says=f"{says}; it is not used"))
