"""Encoded queries select the rows a real instance would, unknown terms included by being left out."""

from __future__ import annotations

import operator
from collections.abc import Callable

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from beast_dream_snow_loader.sandbox.servicenow.encoded_query import OPERATORS, parse
from beast_dream_snow_loader.sandbox.servicenow.records import Instance
from beast_dream_snow_loader.sandbox.servicenow.selection import Selector


def build() -> tuple[Instance, Selector]:
    instance = Instance.create(seed=5)
    europe = instance.insert("cmn_location", {"name": "Europe"})
    places = {
        name: instance.insert("cmn_location", {"name": name, "parent": europe["sys_id"]})["sys_id"]
        for name in ("Lyon", "Porto")
    }
    rows: list[tuple[str, dict[str, object]]] = [
        ("cmdb_ci_ip_switch", {"name": "sw-1", "ports": 8, "location": places["Lyon"], "serial_number": "AA01"}),
        ("cmdb_ci_ip_switch", {"name": "sw-2", "ports": 24, "location": places["Porto"], "serial_number": "AA02"}),
        ("cmdb_ci_ip_switch", {"name": "SW-3", "ports": 48, "serial_number": "BB03", "install_status": "7"}),
        ("cmdb_ci_ip_router", {"name": "gw-1", "serial_number": "gw-1", "location": places["Lyon"]}),
        ("cmdb_ci_computer", {"name": "pc, the old one", "last_discovered": "2020-05-05 05:05:05"}),
    ]
    for table, values in rows:
        instance.insert(table, values)
    return instance, Selector(instance)


INSTANCE, SELECTOR = build()


def names(query: str, table: str = "cmdb_ci") -> list[str]:
    rows = INSTANCE.tree(table).rows
    return [rows[sys_id]["name"] for sys_id in SELECTOR.select(table, parse(query)).sys_ids]


ALL = ["sw-1", "sw-2", "SW-3", "gw-1", "pc, the old one"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("name=sw-3", ["SW-3"]),
        ("name!=sw-3", ["sw-1", "sw-2", "gw-1", "pc, the old one"]),
        ("nameINsw-1,gw-1", ["sw-1", "gw-1"]),
        ("nameNOT INsw-1,gw-1", ["sw-2", "SW-3", "pc, the old one"]),
        ("nameSTARTSWITHSW", ["sw-1", "sw-2", "SW-3"]),
        ("nameENDSWITH-1", ["sw-1", "gw-1"]),
        ("name%-1", ["sw-1", "gw-1"]),
        ("nameLIKEw-", ["sw-1", "sw-2", "SW-3", "gw-1"]),
        ("name*w-", ["sw-1", "sw-2", "SW-3", "gw-1"]),
        ("nameCONTAINSold", ["pc, the old one"]),
        ("nameNOT LIKEw-", ["pc, the old one"]),
        ("nameDOES NOT CONTAINw-", ["pc, the old one"]),
        ("name!*w-", ["pc, the old one"]),
        ("serial_numberISEMPTY", ["pc, the old one"]),
        ("serial_numberEMPTYSTRING", ["pc, the old one"]),
        ("serial_number=", ["pc, the old one"]),
        ("serial_number=NULL", ["pc, the old one"]),
        ("serial_numberISNOTEMPTY", ["sw-1", "sw-2", "SW-3", "gw-1"]),
        ("nameANYTHING", ALL),
        ("nameSAMEASserial_number", ["gw-1"]),
        ("serial_numberISNOTEMPTY^nameNSAMEASserial_number", ["sw-1", "sw-2", "SW-3"]),
        ("sys_class_nameINSTANCEOFcmdb_ci_netgear", ["sw-1", "sw-2", "SW-3", "gw-1"]),
        ("sys_class_name=cmdb_ci_netgear", []),
        ("location.name=lyon", ["sw-1", "gw-1"]),
        ("location.parent.nameSTARTSWITHeur", ["sw-1", "sw-2", "gw-1"]),
        ("locationSTARTSWITHpo", ["sw-2"]),
        ("location=Lyon", []),
        ("last_discovered<2021-01-01", ["pc, the old one"]),
        ("last_discoveredRELATIVELT@year@ago@1", ["pc, the old one"]),
        ("last_discoveredRELATIVEGT@year@ago@1", []),
        ("last_discoveredONthen@javascript:gs.dateGenerate('2020-05-05','start')"
         "@javascript:gs.dateGenerate('2020-05-05','end')", ["pc, the old one"]),
        ("last_discoveredDATEPARTTuesday@javascript:gs.datePart('dayofweek','tuesday','EE')", ["pc, the old one"]),
        ("last_discoveredMORETHANsys_created_on@day@after@9", ["pc, the old one"]),
        ("sys_created_on>javascript:gs.daysAgo(1)", ALL),
        ("install_status=7^ORname=gw-1", ["SW-3", "gw-1"]),
        ("name=gw-1^ORname=sw-1^serial_number=AA01", ["sw-1"]),
        ("name=gw-1^NQserial_number=AA01", ["gw-1", "sw-1"]),
        ("name=gw-1^EQ", ["gw-1"]),
        ("^^^", ALL),
        ("", ALL),
        ("install_status==1", []),
        ("name=pc, the old one", ["pc, the old one"]),
    ],
)  # fmt: skip
def test_operators(query: str, expected: list[str]) -> None:
    assert sorted(names(query)) == sorted(expected)


