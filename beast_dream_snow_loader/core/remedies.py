"""What a person does about a record that is held, by the rule that held it. One place, so that none has no way on."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_BIND = "Name the right CI under [bindings], then run `snowload load` again."
_KEEP_ONE = "Merge the CIs, or set duplicate_of on all but one, then run `snowload load` again."
_LET_READ = "Let the account read it (`snowload doctor` names the roles), then run `snowload load` again."

HELD: Mapping[str, str] = MappingProxyType(
    {
        "identity.several": _KEEP_ONE + " Or name the right one under [bindings].",
        "identity.shared": "Correct the CI's serial number, names or native keys, or bind one of the two records.",
        "identity.unreadable": _LET_READ,
        "identity.refused": "Mend what the engine names; `snowload explain KEY` shows the record as it was tried.",
        "identity.address_only": _BIND + " If it is another device, correct the address or adapter of that CI.",
        "identity.name_only": _BIND + " If it is another device, rename one of the two.",
        "identity.name_taken": "Rename the device in UniFi or the CIs that have its names, or use [bindings].",
        "binding.missing": "Correct the line under [bindings], or remove it.",
        "binding.duplicate": "Bind the record to the CI of which that one is a duplicate.",
        "binding.claimed": "Bind the record to another CI, or remove the other record's row in sys_object_source.",
        "binding.doubled": "Leave one of the lines under [bindings] that name this CI.",
        "binding.contradicts": "Remove the line, or make the right CI the target of its row in sys_object_source.",
        "binding.not_hardware": "Correct the line under [bindings]: a device is never written to such a CI.",
        "base.several": _KEEP_ONE,
        "base.exists": "Let the account use the identification engine, or name the CI under [bindings] once it may.",
        "base.double": _KEEP_ONE,
        "base.unchecked": _LET_READ,
        "class.none": "Run `snowload doctor --check classes`; mend a class, use mapping.class_map, or the base class.",
    }
)
