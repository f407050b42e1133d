"""The report as one file for a browser: no script, nothing loaded from elsewhere, every text escaped (R8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from beast_dream_snow_loader.core.shown import shown
from beast_dream_snow_loader.operations.reporting.charts import WIDTH, charts

_KINDS = ("good", "warn", "warn2", "bad", "bad2", "other", "c1", "c2", "c3", "c4", "c5")
_LONGEST_WORD = 20
"""An instant. Longer ones, of ids and of strangers, break wherever a line ends: or one would widen its table."""


class Table(Protocol):
    """What a section of the page is made of."""

    @property
    def title(self) -> str: ...
    @property
    def columns(self) -> Sequence[str]: ...
    @property
    def rows(self) -> Sequence[Sequence[object]]: ...
    @property
    def more(self) -> int: ...


def page(document: Mapping[str, Any], todo: Table | None, sections: Iterable[Table]) -> bytes:
    """``document`` is the report's; ``todo`` stands at the top, ``sections`` below the charts."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("beast_dream_snow_loader.operations.reporting", "."),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: shown(value, 1000) if type(value) is str else value,
        trim_blocks=True,
    )
    environment.tests["long"] = _long
    text = environment.get_template("page.html.j2").render(
        title=f"snowload report, {document['environment']}",
        span=_span(document),
        cards=list(_cards(document)),
        first=todo,
        charts=list(charts(document)),
        sections=list(sections),
        kinds=_KINDS,
        width=WIDTH,
        version=document["snowload_version"],
        generated_at=document["generated_at"],
    )
    return text.encode("utf-8", "replace")


def _long(cell: object) -> bool:
    return any(len(word) > _LONGEST_WORD for word in str(cell).split())


def _span(document: Mapping[str, Any]) -> str:
    if run := document.get("run"):
        return f"Run {run['run_id']}: {run['command']}, {run['status']}, started {run['started_at']}"
    return f"Runs from {document.get('since')} to {document.get('until') or document['generated_at']}"


def _cards(document: Mapping[str, Any]) -> Iterable[tuple[str, object]]:
    told = document.get("summary")
    if told is None:
        return
    rate, took = told["success_rate_percent"], told["average_duration_seconds"]
    yield "runs", told["runs"]
    yield "ended ok", "none yet" if rate is None else f"{rate:g} %"
    yield "a run, on average", "none yet" if took is None else f"{took:.1f} s"
    yield "created, updated, linked", f"{told['created']} / {told['updated']} / {told['linked']}"
    yield "linking rate", "none" if told["linking_rate"] is None else f"{100 * told['linking_rate']:.1f} %"
    yield "failed records", told["failed"]
    yield "writes waiting, parked", f"{document['queue']['waiting']} / {document['queue']['parked']}"
    yield "last success", (told["last_success"] or "none").replace("T", " ")
