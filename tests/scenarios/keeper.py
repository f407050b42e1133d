"""Who stands before the instance and carries out late what nobody waits for any more."""

from __future__ import annotations

from fnmatch import fnmatchcase

from beast_dream_snow_loader.sandbox.messages import HttpAnswer, HttpRequest
from beast_dream_snow_loader.sandbox.servicenow.app import ServiceNowApp
from tests.scenarios.desk import WRITES


class Keeper:
    """Stands before the instance, and keeps writes to ``keeping`` (a glob) back until a request of the path ``until``
    comes. ``shuts``: with the next write that is answered, for all that comes after it."""

    def __init__(self, app: ServiceNowApp) -> None:
        self._app = app
        self._kept: list[HttpRequest] = []
        self.keeping = self.until = ""
        self.shuts = self._shut = False

    def answer(self, request: HttpRequest) -> HttpAnswer:
        if request.method != "GET" and fnmatchcase(request.path, self.keeping):
            self._kept.append(request)
            return HttpAnswer(status=503)
        if self._shut:
            return HttpAnswer(status=503)
        if request.path == self.until:
            self.deliver()
        self._shut = self.shuts and request.path == WRITES
        return self._app.answer(request)

    def open(self) -> None:
        self.shuts = self._shut = False

    def deliver(self, count: int | None = None) -> None:
        """The first ``count`` of them, or all."""
        for _ in self._kept[:count]:
            assert self._app.answer(self._kept.pop(0)).status < 300

    def control(self, request: HttpRequest) -> HttpAnswer | None:
        return self._app.control(request)