@pytest.mark.parametrize(
    ("query", "expected"),
    [("ports>8", ["sw-2", "SW-3"]), ("ports>=8", ["sw-1", "sw-2", "SW-3"]), ("ports<9", ["sw-1"]),
     ("ports<=24", ["sw-1", "sw-2"]), ("portsBETWEEN9@47", ["sw-2"])],
)  # fmt: skip
def test_numbers_compare_by_size_and_an_empty_field_with_nothing(query: str, expected: list[str]) -> None:
    assert names(query, "cmdb_ci_netgear") == expected


def test_several_orders_apply_one_after_the_other() -> None:
    assert names("ORDERBYsys_class_name^ORDERBYDESCname") == ["pc, the old one", "gw-1", "SW-3", "sw-2", "sw-1"]
    assert names("nameSTARTSWITHsw^ORDERBYDESCports", "cmdb_ci_netgear") == ["SW-3", "sw-2", "sw-1"]


def test_a_term_with_an_unknown_field_is_dropped_and_everything_else_comes_back() -> None:
    assert sorted(names("u_wrong=1")) == sorted(ALL)
    assert names("location.u_wrong=1^name=gw-1") == ["gw-1"]
    assert names("u_wrong=1^ORname=gw-1") == ["gw-1"]
    assert sorted(names("Name=gw-1^nonsense")) == sorted(ALL)
    assert SELECTOR.select("cmdb_ci", parse("u_wrong=1^x")).dropped == ("x", "u_wrong")


def test_a_value_cannot_hold_a_caret() -> None:
    assert sorted(names("name=sw-1^ORsys_idISNOTEMPTY^EQ")) == sorted(ALL)


def test_joins_ask_for_rows_that_refer() -> None:
    assert names("JOINcmn_location.sys_id=cmdb_ci_ip_router.location!nameSTARTSWITHgw", "cmn_location") == ["Lyon"]
    assert names("RLQUERYcmdb_ci.location,>=2^ENDRLQUERY", "cmn_location") == ["Lyon"]
    assert names("RLQUERYcmdb_ci.location,=0^ENDRLQUERY^ORDERBYname", "cmn_location") == ["Europe"]
    assert names("RLQUERYcmdb_ci.location,>0^name=sw-2^ENDRLQUERY^ORDERBYname", "cmn_location") == ["Porto"]


