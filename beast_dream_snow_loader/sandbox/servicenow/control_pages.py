"""The administrator's hand: read and change this instance behind its APIs' back.

GET    /_sandbox/tables/{table}                   {"rows": [...]}, fields that hold something; ?query= encoded query
POST   /_sandbox/tables/{table}                   insert, as ``admin`` or as ``?by=``
PATCH  /_sandbox/tables/{table}/{sys_id}          update
DELETE /_sandbox/tables/{table}/{sys_id}
POST   /_sandbox/tables/{table}/{sys_id}/class    {"class": name}: reclassify
POST   /_sandbox/tables/{table}/{sys_id}/merge    {"into": sys_id}: a CI merged into another, as a de-duplication does
POST   /_sandbox/older                            {"seconds"}: as if so much time had gone by
GET    /_sandbox/options                          the options in force
POST   /_sandbox/options                          {option: value}, see options.Options
POST   /_sandbox/properties                       {name: value}: rows of sys_properties
POST   /_sandbox/sources                          {"name": source}: register a discovery source
POST   /_sandbox/users                            {"user_name", "password", "roles", "api_key", ...}
POST   /_sandbox/tokens/revoke                    no OAuth token is valid any longer
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any

import orjson

from beast_dream_snow_loader.sandbox.messages import HttpAnswer, HttpRequest
from beast_dream_snow_loader.sandbox.servicenow.auth import User, Users
from beast_dream_snow_loader.sandbox.servicenow.backend import Backend
from beast_dream_snow_loader.sandbox.servicenow.by_hand import grow_older, merge_ci
from beast_dream_snow_loader.sandbox.servicenow.encoded_query import parse
from beast_dream_snow_loader.sandbox.servicenow.ire.options import read_ire_options
from beast_dream_snow_loader.sandbox.servicenow.oauth import OAuth
from beast_dream_snow_loader.sandbox.servicenow.options import BusinessRule, DataPolicy, Options
from beast_dream_snow_loader.sandbox.servicenow.records import UniqueViolation
from beast_dream_snow_loader.sandbox.servicenow.shipped import choice

_PREFIX = "/_sandbox/"


class ControlPages:
    def __init__(self, backend: Backend, users: Users, oauth: OAuth) -> None:
        self._backend = backend
        self._instance = backend.instance
        self._users = users
        self._oauth = oauth
        self._pages: Mapping[str, Callable[[HttpRequest, list[str]], object | None]] = {
            "tables": self._tables,
            "older": self._older,
            "options": self._options,
            "properties": self._properties,
            "sources": self._sources,
            "users": self._put_user,
            "tokens": self._tokens,
        }

    def answer(self, request: HttpRequest) -> HttpAnswer | None:
        """None when there is no such page. ValueError for a body that does not fit."""
        page, *rest = request.path.removeprefix(_PREFIX).strip("/").split("/")
        handler = self._pages.get(page)
        if handler is None:
            return None
        try:
            with self._instance.lock, self._instance.acting_as(request.parameter("by", "admin")):
                value = handler(request, rest)
                self._instance.flush()
        except (LookupError, UniqueViolation, TypeError) as error:
            return _json({"error": f"{type(error).__name__}: {error}"}, 400)
        return None if value is None else _json(value)

    def _tables(self, request: HttpRequest, rest: list[str]) -> object | None:
        if len(rest) == 1 and request.method == "GET":
            return {"rows": self._rows(rest[0], request.parameter("query"))}
        if len(rest) == 1 and request.method == "POST":
            return self._instance.insert(rest[0], _object(request))
        if len(rest) == 2 and request.method == "PATCH":
            return self._instance.update(rest[0], rest[1], _object(request))
        if len(rest) == 2 and request.method == "DELETE":
            return {"deleted": self._instance.delete(rest[0], rest[1])}
        if len(rest) == 3 and rest[2] == "class" and request.method == "POST":
            return self._instance.change_class(rest[0], rest[1], str(_object(request).get("class")))
        if len(rest) == 3 and rest[2] == "merge" and request.method == "POST":
            return merge_ci(self._instance, rest[1], str(_object(request).get("into")))
        return None

    def _rows(self, table: str, query: str) -> list[Mapping[str, str]]:
        rows = self._instance.tree(table).rows
        return [rows[sys_id] for sys_id in self._backend.selector.select(table, parse(query)).sys_ids]

    def _older(self, request: HttpRequest, _: list[str]) -> object | None:
        grow_older(self._instance, float(str(_object(request)["seconds"])))
        return {"older": True}

    def _options(self, request: HttpRequest, _: list[str]) -> object | None:
        if request.method == "POST":
            self._backend.set_options(**option_values(_object(request)))
        options: dict[str, object] = _plain(asdict(self._backend.options))
        return options

    def _properties(self, request: HttpRequest, _: list[str]) -> object | None:
        for name, value in _object(request).items():
            self._instance.set_property(name, str(value))
        return {"set": True}

    def _sources(self, request: HttpRequest, _: list[str]) -> object | None:
        name = str(_object(request)["name"])
        table, values = choice("cmdb_ci", "discovery_source", name, name, 100)
        return self._instance.insert(table, values)

    def _put_user(self, request: HttpRequest, _: list[str]) -> object | None:
        sent = _object(request)
        user = User(**{**sent, "roles": frozenset(_strings(sent.get("roles")))})  # type: ignore[arg-type]
        self._users.put(user)
        if not self._instance.find("sys_user", user_name=user.user_name):
            self._instance.insert("sys_user", {"user_name": user.user_name, "name": user.user_name})
        return {"user_name": user.user_name}

    def _tokens(self, _: HttpRequest, rest: list[str]) -> object | None:
        if rest != ["revoke"]:
            return None
        self._oauth.revoke_all()
        return {"revoked": True}


def option_values(sent: Mapping[str, object]) -> dict[str, Any]:
    """JSON values as the options' types. TypeError for a name that is no option."""
    known = {one.name for one in fields(Options)}
    unknown = sorted(set(sent) - known)
    if unknown:
        raise TypeError(f"no such option: {', '.join(unknown)}")
    return {name: _option(name, value) for name, value in sent.items()}


def _option(name: str, value: Any) -> Any:
    if name in ("strict_query_tables", "protected_tables", "closed_apis"):
        return frozenset(value)
    if name == "hidden_fields":
        return {table: frozenset(listed) for table, listed in value.items()}
    if name == "oauth_scopes":
        return {client: tuple(listed) for client, listed in value.items()}
    if name == "data_policies":
        return tuple(DataPolicy(**{**policy, "fields": tuple(policy["fields"])}) for policy in value)
    if name == "business_rules":
        return tuple(BusinessRule(**rule) for rule in value)
    if name == "ire":
        return read_ire_options(value)
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, frozenset):
        return sorted(value)
    return [_plain(entry) for entry in value] if isinstance(value, tuple | list) else value


def _strings(value: object) -> list[str]:
    return [str(entry) for entry in value] if isinstance(value, list) else []


def _object(request: HttpRequest) -> dict[str, object]:
    value = orjson.loads(request.body or b"{}")
    if not isinstance(value, dict):
        raise TypeError("a JSON object is wanted")
    return value


def _json(value: object, status: int = 200) -> HttpAnswer:
    headers = (("Content-Type", "application/json"),)
    return HttpAnswer(
        status=status, headers=headers, body=orjson.dumps(value, option=orjson.OPT_PASSTHROUGH_SUBCLASS, default=dict)
    )
