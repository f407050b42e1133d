"""Refusals of a write by content: access, data policies, business rules, in the product's own words."""

from __future__ import annotations

from collections.abc import Mapping

from beast_dream_snow_loader.sandbox.servicenow import access
from beast_dream_snow_loader.sandbox.servicenow.calls import Account, ApiError
from beast_dream_snow_loader.sandbox.servicenow.conditions import Conditions
from beast_dream_snow_loader.sandbox.servicenow.encoded_query import Term, parse
from beast_dream_snow_loader.sandbox.servicenow.options import Options
from beast_dream_snow_loader.sandbox.servicenow.records import Instance
from beast_dream_snow_loader.sandbox.servicenow.storage import Row

_WORDS = {"insert": "Insert", "update": "Update", "delete": "Delete"}


def check_access(account: Account, instance: Instance, options: Options, table: str, action: str) -> None:
    """403 when the caller may not; on a protected table nobody may insert, not even an administrator."""
    related = {table, *instance.ancestors(table)}
    protected = action == "insert" and not related.isdisjoint(options.protected_tables)
    if protected or not access.may_write(account, table):
        word = _WORDS[action]
        raise ApiError(403, "Operation Failed", f"ACL Exception {word} Failed due to security constraints")


def check_content(instance: Instance, options: Options, table: str, row: Mapping[str, str]) -> None:
    """403 when a data policy or a business rule does not let this record be stored."""
    related = {table, *instance.ancestors(table)}
    for policy in options.data_policies:
        if policy.table in related and matches(instance, table, policy.when, row):
            missing = [name for name in policy.fields if not row.get(name)]
            if missing:
                labels = ", ".join(instance.fields(table)[name].label for name in missing)
                detail = f"Data Policy Exception: The following fields are mandatory: {labels}"
                raise ApiError(403, "Operation Failed", detail)
    for rule in options.business_rules:
        if rule.table in related and matches(instance, table, rule.when, row):
            aborted = f"Operation against file '{table}' was aborted by Business Rule '{rule.name}^{rule.sys_id}'."
            raise ApiError(403, "Operation Failed", f"{aborted} Business Rule Stack:{rule.name}")


def matches(instance: Instance, table: str, query: str, row: Mapping[str, str]) -> bool:
    """Whether one record satisfies an encoded query (joins do not count)."""
    conditions, candidate = Conditions(instance), Row(row)
    return any(
        all(
            any(
                (test := conditions.test(table, term)) is None or test(candidate)
                for term in group
                if isinstance(term, Term)
            )
            for group in branch
        )
        for branch in parse(query).branches
    )
