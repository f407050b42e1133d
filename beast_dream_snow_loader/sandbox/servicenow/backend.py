"""What every API of the instance works on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from beast_dream_snow_loader.sandbox.servicenow.options import Options
from beast_dream_snow_loader.sandbox.servicenow.records import Instance
from beast_dream_snow_loader.sandbox.servicenow.selection import Selector


class Backend:
    """The database, its query engine and the options in force (replaced as a whole, never changed in place)."""

    def __init__(self, instance: Instance, options: Options) -> None:
        self.instance = instance
        self.selector = Selector(instance)
        self.options = options

    def set_options(self, **changes: Any) -> None:
        """TypeError for a name that is no option."""
        self.options = replace(self.options, **changes)
