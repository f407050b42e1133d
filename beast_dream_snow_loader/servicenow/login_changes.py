"""Whether going on with another login was right (X5)."""

from __future__ import annotations

import threading

from beast_dream_snow_loader.operations.healing import LOGIN, Healing, Healings


class Changes:
    """Thread-safe. Logins are known by their position, most secure first."""

    def __init__(self, healings: Healings) -> None:
        self._healings = healings
        self._lock = threading.Lock()
        self._opened: set[int] = set()
        """Logins that something was answered to: a 401 later is an ended token rather than a wrong secret."""
        self._open: tuple[int, Healing] | None = None
        """The login before the present one, and the change while nobody knows whether it was right."""
        self._tried_back = False

    def changed(self, before: str, after: str, position: int) -> None:
        """The login at ``position`` was refused; the one behind it is used from now on."""
        with self._lock:
            if self._open is not None:
                self._open[1].did_not_help()
            detected = f"ServiceNow refused the login by {before} (401)."
            healing = self._healings.begin(LOGIN, "servicenow", detected, f"The login by {after} is used.")
            self._open = (position, healing) if healing is not None else None

    def judged(self, position: int, status: int) -> int | None:
        """An answer with ``status`` to the login at ``position``. The login to try again where the change may
        have done harm: this one may not do what is asked, and the one before could do something. Once in a run."""
        with self._lock:
            before = self._before(position)
            if status == 403 and before is not None:
                self._tried_back = True
                return before
            if status not in (401, 403):
                self._opened.add(position)
                if self._open is not None and position > self._open[0]:
                    self._settle().helped()
            return None

    def went_back(self, *, works: bool) -> None:
        """The login before was tried once more. Where it is dead for good, less is more than nothing."""
        with self._lock:
            if self._open is None:
                return
            if works:
                self._settle().taken_back("The other login may do less (403); the one before works again and is used.")
            else:
                self._settle().did_not_help()

    def _before(self, position: int) -> int | None:
        if self._open is None or self._tried_back or position <= self._open[0]:
            return None
        return self._open[0] if self._open[0] in self._opened else None

    def _settle(self) -> Healing:
        assert self._open is not None  # asked before
        (_, healing), self._open = self._open, None
        return healing
