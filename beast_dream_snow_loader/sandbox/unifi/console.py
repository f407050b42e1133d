"""One console's own HTTP face: login, Network Integration, the controller API, in either flavour."""

from __future__ import annotations

from beast_dream_snow_loader.sandbox.control import json_answer as control_answer
from beast_dream_snow_loader.sandbox.estate.things import Flavour
from beast_dream_snow_loader.sandbox.messages import HttpAnswer, HttpRequest
from beast_dream_snow_loader.sandbox.unifi.access import Access
from beast_dream_snow_loader.sandbox.unifi.answers import text_answer
from beast_dream_snow_loader.sandbox.unifi.controller_api import ControllerApi, ControllerContent
from beast_dream_snow_loader.sandbox.unifi.network_api import ROOT, NetworkApi, NetworkContent

PREFIX = "/proxy/network"
_PORTAL = "<!doctype html><html><head><title>UniFi OS</title></head><body></body></html>"
_NOT_FOUND = "<!doctype html><html><head><title>404</title></head><body>Not Found</body></html>"


class ConsoleApp:
    """``network`` None: a console too old for Network Integration, or a classic one, which never has it."""

    def __init__(self, *, access: Access, network: NetworkContent | None, controller: ControllerContent) -> None:
        self.access = access
        self._network = NetworkApi(network, access.clock.now) if network else None
        self._controller = ControllerApi(controller)
        self._classic = access.flavour is Flavour.CLASSIC

    def answer(self, request: HttpRequest) -> HttpAnswer:
        return self._classic_page(request) if self._classic else self._unifi_os_page(request)

    def trusted(self, request: HttpRequest) -> HttpAnswer:
        """The same for one who is already let in: the cloud's connector."""
        if request.path.startswith(ROOT):
            return self._network.answer(request) if self._network else text_answer(_NOT_FOUND, 404)
        return self._controller.answer(request, request.path.removeprefix(PREFIX))

    def control(self, request: HttpRequest) -> HttpAnswer | None:
        """``POST /_sandbox/sessions/drop``: everybody is logged out."""
        if (request.method, request.path) == ("POST", "/_sandbox/sessions/drop"):
            return control_answer({"dropped": self.access.drop_sessions()})
        return None

    def _unifi_os_page(self, request: HttpRequest) -> HttpAnswer:
        place = (request.method, request.path)
        if place == ("GET", "/"):
            return text_answer(_PORTAL)
        if place == ("POST", "/api/auth/login"):
            return self.access.login(request)
        if place == ("POST", "/api/auth/logout"):
            return self.access.logout(request)
        if request.path.startswith(ROOT):
            return self._integration(request)
        if request.path.startswith(f"{PREFIX}/"):
            return self.access.refusal(request) or self._controller.answer(request, request.path.removeprefix(PREFIX))
        return text_answer(_NOT_FOUND, 404)

    def _integration(self, request: HttpRequest) -> HttpAnswer:
        if self._network is None:
            return text_answer(_NOT_FOUND, 404)
        if not self.access.key_fits(request):
            return self._network.refusal(request, key_sent="x-api-key" in request.headers)
        return self._network.answer(request)

    def _classic_page(self, request: HttpRequest) -> HttpAnswer:
        place = (request.method, request.path)
        if place == ("GET", "/"):
            return HttpAnswer(status=302, headers=(("Location", "/manage"),))
        if place == ("POST", "/api/login"):
            return self.access.login(request)
        if request.path == "/api/logout":
            return self.access.logout(request)
        if request.path.startswith("/api/") and not request.path.startswith("/api/auth/"):
            return self.access.refusal(request) or self._controller.answer(request, request.path)
        return text_answer(_NOT_FOUND, 404)
