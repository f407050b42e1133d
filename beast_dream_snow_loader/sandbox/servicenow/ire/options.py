"""How this instance's engine differs: the choices nobody has published, and faults on request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFault:
    """Items whose native key (or, without one, name) and class match the globs fail with ``code``, ``times`` often.

    ``times`` None is for ever. ``name`` tells two equal faults apart.
    """

    native_key: str = "*"
    class_name: str = "*"
    code: str = "LOCK_TIMEOUT"
    message: str = ""
    times: int | None = 1
    name: str = ""

    def matches(self, key: str, class_name: str) -> bool:
        return fnmatchcase(key, self.native_key) and fnmatchcase(class_name, self.class_name)


@dataclass(frozen=True, slots=True, kw_only=True)
class SilentField:
    """A field that does not take what is sent, though the answer is a success: a business rule sets it back.

    Of items whose native key matches, ``keep`` characters of ``element`` are stored; 0: nothing is.
    """

    element: str
    native_key: str = "*"
    keep: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class IreOptions:
    """Defaults are a current release and, where nothing is published, the stricter reading.

    ``release``: ``current`` or ``old``, whose answers have fewer keys and no ``inputIndices``.
    ``shuffle_seed``: results come in another order than the payload; None keeps it.
    ``adapter_attributes``: what order 400 of the hardware rule compares; older: ``ip_address``, ``mac_address``.
    ``duplicates_by_any_entry``: two payload items are duplicates when any identifier agrees, as the vendor words it;
    False: only the first one both can be searched by.
    ``masks_unreported``: a better source's rule keeps a field even if that source never reported this CI.
    ``reference_warnings``: a reference value that is no record is said in the warnings, and dropped in any case.
    ``resend_says_update``: the first resend after an insert answers UPDATE although nothing changed.
    ``required_fields``: class to fields without which a new CI is refused, beside the dictionary's mandatory ones.
    ``without_rules``: classes whose own identification rule is switched off.
    ``own_rules``: classes that have a copy of the hardware rule of their own.
    ``higher_sys_ids``: a ``sys_id`` in the payload may be that of a CI in a class above the rule's, which is then
    upgraded; False: such a CI is not found.
    ``inactive_entries``: orders of entries of the hardware rule that are switched off. ``extra_entries``: order to
    attributes of entries somebody added to it. ``inclusion_rule``: a filter on the hardware that is looked at; the key
    under which the Meta API tells it is not published.
    ``item_faults``: see :class:`ItemFault`; ``silent_fields``: see :class:`SilentField`.
    ``dropped_relations``: types whose new rows a script of the instance deletes, though the answer says INSERT.
    """

    release: str = "current"
    shuffle_seed: int | None = None
    adapter_attributes: tuple[str, ...] = ("mac_address", "name")
    duplicates_by_any_entry: bool = True
    masks_unreported: bool = True
    reference_warnings: bool = False
    resend_says_update: bool = False
    required_fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    without_rules: frozenset[str] = frozenset()
    own_rules: frozenset[str] = frozenset()
    higher_sys_ids: bool = True
    inactive_entries: frozenset[int] = frozenset()
    extra_entries: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    inclusion_rule: str = ""
    item_faults: tuple[ItemFault, ...] = ()
    silent_fields: tuple[SilentField, ...] = ()
    dropped_relations: frozenset[str] = frozenset()

    def kept(self, key: str, element: str, value: object) -> object | None:
        """What is stored of a value sent for an item; None: the field is left as it is."""
        for silent in self.silent_fields:
            if silent.element == element and fnmatchcase(key, silent.native_key):
                return str(value)[: silent.keep] if silent.keep else None
        return value


def read_ire_options(sent: Mapping[str, object]) -> IreOptions:
    """From JSON. TypeError for a name that is no option."""
    values: dict[str, object] = dict(sent)
    for name, convert in _CONVERT.items():
        if name in values:
            values[name] = convert(values[name])
    return IreOptions(**values)  # type: ignore[arg-type]


def _faults(listed: object) -> tuple[ItemFault, ...]:
    return tuple(ItemFault(**fault) for fault in listed) if isinstance(listed, list) else ()


def _names(listed: object) -> tuple[str, ...]:
    return tuple(str(name) for name in listed) if isinstance(listed, list) else ()


def _required(sent: object) -> Mapping[str, tuple[str, ...]]:
    return {str(name): _names(listed) for name, listed in sent.items()} if isinstance(sent, Mapping) else {}


def _orders(listed: object) -> frozenset[int]:
    return frozenset(int(order) for order in _names(listed))


def _by_order(sent: object) -> Mapping[int, tuple[str, ...]]:
    return {int(order): names for order, names in _required(sent).items()}


def _silent(listed: object) -> tuple[SilentField, ...]:
    return tuple(SilentField(**one) for one in listed) if isinstance(listed, list) else ()


_CONVERT = {
    "silent_fields": _silent,
    "item_faults": _faults,
    "adapter_attributes": _names,
    "without_rules": lambda listed: frozenset(_names(listed)),
    "own_rules": lambda listed: frozenset(_names(listed)),
    "required_fields": _required,
    "inactive_entries": _orders,
    "extra_entries": _by_order,
}
