"""The engine's input: items, relations, reference items, and what the caller wants done with them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from beast_dream_snow_loader.sandbox.servicenow.calls import ApiError
from beast_dream_snow_loader.sandbox.servicenow.values import to_text

_HINT = "Check logs for error trace or enable glide.rest.debug property to verify REST request processing"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceInfo:
    """``sys_object_source_info``. ``recency`` is a UTC date-time; empty: none given."""

    name: str
    native_key: str
    feed: str = ""
    recency: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubItem:
    """A lookup or related item: sub-item ``position`` (lookups first) of the payload's item ``main``."""

    class_name: str
    values: Mapping[str, object]
    main: int
    position: int
    is_lookup: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """``indices``: its places in the payload; several once duplicates are merged, with every one's ``sources``.

    ``settings`` are the switches that are on. ``anchor``: an existing CI that only lends itself as an end of relations;
    nothing of it is written. ``merged_ids``: partial payloads that were put together with it.
    """

    indices: tuple[int, ...]
    class_name: str
    internal_id: str = ""
    values: Mapping[str, object] = field(default_factory=dict)
    sources: tuple[SourceInfo, ...] = ()
    lookups: tuple[SubItem, ...] = ()
    related: tuple[SubItem, ...] = ()
    settings: frozenset[str] = frozenset()
    anchor: bool = False
    merged_ids: tuple[str, ...] = ()
    broken: str = ""

    @property
    def index(self) -> int:
        return self.indices[0]

    @property
    def source(self) -> SourceInfo | None:
        return self.sources[0] if self.sources else None

    @property
    def fault_key(self) -> str:
        return self.source.native_key if self.source else self.text("name")

    def text(self, element: str) -> str:
        """A value as it would be stored; the class stands in for ``sys_class_name``."""
        return self.class_name if element == "sys_class_name" else to_text(self.values.get(element))

    def printed(self, data_source: str) -> str:
        """As the engine quotes it in its messages."""
        shown: dict[str, object] = {
            "className": self.class_name,
            "values": {"discovery_source": data_source, **self.values},
        }
        if self.source:
            shown["sys_object_source_info"] = {
                "source_name": self.source.name,
                "source_native_key": self.source.native_key,
            }
        shown["settings"] = dict.fromkeys(sorted(self.settings), True)
        return json.dumps(shown, separators=(",", ":"), ensure_ascii=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """Ends are an item's index (int) or its internal id (str). ``indices``: its places in the payload."""

    indices: tuple[int, ...]
    parent: int | str
    child: int | str
    type: str
    source_name: str = ""
    source_feed: str = ""

    def printed(self) -> str:
        return json.dumps({"parent": self.parent, "child": self.child, "type": self.type}, separators=(",", ":"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceItem:
    """The field ``element`` of item ``referenced_by`` is to hold the sys_id of item ``referenced``: internal ids."""

    element: str
    referenced: str
    referenced_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    items: tuple[Item, ...]
    relations: tuple[Relation, ...] = ()
    references: tuple[ReferenceItem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Which endpoint was called, with which options. ``partial_payloads`` forces the two below it."""

    data_source: str
    commit: bool
    enhanced: bool = False
    partial_payloads: bool = False
    partial_commits: bool = False
    deduplicate_payloads: bool = False
    generate_summary: bool = False
    skip_updating_last_scan_to_now: bool = False
    skip_updating_source_last_discovered_to_now: bool = False


def read_wish(data_source: str, options: str, *, enhanced: bool, commit: bool) -> Wish:
    """``options`` as ``k:v,k:v``; only the enhanced pair reads it. ApiError 500 for a chunk that is no pair."""
    if not enhanced:
        return Wish(data_source=data_source, commit=commit)
    told = {"partial_payloads": True, "partial_commits": True, "deduplicate_payloads": True, **_chunks(options)}
    known = {name: told[name] for name in _WISHES if name in told}
    if known["partial_payloads"]:
        known.update(partial_commits=True, deduplicate_payloads=True)
    return Wish(data_source=data_source, commit=commit, enhanced=True, **known)


_WISHES = (
    "partial_payloads",
    "partial_commits",
    "deduplicate_payloads",
    "generate_summary",
    "skip_updating_last_scan_to_now",
    "skip_updating_source_last_discovered_to_now",
)


def _chunks(text: str) -> dict[str, bool]:
    found: dict[str, bool] = {}
    for chunk in text.split(",") if text else ():
        parts = [part.strip() for part in chunk.split(":")]
        if len(parts) != 2 or not all(parts):
            message = f"Chunk [{chunk}] is not a valid entry"
            raise ApiError(500, message, f"{message} {_HINT}")
        found[parts[0]] = parts[1].lower() == "true"
    return found


def read_payload(body: Mapping[str, object]) -> Payload:
    """Tolerant as the product is: typed values and missing members are taken as they come."""
    return Payload(
        items=tuple(_item(index, entry) for index, entry in enumerate(_list(body.get("items")))),
        relations=tuple(_relation(index, entry) for index, entry in enumerate(_list(body.get("relations")))),
        references=tuple(_reference(entry) for entry in _maps(body.get("referenceItems"))),
    )


def _item(index: int, entry: object) -> Item:
    if not isinstance(entry, Mapping):
        return Item(indices=(index,), class_name="", broken=to_text(entry))
    lookups = tuple(_subs(entry.get("lookup"), (index, 0), is_lookup=True))
    source = _source(entry.get("sys_object_source_info"))
    return Item(
        indices=(index,),
        class_name=to_text(entry.get("className")),
        internal_id=to_text(entry.get("internal_id")),
        values=_map(entry.get("values")),
        sources=(source,) if source else (),
        lookups=lookups,
        related=tuple(_subs(entry.get("related"), (index, len(lookups)), is_lookup=False)),
        settings=frozenset(name for name, value in _map(entry.get("settings")).items() if to_text(value) == "true"),
    )


def _subs(listed: object, first: tuple[int, int], *, is_lookup: bool) -> Iterable[SubItem]:
    for position, entry in enumerate(_maps(listed), first[1]):
        yield SubItem(
            class_name=to_text(entry.get("className")),
            values=_map(entry.get("values")),
            main=first[0],
            position=position,
            is_lookup=is_lookup,
        )


def _source(info: object) -> SourceInfo | None:
    told = _map(info)
    key = to_text(told.get("source_native_key"))
    if not key:
        return None
    return SourceInfo(
        name=to_text(told.get("source_name")),
        native_key=key,
        feed=to_text(told.get("source_feed")),
        recency=to_text(told.get("source_recency_timestamp")),
    )


def _relation(index: int, entry: object) -> Relation:
    told, source = _map(entry), _map(_map(entry).get("sys_rel_source_info"))
    return Relation(
        indices=(index,),
        parent=_end(told, "parent"),
        child=_end(told, "child"),
        type=to_text(told.get("type")),
        source_name=to_text(source.get("source_name")),
        source_feed=to_text(source.get("source_feed")),
    )


def _end(told: Mapping[str, object], name: str) -> int | str:
    """``parent_id`` names an item, ``parent`` counts it: 2, 2.0 and "2" are the same; -1 stands for none."""
    if told.get(f"{name}_id") not in (None, ""):
        return to_text(told[f"{name}_id"])
    text = to_text(told.get(name))
    return int(text) if text.isascii() and text.isdigit() else -1


def _reference(entry: Mapping[str, object]) -> ReferenceItem:
    return ReferenceItem(
        element=to_text(entry.get("referenceField")),
        referenced=to_text(entry.get("referenced")),
        referenced_by=to_text(entry.get("referencedBy")),
    )


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _maps(value: object) -> list[Mapping[str, object]]:
    return [entry for entry in _list(value) if isinstance(entry, Mapping)]


def _map(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
