"""The desired state cut to what this instance has: classes, fields, lengths, choices, rows, relation types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from beast_dream_snow_loader.core import normalize
from beast_dream_snow_loader.core.class_choice import class_steps
from beast_dream_snow_loader.core.desired import ConfigItem, DesiredState, Reference, Relation, RelationRole
from beast_dream_snow_loader.core.facts import ClassFacts, FieldFacts, InstanceFacts
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.known import Held
from beast_dream_snow_loader.core.mapping_rules import MappingRules
from beast_dream_snow_loader.core.mapping_tables import BASE_CLASS, LABELS, STORE_APP, STORE_CLASSES, RelationType
from beast_dream_snow_loader.core.naming import refit, settle
from beast_dream_snow_loader.core.ports import Wishes
from beast_dream_snow_loader.core.shown import shown


def wishes(desired: DesiredState, rules: MappingRules) -> Wishes:
    """What must be known of the instance before :func:`fit`."""
    items = desired.items.values()
    elements: dict[tuple[str, ...], set[str]] = {}
    for item in items:
        elements.setdefault(item.class_chain, set()).update(item.values)
    return Wishes(
        class_chains=frozenset(item.class_chain for item in items),
        relation_types=frozenset(kind.name for kinds in rules.relation_types.values() for kind in kinds),
        references=frozenset(
            wanted
            for references in {item.references for item in items}
            for reference in references
            for wanted in _with_others(reference)
        ),
        elements={chain: frozenset(names) for chain, names in elements.items()},
        roles=frozenset(tuple(kind.name for kind in kinds) for kinds in rules.relation_types.values()),
        engine=True,
    )


def _with_others(reference: Reference) -> Iterator[Reference]:
    """The reference and those it leans on."""
    yield reference
    for _, other in (*reference.within, *reference.make_from):
        yield from _with_others(other)


def fit(desired: DesiredState, facts: InstanceFacts, rules: MappingRules) -> DesiredState:
    """The same state for this instance; its findings are appended to those there.

    Items without a usable class, or with an identifier that does not fit, are left out with an error finding; their
    edges become orphans. Each lacking field, row, choice and relation type is told once.
    """
    fitting = _Fitting(facts=facts, rules=rules)
    fitted = {key: done for key, item in desired.items.items() if (done := fitting.item(item)) is not None}
    relations = _fit_relations(desired.relations, fitting)
    typed = {edge.lower: edge for edge in _fit_relations([link.relation for link in desired.client_links], fitting)}
    links = [
        replace(link, relation=typed[link.relation.lower])
        for link in desired.client_links
        if link.relation.lower in typed
    ]
    return among(
        replace(
            desired,
            relations=relations,
            client_links=tuple(links),
            findings=(*desired.findings, *fitting.findings.values()),
            ancestors={name: told.ancestors for name, told in facts.classes.items() if told.usable},
            choices=facts.choices,
            held=(*desired.held, *fitting.held),
        ),
        _unique_again(fitted),
    )


def among(desired: DesiredState, items: Mapping[SourceKey, ConfigItem]) -> DesiredState:
    """The state with these items only: edges that lose an end become orphans. A client's CI is not ours, so that its
    edge needs the device only."""
    kept, orphans = split_relations(desired.relations, items)
    links = tuple(link for link in desired.client_links if link.relation.upper in items)
    lost = (link.relation for link in desired.client_links if link.relation.upper not in items)
    return replace(
        desired,
        items=items,
        relations=kept,
        client_links=links,
        orphans=(*desired.orphans, *orphans, *(_loose(relation) for relation in lost)),
    )


def split_relations(
    relations: tuple[Relation, ...], items: Mapping[SourceKey, ConfigItem]
) -> tuple[tuple[Relation, ...], tuple[Finding, ...]]:
    """Edges both of whose ends are items, and a finding for each other one."""
    kept = tuple(relation for relation in relations if relation.lower in items and relation.upper in items)
    if len(kept) == len(relations):
        return relations, ()
    return kept, tuple(
        _loose(relation) for relation in relations if relation.lower not in items or relation.upper not in items
    )


def _loose(relation: Relation) -> Finding:
    return Finding(
        record=str(relation.lower),
        rule="relation.orphan",
        severity=Severity.WARNING,
        message=f"Its edge to {relation.upper} waits: one of the two is not written.",
        field=relation.role,
        value=str(relation.upper),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """What one class takes: elements it has not, those it demands, and how long each value may be."""

    name: str
    lacks: frozenset[str]
    demands: frozenset[str]
    lengths: Mapping[str, int]

    @classmethod
    def of(cls, facts: ClassFacts, believed: Mapping[str, int]) -> _Shape:
        fields: Mapping[str, FieldFacts] = facts.fields if facts.fields is not None else {}
        return cls(
            name=facts.name,
            lacks=frozenset(believed) - fields.keys() if facts.fields is not None else frozenset(),
            demands=frozenset(name for name, told in fields.items() if told.mandatory),
            lengths={**believed, **{name: told.max_length for name, told in fields.items() if told.max_length}},
        )


@dataclass(slots=True, kw_only=True)
class _Fitting:
    """One pass over all items. ``findings`` by what they are about, so that each is told once."""

    facts: InstanceFacts
    rules: MappingRules
    findings: dict[tuple[str, ...], Finding] = field(default_factory=dict)
    held: list[Held] = field(default_factory=list)
    _classes: dict[tuple[str, ...], ClassFacts | None] = field(default_factory=dict)
    _shapes: dict[str, _Shape] = field(default_factory=dict)
    _plain: dict[tuple[Reference, ...], tuple[Reference, ...]] = field(default_factory=dict)
    _rows: dict[tuple[Reference, ...], dict[str, str]] = field(default_factory=dict)
    _lengths: Mapping[str, int] = field(default_factory=dict)
    _identifiers: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self._lengths = self.rules.max_lengths()
        self._identifiers = frozenset(rule.element for rule in self.rules.fields if rule.identifier)

    def item(self, item: ConfigItem) -> ConfigItem | None:
        """The item in its class; None when it cannot be written here."""
        chosen = self._class(item)
        if chosen is None:
            return None
        shape = self._shape(chosen)
        values = {**item.values, **self._references(item.references)}
        self._choose(values)
        self._drop(shape, values)
        if self._too_long(item, shape, values):
            return None
        if not shape.demands <= values.keys():
            self._tell(_demanded(shape.name, sorted(shape.demands - values.keys())), shape.name)
        forms = refit(item.name_forms, item.name_source, shape.lengths["name"])
        if "name" in values and forms[0] != values["name"]:
            self._cut(item, "name", shape.lengths["name"])
            values["name"] = forms[0]
        return replace(
            item, class_name=chosen.name, values=values, name_forms=forms, references=self._bare(item.references)
        )

    def _shape(self, chosen: ClassFacts) -> _Shape:
        if chosen.name not in self._shapes:
            self._shapes[chosen.name] = _Shape.of(chosen, self._lengths)
        return self._shapes[chosen.name]

    def _class(self, item: ConfigItem) -> ClassFacts | None:
        chain = item.class_chain
        if chain not in self._classes:
            known = (self.facts.classes.get(name) for name in chain if self.facts.engine)
            usable = (facts for facts in known if facts is not None and facts.usable)
            self._classes[chain] = next(usable, self.facts.classes.get(BASE_CLASS))
        chosen = self._classes[chain]
        if chosen is None:
            why = self._reasons(chain) if self.facts.engine else "the identification engine is not available"
            finding = _no_class(item, why)
            self._tell(finding, str(item.key))
            self.held.append(Held(key=item.key, rule="class.none", reason=finding.message))
        elif not self.facts.engine:
            return chosen  # told once, for all
        elif chosen.name != chain[0]:
            self._tell(_other_class(item, chosen.name, self._reasons(chain)), item.kind, chosen.name)
        return chosen

    def _reasons(self, chain: tuple[str, ...]) -> str:
        """Why not the classes of the chain."""
        return "; ".join(f"{step.name}: {step.reason}" for step in class_steps(chain, self.facts) if not step.usable)

    def _references(self, references: tuple[Reference, ...]) -> Mapping[str, str]:
        if references not in self._rows:
            self._rows[references] = dict(self._resolved(references))
        return self._rows[references]

    def _bare(self, references: tuple[Reference, ...]) -> tuple[Reference, ...]:
        """Without what only served to find or make the rows: items are kept, in the journal and in saved plans."""
        if references not in self._plain:
            plain = (replace(one, within=(), make=(), make_from=()) for one in references)
            self._plain[references] = tuple(plain)
        return self._plain[references]

    def _resolved(self, references: tuple[Reference, ...]) -> Iterator[tuple[str, str]]:
        for reference in references:
            sys_id = self.facts.references.get(reference.key, reference.sys_id)
            if sys_id:
                yield reference.element, sys_id
            elif not self._told_already(reference):
                self._tell(_unresolved(reference), reference.element, reference.key)

    def _told_already(self, reference: Reference) -> bool:
        """Who looked the row up has said why there is none."""
        about = (reference.element, reference.called)
        told = (finding for finding in self.facts.findings if finding.rule.startswith("reference."))
        return any((finding.field, finding.value) == about for finding in told)

    def _number(self, element: str, label: str) -> str | None:
        """The stored value of a status label (cmdb-model 1.4); None when this instance has no such choice."""
        told = self.facts.choices.get(f"{element}.{label}")
        if told is not None:
            return told
        readable = any(choice.startswith(f"{element}.") for choice in self.facts.choices)
        if readable and label in LABELS[element]:
            self._tell(_no_choice(element, label), element, label)
            return None
        return LABELS[element].get(label, label)

    def _choose(self, values: dict[str, str]) -> None:
        for element in [element for element in LABELS if element in values]:
            stored = self._number(element, values.pop(element))
            if stored is not None:
                values[element] = stored

    def _drop(self, shape: _Shape, values: dict[str, str]) -> None:
        for element in sorted(shape.lacks & values.keys()):
            del values[element]
            self._tell(_no_field(shape.name, element), shape.name, element)

    def _too_long(self, item: ConfigItem, shape: _Shape, values: dict[str, str]) -> bool:
        """Cuts free text in place; True when an identifier does not fit (cmdb-model 6.3, length rule)."""
        refused = False
        for element, value in values.items():
            limit = shape.lengths.get(element, 255)
            if len(value) <= limit or element == "name":
                continue
            if element in self._identifiers:
                self._tell(_identifier_too_long(item, element, value, limit), str(item.key), element)
                refused = True
            else:
                values[element] = normalize.cut(value, limit)
                self._cut(item, element, limit)
        return refused

    def _cut(self, item: ConfigItem, element: str, limit: int) -> None:
        finding = Finding(
            record=str(item.key),
            rule="field.cut",
            severity=Severity.WARNING,
            message=f"{element} was cut to the {limit} characters that {item.label or item.key} may have there.",
            field=element,
        )
        self._tell(finding, str(item.key), element)

    def _tell(self, finding: Finding, *about: str) -> None:
        self.findings.setdefault((finding.rule, *about), finding)


def _fit_relations(relations: Sequence[Relation], fitting: _Fitting) -> tuple[Relation, ...]:
    types: dict[RelationRole, RelationType | None] = {}
    for role in {relation.role for relation in relations}:
        offered = fitting.rules.relation_types.get(role, ())
        types[role] = next((kind for kind in offered if kind.name in fitting.facts.relation_types), None)
        if types[role] is None:
            fitting.findings[("relation", role)] = _no_type(role, offered)
    return tuple(
        replace(relation, type=kind.name, reversed=kind.reversed)
        for relation in relations
        if (kind := types[relation.role]) is not None
    )


def _unique_again(items: dict[SourceKey, ConfigItem]) -> dict[SourceKey, ConfigItem]:
    """Cutting to a short name field may have made names equal that were not."""
    levels = settle({key: item.name_forms for key, item in items.items()})
    for key, level in levels.items():
        if level:
            item = items[key]
            forms = item.name_forms[level:]
            items[key] = replace(item, name_forms=forms, values={**item.values, "name": forms[0]})
    return items


def _no_class(item: ConfigItem, reasons: str) -> Finding:
    message = (
        f"No class of this instance can take a {item.kind} ({shown(reasons, 300)}). Held until one can: mend the "
        "class, name another under mapping.class_map, or switch on servicenow.base_class_fallback."
    )
    return Finding(record=str(item.key), rule="class.none", severity=Severity.ERROR, message=message)


def _other_class(item: ConfigItem, chosen: str, reasons: str) -> Finding:
    message = f"Records of kind {item.kind} go to {chosen} ({shown(reasons, 300)})."
    before = item.class_chain[: item.class_chain.index(chosen)] if chosen in item.class_chain else item.class_chain
    if missing := [name for name in before if name in STORE_CLASSES]:
        message += f" {', '.join(missing)} would come with the Store app {STORE_APP}."
    return Finding(record="instance", rule="class.fallback", severity=Severity.WARNING, message=message, value=chosen)


def _unresolved(reference: Reference) -> Finding:
    what = reference.called
    message = f"{reference.table} has no single row for {what}: {reference.element} stays empty until there is one."
    if reference.sys_id:
        message = (
            f"{reference.table} has no row {reference.sys_id} that could be the {what}: {reference.element} stays "
            "empty. Correct the sys_id in the [mapping] settings."
        )
    return Finding(
        record="instance",
        rule="reference.unresolved",
        severity=Severity.WARNING if reference.sys_id else Severity.INFO,
        message=message,
        field=reference.element,
        value=what,
    )


def _no_choice(element: str, label: str) -> Finding:
    message = f"{element} has no choice {label} on this instance: the field is left out. Add it to sys_choice."
    return Finding(record="instance", rule="choice.absent", severity=Severity.WARNING, message=message, field=element)


def _no_field(class_name: str, element: str) -> Finding:
    message = f"{class_name} has no field {element}: it is left out there."
    return Finding(record="instance", rule="field.absent", severity=Severity.INFO, message=message, field=element)


def _identifier_too_long(item: ConfigItem, element: str, value: str, limit: int) -> Finding:
    return Finding(
        record=str(item.key),
        rule="field.too_long",
        severity=Severity.ERROR,
        message=f"{element} identifies the record and is {len(value)} characters long, {limit} may be. Left out.",
        field=element,
        value=shown(value, 60),
    )


def _demanded(class_name: str, elements: list[str]) -> Finding:
    message = f"{class_name} demands {', '.join(elements)}, for which there is no value: inserts may be refused."
    return Finding(record="instance", rule="field.mandatory", severity=Severity.WARNING, message=message)


def _no_type(role: RelationRole, offered: tuple[RelationType, ...]) -> Finding:
    names = ", ".join(kind.name for kind in offered)
    message = (
        f"This instance has none of the relation types {names}: no {role} edges are drawn. Restore one in "
        "cmdb_rel_type under exactly this name, or name another under mapping.relation_types."
    )
    return Finding(record="instance", rule="relation.type_absent", severity=Severity.WARNING, message=message)
