"""Makes reference rows that are not there: locations, the manufacturer, models (cmdb-model 6.5, 6.6).

They are no CIs, so the Table API is their way. A row is looked up right before it is made, and again when the answer to
its making is lost; it is never sent twice in one run.
"""

from __future__ import annotations

from collections.abc import Mapping

from beast_dream_snow_loader.core.desired import Reference
from beast_dream_snow_loader.core.facts import MadeRow
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.identity import parse_sys_id
from beast_dream_snow_loader.core.shown import shown
from beast_dream_snow_loader.errors import NOTHING_SENT, NotAuthorised, OutcomeUnknown, Rejected, ServerFault
from beast_dream_snow_loader.servicenow.calling import Caller, encode
from beast_dream_snow_loader.servicenow.query import checked_table
from beast_dream_snow_loader.servicenow.reading import Reader
from beast_dream_snow_loader.servicenow.references import references
from beast_dream_snow_loader.servicenow.rows import Row, parse_rows

_PARAMS = (("sysparm_display_value", "false"), ("sysparm_exclude_reference_link", "true"))


class Maker:
    def __init__(self, caller: Caller, reader: Reader) -> None:
        self._caller, self._reader = caller, reader

    def make(self, reference: Reference, values: Mapping[str, str]) -> MadeRow:
        """The row of a reference, made with ``values`` when there is none. Raises the errors of a call that was not
        sent, of a login and of an instance asleep; that of the making where there is no looking after it."""
        there = self._look(reference)
        if there.sys_id or there.findings:
            return there
        try:
            stored = self._post(reference, values)
        except (OutcomeUnknown, ServerFault) as error:
            return self._looked_again(reference, error)
        except (NotAuthorised, Rejected) as error:
            return MadeRow(findings=(_not_made(reference, error.message),))
        sys_id = parse_sys_id(stored.get("sys_id", ""))
        lost = sorted(name for name, value in values.items() if stored.get(name) != value)
        findings = (_not_kept(reference, lost),) if lost else ()
        return MadeRow(sys_id=sys_id, made=True, findings=findings)

    def _looked_again(self, reference: Reference, error: OutcomeUnknown | ServerFault) -> MadeRow:
        try:
            again = self._look(reference)
        except (*NOTHING_SENT, OutcomeUnknown, ServerFault):
            raise error from None
        told = () if again.sys_id else (_not_made(reference, f"{error.message} The next load looks again."),)
        there = again.sys_id is not None
        return MadeRow(sys_id=again.sys_id, made=there, unsure=not there, findings=(*again.findings, *told))

    def _look(self, reference: Reference) -> MadeRow:
        rows, findings = references(self._reader, [reference])
        return MadeRow(sys_id=rows[reference.key], findings=findings)

    def _post(self, reference: Reference, values: Mapping[str, str]) -> Row:
        path = f"/api/now/table/{checked_table(reference.table)}"
        answer = self._caller.post(path, "row.create", encode(values), _PARAMS)
        rows = parse_rows(self._caller.result(answer, f"making a row of {reference.table}"))
        return rows[0] if rows else {}


def _not_made(reference: Reference, why: str) -> Finding:
    message = (
        f"{reference.table} has no row for {shown(reference.describe)}, and none could be made: {reference.element} "
        f"stays empty. {why} Give the account the right to create it, or make it by hand."
    )
    return _finding(reference, "reference.not_made", message)


def _not_kept(reference: Reference, lost: list[str]) -> Finding:
    message = (
        f"The new row of {reference.table} for {shown(reference.describe)} did not keep {', '.join(lost)}: complete it "
        "by hand."
    )
    return _finding(reference, "reference.not_kept", message)


def _finding(reference: Reference, rule: str, message: str) -> Finding:
    about = {"field": reference.element, "value": reference.called}
    return Finding(record="instance", rule=rule, severity=Severity.WARNING, message=message, **about)
