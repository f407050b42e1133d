"""Draws relations to CIs of others through the CMDB Instance API (servicenow-api 6.3).

The call is addressed to our own device, with the other CIs as targets: nothing is said about those CIs, so that neither
a field of theirs nor their discovery source is touched (cmdb-model 2.7, 6.4).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from beast_dream_snow_loader.core.changes import LinkChange
from beast_dream_snow_loader.core.identity import SysId, parse_sys_id
from beast_dream_snow_loader.core.known import KnownItem
from beast_dream_snow_loader.core.receipts import Operation, Outcome, Receipt
from beast_dream_snow_loader.errors import CmdbAsleep, NotAuthenticated, Rejected, SnowloadError, TransportError
from beast_dream_snow_loader.servicenow.answers import AnswerKind
from beast_dream_snow_loader.servicenow.apis.table import TableRead
from beast_dream_snow_loader.servicenow.calling import Caller, encode
from beast_dream_snow_loader.servicenow.query import Query, checked_table
from beast_dream_snow_loader.servicenow.reading import Reader
from beast_dream_snow_loader.servicenow.receipts import fate
from beast_dream_snow_loader.servicenow.rows import text

_INBOUND, _OUTBOUND = "inbound_relations", "outbound_relations"


class Connector:
    """Thread-safe. Remembers the sys_ids of relation types."""

    def __init__(self, caller: Caller, reader: Reader) -> None:
        self._caller, self._reader = caller, reader
        self._types: dict[str, str] = {}
        self._lock = threading.Lock()

    def connect(self, device: KnownItem, links: Sequence[LinkChange]) -> list[Receipt]:
        """One receipt per link, in order. Raises NotAuthenticated only.

        A call that is refused as a whole has drawn nothing: its links are then sent one by one.
        """
        try:
            return self._sent(device, links)
        except NotAuthenticated:
            raise
        except Rejected as error:
            if len(links) > 1:
                return [receipt for link in links for receipt in self.connect(device, [link])]
            return [_receipt(link, fate(error), error) for link in links]
        except (TransportError, CmdbAsleep) as error:
            return [_receipt(link, fate(error), error) for link in links]

    def _sent(self, device: KnownItem, links: Sequence[LinkChange]) -> list[Receipt]:
        asked = [(link, self._type(link.relation.type)) for link in links]
        body: dict[str, object] = {"source": self._caller.settings.data_source}
        for name, reverse in ((_INBOUND, False), (_OUTBOUND, True)):
            edges = [
                {"type": kind, "target": link.lower_sys_id} for link, kind in asked if link.relation.reversed is reverse
            ]
            body |= {name: edges} if edges else {}
        path = f"/api/now/cmdb/instance/{checked_table(device.class_name or 'cmdb_ci')}/{device.sys_id}/relation"
        answer = self._caller.post(path, "relation.create", encode(body))
        if answer.kind is not AnswerKind.SUCCESS:
            raise self._caller.error(answer, f"drawing {len(links)} relations of {device.key}")
        drawn = _drawn(answer.result)
        return [_told(link, drawn.get((link.relation.reversed, kind, str(link.lower_sys_id)))) for link, kind in asked]

    def _type(self, name: str) -> str:
        """The sys_id of the relation type. Rejected when the account sees no such row, or several."""
        with self._lock:
            if name not in self._types:
                rows = self._reader.rows(
                    TableRead(table="cmdb_rel_type", query=Query().equals("name", name), fields=("name",))
                )
                if len(rows) != 1:
                    raise Rejected(
                        f"cmdb_rel_type shows {len(rows)} rows named {name}.",
                        next_step="Let the account read cmdb_rel_type, or name another type under relation_types.",
                    )
                self._types[name] = rows[0]["sys_id"]
            return self._types[name]


def _drawn(result: object) -> dict[tuple[bool, str, str], SysId]:
    """Sys_ids of the device's relations by direction (True: the device is the parent), type and other end."""
    found: dict[tuple[bool, str, str], SysId] = {}
    for name, outbound in ((_INBOUND, False), (_OUTBOUND, True)):
        listed = result.get(name) if isinstance(result, Mapping) else None
        for entry in listed if isinstance(listed, list) else ():
            sys_id = parse_sys_id(text(entry.get("sys_id"))) if isinstance(entry, Mapping) else None
            if sys_id is not None:
                found[(outbound, text(entry.get("type")), text(entry.get("target")))] = sys_id
    return found


def _told(link: LinkChange, sys_id: SysId | None) -> Receipt:
    if sys_id is None:
        message = "The answer does not mention this relation."
        return Receipt(subject=link.subject, outcome=Outcome.UNKNOWN, code="relation.no_result", message=message)
    return Receipt(subject=link.subject, outcome=Outcome.DONE, operation=Operation.LINKED, sys_id=sys_id)


def _receipt(link: LinkChange, outcome: Outcome, error: SnowloadError) -> Receipt:
    return Receipt(subject=link.subject, outcome=outcome, code=error.code, message=str(error))
