"""Whatever an answer is bent into, there is a snapshot or a documented error, never anything else."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.core.mapping import map_snapshot
from beast_dream_snow_loader.core.mapping_rules import DEFAULT_RULES
from beast_dream_snow_loader.core.observed import Snapshot
from beast_dream_snow_loader.errors import SnowloadError, SourceDataInvalid
from beast_dream_snow_loader.transport.messages import Request, Response
from beast_dream_snow_loader.unifi.config import UniFiSettings
from beast_dream_snow_loader.unifi.offline import read_saved
from beast_dream_snow_loader.unifi.source import UniFiSource
from tests.unifi.conftest import FIXTURES

EXAMPLES = 250
SITE = "88f7af54-98f8-306a-a1c7-c9349722b1f6"
LOCAL, NI = "/proxy/network/api", "/proxy/network/integration/v1"
ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.sampled_from(["", "unknown", "00:00:5e:00:53:01", "ff:ff:ff:ff:ff:ff", "0.0.0.0", "1e999", "9" * 30]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def load(name: str) -> object:
    return orjson.loads((FIXTURES / f"{name}.json").read_bytes())


DOCUMENTS = {
    path: load(name)
    for path, name in {
        "/v1/hosts": "site-manager/hosts_list.constructed",
        "/v1/sites": "site-manager/sites_list.constructed",
        "/v1/devices": "site-manager/devices_list_page2.constructed",
        f"{LOCAL}/self/sites": "legacy/self_sites_external_id.constructed",
        f"{LOCAL}/s/default/stat/sysinfo": "legacy/stat_sysinfo",
        f"{LOCAL}/s/default/stat/device": "legacy/stat_device_site.constructed",
        f"{LOCAL}/s/default/stat/sta": "legacy/stat_sta_edge_cases.constructed",
        f"{LOCAL}/s/default/rest/user": "legacy/rest_user_list.constructed",
        f"{NI}/info": "network-integration/info",
        f"{NI}/sites": "network-integration/sites_list",
        f"{NI}/sites/{SITE}/devices": "network-integration/devices_list_page2.v10_5.constructed",
        f"{NI}/sites/{SITE}/clients": "network-integration/clients_list.v10_5.constructed",
    }.items()
}


@st.composite
def bent(draw: st.DrawFn, path: str) -> object:
    """The document with up to three of its places replaced, taken away or doubled."""
    document = {"root": copy.deepcopy(DOCUMENTS[path])}
    for _ in range(draw(st.integers(1, 3))):
        holder, key = _place(draw, document)
        how = draw(st.sampled_from(["replace", "replace", "drop", "double"]))
        if how == "drop" and holder is not document:
            del holder[key]
        elif how == "double" and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        else:
            holder[key] = draw(ODD)
    return document["root"]


def _place(draw: st.DrawFn, holder):
    """A place somewhere in the document, the deeper the rarer to stop."""
    key = draw(st.sampled_from(list(holder))) if isinstance(holder, dict) else draw(st.integers(0, len(holder) - 1))
    inner = holder[key]
    if isinstance(inner, dict | list) and inner and draw(st.integers(0, 9)):
        return _place(draw, inner)
    return holder, key


class Answers:
    """A transport that gives each path its document, and 404 for the rest."""

    def __init__(self, documents: Mapping[str, object]) -> None:
        self._documents = documents

    def send(self, request: Request) -> Response:
        path = urlsplit(request.url).path
        there = path in self._documents
        body = orjson.dumps(self._documents[path], option=orjson.OPT_NON_STR_KEYS) if there else b"{}"
        return Response(status=200 if there else 404, headers={}, body=body, url=request.url)


reached: list[bool] = []
refused: list[SnowloadError] = []


def snapshot_or_error(documents: Mapping[str, object]) -> Snapshot | None:
    answers = Answers(documents)
    chosen = UniFiSettings.model_validate(
        {"api_key": "k", "site_manager_url": "https://cloud", "consoles": [{"url": "https://hq", "api_key": "k"}]}
    )
    try:
        snapshot = UniFiSource(chosen, lambda service, console: answers, SystemClock()).read()
    except SnowloadError as error:
        refused.append(error)
        return None
    repr(map_snapshot(snapshot, DEFAULT_RULES))
    return snapshot


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data(), st.sampled_from(sorted(DOCUMENTS)), st.booleans())
def check_over_the_transport(data: st.DataObject, path: str, by_key_only: bool) -> None:
    documents = {**DOCUMENTS, path: data.draw(bent(path))}
    if by_key_only or path.startswith(NI):
        documents = {name: body for name, body in documents.items() if not name.startswith(LOCAL)}
    snapshot = snapshot_or_error(documents)
    reached.append(snapshot is not None and bool(snapshot.devices))
    if snapshot is not None:
        assert len({d.mac for d in snapshot.devices}) == len(snapshot.devices)
        assert all(f.message for f in snapshot.findings)
        assert all(read.reason for read in snapshot.reads if not read.complete)


def test_bent_answers_of_live_consoles_give_a_snapshot_or_a_documented_error() -> None:
    reached.clear()
    check_over_the_transport()
    assert sum(reached) > EXAMPLES * 0.6, "most of them must get as far as devices"
    assert all(error.message and error.next_step for error in refused)


def test_bent_files_give_a_snapshot_or_an_error_that_names_them(tmp_path: Path) -> None:
    file = tmp_path / "bent.json"
    parsed, named = [], []

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data(), st.sampled_from(sorted(DOCUMENTS)))
    def check(data: st.DataObject, path: str) -> None:
        file.write_bytes(orjson.dumps(data.draw(bent(path))))
        try:
            parsed.append(read_saved(file))
        except SourceDataInvalid as error:
            named.append("bent.json" in error.message)

    check()
    assert all(named)
    assert len(parsed) > EXAMPLES * 0.4


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_at_all_give_a_snapshot_or_a_documented_error(body: bytes) -> None:
    class Noise:
        def send(self, request: Request) -> Response:
            return Response(status=200, headers={"set-cookie": "TOKEN=x"}, body=body, url=request.url)

    for login in ({"api_key": "k"}, {"username": "u", "password": "p"}):
        chosen = UniFiSettings.model_validate({"consoles": [{"url": "https://hq", **login}]})
        with suppress(SnowloadError):
            UniFiSource(chosen, lambda service, console: Noise(), SystemClock()).read()
