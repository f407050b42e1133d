"""The desired state cut to what this instance has: classes, fields, lengths, choices, rows, relation types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from beast_dream_snow_loader.core import lacks, normalize
from beast_dream_snow_loader.core.class_choice import class_steps
from beast_dream_snow_loader.core.desired import ConfigItem, DesiredState, Reference, Relation, RelationRole
from beast_dream_snow_loader.core.edge_ends import among
from beast_dream_snow_loader.core.facts import ClassFacts, FieldFacts, InstanceFacts
from beast_dream_snow_loader.core.findings import Finding
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.known import Held
from beast_dream_snow_loader.core.mapping_rules import MappingRules
from beast_dream_snow_loader.core.mapping_tables import BASE_CLASS, LABELS, RelationType
from beast_dream_snow_loader.core.naming import refit, settle


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
            self._tell(lacks.demanded(shape.name, sorted(shape.demands - values.keys())), shape.name)
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
            usable = (facts for facts in known if facts is None or facts.usable)
            self._classes[chain] = next(usable, self.facts.classes.get(BASE_CLASS))
        chosen = self._classes[chain]
        if chosen is None and self.facts.engine and any(name not in self.facts.classes for name in chain):
            self._tell(lacks.class_unasked(item), str(item.key))
        elif chosen is None:
            why = self._reasons(chain) if self.facts.engine else "the identification engine is not available"
            finding = lacks.no_class(item, why)
            self._tell(finding, str(item.key))
            self.held.append(Held(key=item.key, rule="class.none", reason=finding.message))
        elif not self.facts.engine:
            return chosen  # told once, for all
        elif chosen.name != chain[0]:
            self._tell(lacks.other_class(item, chosen.name, self._reasons(chain)), item.kind, chosen.name)
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
                self._tell(lacks.unresolved(reference), reference.element, reference.key)

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
            self._tell(lacks.no_choice(element, label), element, label)
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
            self._tell(lacks.no_field(shape.name, element), shape.name, element)

    def _too_long(self, item: ConfigItem, shape: _Shape, values: dict[str, str]) -> bool:
        """Cuts free text in place; True when an identifier does not fit (cmdb-model 6.3, length rule)."""
        refused = False
        for element, value in values.items():
            limit = shape.lengths.get(element, 255)
            if len(value) <= limit or element == "name":
                continue
            if element in self._identifiers:
                self._tell(lacks.identifier_too_long(item, element, value, limit), str(item.key), element)
                refused = True
            else:
                values[element] = normalize.cut(value, limit)
                self._cut(item, element, limit)
        return refused

    def _cut(self, item: ConfigItem, element: str, limit: int) -> None:
        self._tell(lacks.cut(item, element, limit), str(item.key), element)

    def _tell(self, finding: Finding, *about: str) -> None:
        self.findings.setdefault((finding.rule, *about), finding)


def _fit_relations(relations: Sequence[Relation], fitting: _Fitting) -> tuple[Relation, ...]:
    types: dict[RelationRole, RelationType | None] = {}
    for role in {relation.role for relation in relations}:
        offered = fitting.rules.relation_types.get(role, ())
        types[role] = next((kind for kind in offered if kind.name in fitting.facts.relation_types), None)
        if types[role] is None:
            fitting.findings[("relation", role)] = lacks.no_type(role, offered)
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
