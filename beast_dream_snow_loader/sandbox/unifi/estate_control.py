"""Playing a day: what can be made to happen to the estate, over the control plane.

    GET  /_sandbox/estate                   how much there is
    GET  /_sandbox/estate/consoles|sites|devices     the truth, to check against
    POST /_sandbox/estate/<operation>       JSON arguments, see :data:`OPERATIONS`

MACs may be spelt as you like; ``site`` is the controller's 24-digit id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from typing import Any

import orjson

from beast_dream_snow_loader.sandbox.control import Controllable, json_answer
from beast_dream_snow_loader.sandbox.estate.estate import Estate
from beast_dream_snow_loader.sandbox.estate.things import EstateConsole, EstateDevice, EstateSite
from beast_dream_snow_loader.sandbox.messages import Application, HttpAnswer, HttpRequest

_ROOT = "/_sandbox/estate"
Arguments = Mapping[str, object]


def _text(sent: Arguments, name: str, default: str | None = None) -> str:
    value = sent.get(name, default)
    if not isinstance(value, str):
        raise ValueError(f"argument {name!r} is missing or no text")
    return value


def _mac(sent: Arguments, name: str = "mac", default: str | None = None) -> str:
    return _text(sent, name, default).replace(":", "").replace("-", "").replace(".", "").upper()


def _name(sent: Arguments) -> str | None:
    return None if sent.get("name") is None else _text(sent, "name")


def _switch(sent: Arguments, name: str) -> bool:
    value = sent.get(name)
    if not isinstance(value, bool):
        raise ValueError(f"argument {name!r} is true or false")
    return value


def _number(sent: Arguments, name: str) -> int:
    value = sent.get(name, 0)
    if not isinstance(value, int):
        raise ValueError(f"argument {name!r} is no number")
    return value


OPERATIONS: Mapping[str, Callable[[Estate, Arguments], object]] = {
    "rename-device": lambda estate, sent: estate.rename_device(_mac(sent), _name(sent)),
    "upgrade-device": lambda estate, sent: estate.upgrade_device(_mac(sent), _text(sent, "firmware")),
    "readdress-device": lambda estate, sent: estate.readdress_device(_mac(sent), _text(sent, "ip")),
    "readopt-device": lambda estate, sent: estate.readopt_device(_mac(sent)),
    "roam-client": lambda estate, sent: estate.roam_client(_text(sent, "key"), _mac(sent, "uplink")),
    "grow-older": lambda estate, sent: estate.grow_older(_number(sent, "seconds")),
    "set-online": lambda estate, sent: estate.set_online(_mac(sent), _switch(sent, "online")),
    "change-uplink": lambda estate, sent: estate.change_uplink(
        _mac(sent), _mac(sent, "uplink"), _number(sent, "port")
    ),
    "move-device": lambda estate, sent: estate.move_device(
        _mac(sent), _text(sent, "site"), _mac(sent, "uplink", "")
    ),
    "remove-device": lambda estate, sent: estate.remove_device(_mac(sent)),
    "add-device": lambda estate, sent: estate.add_device(
        site=_text(sent, "site"),
        model=_text(sent, "model"),
        name=_name(sent),
        uplink=_mac(sent, "uplink", ""),
        mac=_mac(sent, "mac", ""),
    ),
    "rename-site": lambda estate, sent: estate.rename_site(_text(sent, "site"), _text(sent, "title")),
    "move-site": lambda estate, sent: estate.move_site(_text(sent, "site"), _text(sent, "host_id")),
    "set-reachable": lambda estate, sent: estate.set_reachable(_text(sent, "host_id"), _switch(sent, "reachable")),
}  # fmt: skip
"""Names as in :class:`Estate`, with hyphens."""


class EstateControl:
    """The pages above. ValueError (answered 400) for bad arguments; 404 for a thing that does not exist."""

    def __init__(self, estate: Estate) -> None:
        self._estate = estate

    def control(self, request: HttpRequest) -> HttpAnswer | None:
        if request.path != _ROOT and not request.path.startswith(f"{_ROOT}/"):
            return None
        page = request.path.removeprefix(_ROOT).strip("/")
        if request.method == "GET":
            return self._show(page)
        if request.method == "POST" and page in OPERATIONS:
            return self._do(page, request.body)
        return None

    def _show(self, page: str) -> HttpAnswer | None:
        consoles, sites = self._estate.consoles(), self._estate.sites()
        devices = [device for console in consoles for device in self._estate.devices(console.host_id)]
        if not page:
            clients = sum(len(self._estate.clients(site.legacy_id)) for site in sites)
            counts = {"consoles": len(consoles), "sites": len(sites), "devices": len(devices), "clients": clients}
            return json_answer(counts)
        lists = {"consoles": _plain(consoles), "sites": _plain(sites), "devices": _plain(devices)}
        return json_answer({page: lists[page]}) if page in lists else None

    def _do(self, operation: str, body: bytes) -> HttpAnswer:
        sent = orjson.loads(body) if body else {}
        if not isinstance(sent, dict):
            raise ValueError("the arguments are a JSON object")
        try:
            result = OPERATIONS[operation](self._estate, sent)
        except KeyError as error:
            return json_answer({"error": f"the estate has no {error.args[0]!r}"}, 404)
        plain = asdict(result) if is_dataclass(result) and not isinstance(result, type) else None
        return json_answer({"done": operation, "now": plain})


def _plain(things: Sequence[EstateConsole] | Sequence[EstateSite] | Sequence[EstateDevice]) -> list[dict[str, Any]]:
    return [asdict(thing) for thing in things]


class Controlled:
    """An application with control pages put beside its own."""

    def __init__(self, application: Application, *controls: Controllable) -> None:
        self.application = application
        own = [application] if isinstance(application, Controllable) else []
        self._controls: list[Controllable] = [*own, *controls]

    def answer(self, request: HttpRequest) -> HttpAnswer:
        return self.application.answer(request)

    def control(self, request: HttpRequest) -> HttpAnswer | None:
        answers = (control.control(request) for control in self._controls)
        return next((answer for answer in answers if answer is not None), None)
