"""The audit trail for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from beast_dream_snow_loader.app.result import Result
from beast_dream_snow_loader.cli.tables import line, table


def render(result: Result) -> None:
    """The end of every ``audit`` command."""
    body = result.body
    if "entries" in body:
        _verdict(body)
    elif "exported" in body:
        line(f"audit: {body['exported']} entries written to {body['file']}")
    elif "begun" in body:
        line(f"audit: a new chain begins with entry {body['begun']}; its head is {body['head']['digest']}")


def _verdict(body: Mapping[str, Any]) -> None:
    if not body["last"]:
        line("audit: nothing was ever written")
        return
    word = "whole" if body["whole"] else "NOT whole"
    line(f"audit: {word}, {body['entries']} entries from {body['first']} to {body['last']}, {body['seals']} seals")
    if body["unsealed"]:
        proven = "checked with the key" if body["proven"] else "not checked with the key"
        line(f"audit: the last {body['unsealed']} are not sealed yet; {proven}")
    if heads := body["heads"]["given"]:
        line(f"audit: {body['heads']['agree']} of {heads} heads agree, {body['heads']['no_longer_kept']} are too old")
    line(f"audit: the head is entry {body['last']} of chain {body['chain']}: {body['digest']}")
    columns = ("number", "at", "reason", "chain", "unsealed", "known")
    table(columns, [tuple(one[name] for name in columns) for one in body["beginnings"] if not one["known"]])
    for caveat in body["caveats"]:
        line(caveat)