def test_keyset_pages_add_up_to_the_whole_also_while_rows_are_added() -> None:
    instance = Instance.create(seed=9)
    selector = Selector(instance)
    before = {instance.insert("cmdb_ci_computer", {"name": f"c{n}"})["sys_id"] for n in range(50)}
    read: list[str] = []
    while page := selector.select(
        "cmdb_ci", parse(f"nameSTARTSWITHc^sys_id>{(read or [''])[-1]}^ORDERBYsys_id")
    ).sys_ids[:7]:
        read += page
        instance.insert("cmdb_ci_computer", {"name": "late"})
    assert read == sorted(before)


OPERATIONS: dict[str, Callable[[str, str], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "STARTSWITH": str.startswith,
    "ENDSWITH": str.endswith,
    "LIKE": operator.contains,
    "NOT LIKE": lambda text, part: part not in text,
}
FIELDS = ("name", "serial_number", "comments")
VALUES = st.text(alphabet="abA", max_size=2)
TERMS = st.tuples(st.sampled_from((*FIELDS, "u_unknown")), st.sampled_from(sorted(OPERATIONS)), VALUES)
Groups = list[list[tuple[str, str, str]]]
BRANCHES = st.lists(st.lists(st.lists(TERMS, min_size=1, max_size=3), min_size=1, max_size=3), min_size=1, max_size=2)


def written(branches: list[Groups]) -> str:
    return "^NQ".join("^".join("^OR".join("".join(term) for term in group) for group in branch) for branch in branches)


def holds(row: dict[str, str], branches: list[Groups]) -> bool:
    """The grammar's meaning, spelled out."""

    def group(terms: list[tuple[str, str, str]]) -> bool:
        known = [term for term in terms if term[0] in FIELDS]
        return not known or any(OPERATIONS[kind](row[name].casefold(), value.casefold()) for name, kind, value in known)

    return any(all(group(terms) for terms in branch) for branch in branches)


@settings(max_examples=300, deadline=None)
@given(rows=st.lists(st.fixed_dictionaries(dict.fromkeys(FIELDS, VALUES)), min_size=3, max_size=8), branches=BRANCHES)
def test_any_query_means_what_the_grammar_says(rows: list[dict[str, str]], branches: list[Groups]) -> None:
    with INSTANCE.transaction(keep=False):
        stored = {
            INSTANCE.insert(
                "cmn_department", {"name": r["name"], "id": r["serial_number"], "description": r["comments"]}
            )["sys_id"]: r
            for r in rows
        }
        query = written(branches).replace("serial_number", "id").replace("comments", "description")
        found = set(SELECTOR.select("cmn_department", parse(query)).sys_ids)
    expected = {sys_id for sys_id, row in stored.items() if holds(row, branches)}
    event("some rows and not all" if 0 < len(expected) < len(rows) else "none or all")
    assert found == expected


JOINS = ("^", "^", "^OR", "^NQ", "^EQ^", "^ORDERBY", "^ORDERBYDESC", "^ENDRLQUERY^", "^JOIN", "^^")
NAMES = ("name", "ports", "location.name", "u_x", "sys_id", "install_status", "last_discovered", "location", "")
KINDS = (*OPERATORS, "", "==")
RESTS = (
    "sw-1", "1", "@", "", "@day@ago@3", "javascript:gs.getUserID()", "javascript:", "sys_class_name@day@after@x",
    "\x00é", "^RLQUERYcmdb_rel_ci.parent,>=1", "!name=1", "1@2@3", "Monday@javascript:gs.datePart('month','may','EE')",
)  # fmt: skip
PIECES = st.tuples(*(st.sampled_from(part) for part in (JOINS, NAMES, KINDS, RESTS))).map("".join)


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=4).map("".join))
def test_no_text_makes_a_query_fail(text: str) -> None:
    selection = SELECTOR.select("cmdb_ci", parse(text))
    event("no rows" if not selection.sys_ids else "all rows" if len(selection.sys_ids) == len(ALL) else "some rows")
    event("dropped something" if selection.dropped else "dropped nothing")
    assert len(selection.sys_ids) <= len(ALL)
