"""What this ServiceNow instance is like: classes, fields, relation types, choices, reference rows.

Read by ``servicenow/classes.py`` and ``servicenow/lookup.py``; plain values here so that deciding needs no network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from beast_dream_snow_loader.core.findings import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldFacts:
    """One attribute of a class as CMDB Meta describes it."""

    type: str = "string"
    max_length: int | None = None
    mandatory: bool = False
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFacts:
    """One CMDB class. ``usable``: exists, is hardware (or has its own rule), rule active and independent.

    ``fields`` is None when the instance would not tell (Meta unreadable): then every field counts as present.
    """

    name: str
    usable: bool
    reason: str = ""
    ancestors: tuple[str, ...] = ()
    fields: Mapping[str, FieldFacts] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeRow:
    """What became of a reference row that was to be made. ``made`` False with a sys_id: it was there. ``unsure``: sent,
    without an answer, and not found since."""

    sys_id: str | None = None
    made: bool = False
    unsure: bool = False
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceFacts:
    """``references`` maps :attr:`Reference.key` of a desired Reference to a sys_id, or to None where no row or several
    matched; ``choices`` maps ``<element>.<label>`` to the stored value (``install_status.Installed`` → ``1``)."""

    read_at: datetime
    classes: Mapping[str, ClassFacts]
    relation_types: frozenset[str]
    references: Mapping[str, str | None] = field(default_factory=dict)
    choices: Mapping[str, str] = field(default_factory=dict)
    engine: bool = True
    """False: the account may not write through the identification engine, or the instance does not offer it."""
    unregistered: str = ""
    """The discovery source, where it is no choice of the instance: the engine then refuses every write."""
    findings: tuple[Finding, ...] = ()
    """What is reduced on this instance and how to mend it."""
