"""Whatever is sent, in whatever order: one CI per native key, one row per relation, nothing that hangs in the air."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beast_dream_snow_loader.sandbox.servicenow import oracle
from beast_dream_snow_loader.sandbox.servicenow.ire.engine import Engine
from beast_dream_snow_loader.sandbox.servicenow.ire.options import IreOptions
from beast_dream_snow_loader.sandbox.servicenow.ire.payload import read_payload, read_wish
from beast_dream_snow_loader.sandbox.servicenow.records import Instance

GEAR = ("cmdb_ci_ip_switch", "cmdb_ci_netgear", "cmdb_ci_wap_network")
CLASSES = (*GEAR, *GEAR, "cmdb_ci_network_adapter", "cmdb_ci")
TYPES = ("Connects to::Connected by", "Owns::Owned by", "Owns::Owned by", "No such::type")
OPTIONS = ("", "partial_payloads:false,partial_commits:true", "partial_payloads:false,partial_commits:false")

few = st.integers(0, 4)


@st.composite
def items(draw: st.DrawFn) -> dict[str, Any]:
    number, values = draw(few), {}
    if draw(st.integers(0, 3)):
        values["name"] = f"N-{draw(few)}"
    if draw(st.integers(0, 3)):
        values["serial_number"] = f"S-{draw(few)}"
    lookups = [
        {"className": "cmdb_serial_number", "values": {"serial_number": f"L-{one}", "serial_number_type": "system"}}
        for one in draw(st.lists(few, max_size=2))
    ]
    item: dict[str, Any] = {"className": draw(st.sampled_from(CLASSES)), "values": values}
    if item["className"] != "cmdb_ci_network_adapter":
        item["lookup"] = lookups
    else:
        values["mac_address"] = f"aa:00:00:00:00:0{draw(few)}"
    if draw(st.booleans()):
        item["sys_object_source_info"] = {"source_name": "UniFi", "source_native_key": f"device/{number}"}
    return item


@st.composite
def payloads(draw: st.DrawFn) -> dict[str, Any]:
    listed = draw(st.lists(items(), min_size=1, max_size=5))
    ends = st.integers(0, 5)
    relation = st.fixed_dictionaries({"parent": ends, "child": ends, "type": st.sampled_from(TYPES)})
    return {"items": listed, "relations": draw(st.lists(relation, max_size=4))}


steps = st.tuples(payloads(), st.sampled_from(OPTIONS), st.booleans(), st.booleans())


def run(engine: Engine, step: tuple[dict[str, Any], str, bool, bool]) -> Any:
    body, options, enhanced, commit = step
    wish = read_wish("UniFi", options, enhanced=enhanced, commit=commit)
    return engine.run(read_payload(body), wish, IreOptions())


def assert_sound(instance: Instance) -> None:
    assert oracle.duplicate_keys(instance) == {}
    assert oracle.duplicate_edges(instance) == {}
    assert oracle.orphans(instance) == []


INSTANCE = Instance.create(seed=1)


def test_any_sequence_of_payloads_leaves_a_sound_cmdb() -> None:
    """With a count of what the sequences really brought in, so that this cannot pass by refusing everything."""
    seen: Counter[str] = Counter()

    @settings(max_examples=120, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(steps, min_size=2, max_size=5))
    def hold(sequence: list[tuple[dict[str, Any], str, bool, bool]]) -> None:
        with INSTANCE.transaction(keep=False):
            engine = Engine(INSTANCE)
            for step in (*sequence, sequence[-1]):
                seen.update(check_step(engine, step))

    hold()
    assert seen["INSERT"] > 100
    assert seen["NO_CHANGE"] > 10
    assert sum(seen[name] for name in seen if name.startswith("UPDATE")) > 10
    assert seen["relation INSERT"] > 10
    assert seen["failed"] > 100


def check_step(engine: Engine, step: tuple[dict[str, Any], str, bool, bool]) -> Counter[str]:
    """One payload, checked; what became of its items and relations."""
    before = oracle.everything(INSTANCE)
    report = run(engine, step)
    if not step[3]:
        assert oracle.everything(INSTANCE) == before
    told = sorted(index for one in report.items for index in one.item.indices)
    assert told == list(range(len(step[0]["items"])))
    for one in report.items:
        assert one.failed or not step[3] or INSTANCE.get("cmdb_ci", one.sys_id) is not None
    assert_sound(INSTANCE)
    operations = Counter("failed" if one.failed else one.operation for one in report.items)
    return operations + Counter(f"relation {one.operation}" for one in report.relations)


@settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(payloads(), st.sampled_from(OPTIONS[:2]))
def test_a_payload_sent_again_makes_no_second_row_and_keeps_every_sys_id(body: dict[str, Any], options: str) -> None:
    reports, counts = [], []
    with INSTANCE.transaction(keep=False):
        engine = Engine(INSTANCE)
        for _ in range(3):
            reports.append(run(engine, (body, options, True, True)))
            counts.append({name: INSTANCE.count(name) for name in ("cmdb", "cmdb_rel_ci", "sys_object_source")})
    assert counts[2] == counts[1]
    assert [one.sys_id for one in reports[2].items] == [one.sys_id for one in reports[1].items]
