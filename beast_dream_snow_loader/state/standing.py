"""The ledger counted for a report, without reading it whole."""

from __future__ import annotations

from sqlalchemy import Connection, Engine, func, select

from beast_dream_snow_loader.core.desired import Relation, RelationRole
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.standing import MOST_OF_A_SITE, Hanging, Standing
from beast_dream_snow_loader.state.codec import decode_document
from beast_dream_snow_loader.state.engine import reading
from beast_dream_snow_loader.state.ledger_rows import LINKED
from beast_dream_snow_loader.state.schema import ledger_items, ledger_relations

_MOST_ROWS = 1000
_I, _R = ledger_items.c, ledger_relations.c
_HELD = _I.retired_at.is_(None)


def standing(engine: Engine) -> Standing:
    """As of one moment."""
    number = func.count().label("number")
    by_class = select(_I.class_name, number).where(_HELD).group_by(_I.class_name)
    by_site = select(_I.lane, _I.site, number).where(_HELD).group_by(_I.lane, _I.site)
    with reading(engine) as connection:
        classes = connection.execute(by_class.order_by(number.desc(), _I.class_name)).all()
        sites = connection.execute(by_site.order_by(number.desc(), _I.lane, _I.site).limit(_MOST_ROWS)).all()
        tree = _tree(connection, sites[0].lane, sites[0].site) if sites else []
    return Standing(
        classes={row.class_name: row.number for row in classes},
        sites={_name(row.lane, row.site): row.number for row in sites},
        site=_name(sites[0].lane, sites[0].site) if sites else "",
        tree=tree,
    )


def _name(lane: str, site: str) -> str:
    return f"{site or 'no site'} ({lane})" if lane else site or "no site"


def _tree(connection: Connection, lane: str, site: str) -> list[Hanging]:
    mine = (_HELD, _I.lane == lane, _I.site == site)
    asked = select(_I.key, _I.kind, _I.name_source, _I.written).where(*mine).order_by(_I.key).limit(MOST_OF_A_SITE)
    rows = connection.execute(asked).all()
    keys = [row.key for row in rows]
    edges = (
        select(_R.relation_key, _R.type, _R.parent)
        .where(_R.relation_key.like(f"{RelationRole.UPLINK} %"), _R.state == LINKED)
        .where(_R.parent.in_(keys), _R.child.in_(keys))
        .order_by(_R.relation_key)
    )
    rows_of_edges = connection.execute(edges)
    drawn = [Relation.of_key(row.relation_key, row.type, SourceKey.parse(row.parent)) for row in rows_of_edges]
    above = {str(one.lower): str(one.upper) for one in drawn}
    return [
        Hanging(
            key=row.key,
            name=decode_document(row.written).get("name") or row.name_source or row.key,
            kind=row.kind,
            above=above.get(row.key, ""),
        )
        for row in rows
    ]
