"""Charts as values: rectangles, lines and words at their places. The page draws them, and each as a table too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from beast_dream_snow_loader.core.robust import theil_sen

WIDTH, HEIGHT = 720, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 8, 22, 26
_SERIES = 6
"""Colours there are; what is left over is one series."""
_ROW = 22
_BARS = 15
_LABELS = 6
_Z = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """``kind`` is the colour's name; ``title`` what it says when pointed at."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    points: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    x: float
    y: float
    text: str
    anchor: str = "start"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """``columns`` and ``rows`` say the same as the picture."""

    name: str
    title: str
    text: str
    height: float = HEIGHT
    bars: Sequence[Bar] = ()
    lines: Sequence[Line] = ()
    words: Sequence[Word] = ()
    legend: Sequence[tuple[str, str]] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[object]] = ()


def charts(body: Mapping[str, Any]) -> Iterator[Chart]:
    """Of a report over many runs; one without anything to show is left out."""
    periods = body.get("periods", ())
    if periods:
        yield _runs(periods)
        yield _steps(periods)
        yield _errors(periods)
        yield _queue(periods)
    inventory = body.get("inventory", {})
    for name, title in (("classes", "CIs by class"), ("sites", "CIs by site")):
        if inventory.get(name):
            yield _ranking(name, title, inventory[name])
    if inventory.get("tree"):
        yield _tree(inventory["site"], inventory["tree"])


_STATUSES = {
    "ok": "good",
    "partial": "warn",
    "queued": "warn2",
    "interrupted": "other",
    "refused": "bad2",
    "unavailable": "bad2",
    "failed": "bad",
    "running": "other",
}


def _runs(periods: Sequence[Mapping[str, Any]]) -> Chart:
    names = [name for name in _STATUSES if any(one["by_status"].get(name) for one in periods)]
    stacks = [[(_STATUSES[name], name, float(one["by_status"].get(name, 0))) for name in names] for one in periods]
    total, good = sum(one["runs"] for one in periods), sum(one["by_status"].get("ok", 0) for one in periods)
    text = (
        f"{total} runs, {good} of them ok, by {periods[0]['grain']} from {_when(periods[0])} to {_when(periods[-1])}."
    )
    return _stacked("runs", "Runs over time", text, periods, stacks, "runs")


def _steps(periods: Sequence[Mapping[str, Any]]) -> Chart:
    sums: dict[str, float] = {}
    for one in periods:
        for name, seconds in one["steps"].items():
            sums[name] = sums.get(name, 0.0) + seconds
    longest = sorted(sums, key=lambda name: -sums[name])[: _SERIES - 1]
    kinds = {name: f"c{index + 1}" for index, name in enumerate(longest)}
    stacks = []
    for one in periods:
        stack = [(kinds[name], name, one["steps"].get(name, 0.0)) for name in longest]
        rest = sum(seconds for name, seconds in one["steps"].items() if name not in kinds)
        stacks.append([*stack, ("other", "other steps", rest)] if len(sums) > len(longest) else stack)
    text = f"Seconds a run, on average; {longest[0]} takes most." if longest else "No step has ended yet."
    return _stacked("steps", "Duration by step", text, periods, stacks, "s")


def _errors(periods: Sequence[Mapping[str, Any]]) -> Chart:
    values = [(index, one["unsuccessful_percent"]) for index, one in enumerate(periods)]
    points = [(float(index), value) for index, value in values if value is not None]
    trend = theil_sen(points, _Z)
    stacks = [[("bad", "not ok", one["unsuccessful_percent"] or 0.0)] for one in periods]
    text = "Runs that did not end ok, in percent."
    top = min(100.0, _round_up(max((value for _, value in points), default=0.0)))
    made = _stacked("errors", "Error rate with its trend", text, periods, stacks, "%", top=top)
    if trend is None:
        return made
    last = points[-1][0]
    ends = [(0.0, trend.level - trend.slope * last), (last, trend.level)]
    at = _places(periods)
    line = " ".join(f"{at[int(x)][0] + at[int(x)][1] / 2:.1f},{_y(max(0.0, min(top, y)), top):.1f}" for x, y in ends)
    unit = periods[0]["grain"]
    between = f"{trend.low:+.2f} to {trend.high:+.2f}, from {trend.points}"
    told = f" The trend is {trend.slope:+.2f} points a {unit} ({between})."
    legend = (*made.legend, ("trend", "trend (Theil-Sen)"))
    return _with(made, text=text + told, lines=[Line(points=line, kind="trend")], legend=legend)


def _queue(periods: Sequence[Mapping[str, Any]]) -> Chart:
    stacks = [[("c1", "queued", float(one["queued"]))] for one in periods]
    text = f"Writes that a run left in the queue, on average; at most {max(one['queued'] for one in periods):g}."
    return _stacked("queue", "Queue", text, periods, stacks, "writes")


Stack = Sequence[tuple[str, str, float]]


def _stacked(
    name: str, title: str, text: str, periods: Sequence[Mapping[str, Any]], stacks: Sequence[Stack], unit: str,
    top: float | None = None,
) -> Chart:  # fmt: skip
    top = top or _round_up(max((sum(value for *_, value in stack) for stack in stacks), default=0.0))
    bars: list[Bar] = []
    for (x, width), stack, period in zip(_places(periods), stacks, periods, strict=True):
        base = 0.0
        for kind, label, value in stack:
            if value > 0:
                y = _y(base + value, top)
                told = (
                    f"{_when(period)}: {value:g} {unit} {label}"
                    if unit != label
                    else f"{_when(period)}: {value:g} {unit}"
                )
                height = _y(base, top) - y
                bars.append(Bar(x=_r(x), y=_r(y), width=_r(width), height=_r(height), kind=kind, title=told))
                base += value
    legend = [(kind, label) for kind, label, _ in stacks[0]] if stacks else []
    rows = [
        (_when(period), *(f"{value:g}" for *_, value in stack)) for period, stack in zip(periods, stacks, strict=True)
    ]
    columns = ("from", *(label for _, label in legend))
    return Chart(
        name=name, title=title, text=text, bars=bars, words=[*_axis(top, unit), *_dates(periods)],
        lines=_grid(), legend=legend, columns=columns, rows=rows,
    )  # fmt: skip


def _with(chart: Chart, *, text: str, lines: Sequence[Line], legend: Sequence[tuple[str, str]]) -> Chart:
    return replace(chart, text=text, lines=[*chart.lines, *lines], legend=legend)


def _places(periods: Sequence[object]) -> list[tuple[float, float]]:
    """Left edge and width of each period's bar."""
    step = (WIDTH - _LEFT - _RIGHT) / max(len(periods), 1)
    width = min(step * 0.8 if step > 3 else step, 40.0)
    return [(_LEFT + index * step + (step - width) / 2, width) for index in range(len(periods))]


def _y(value: float, top: float) -> float:
    return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * (value / top if top else 0.0)


def _round_up(value: float) -> float:
    """The next number people like to read on an axis."""
    if value <= 0:
        return 1.0
    size = 10.0 ** (len(str(int(value))) - 1 if value >= 1 else -1)
    return next(size * step for step in (1, 2, 4, 5, 8, 10, 20) if size * step >= value)


def _axis(top: float, unit: str) -> list[Word]:
    """The unit stands above the axis."""
    return [Word(x=2, y=10, text=unit), *_marks(top)]


def _marks(top: float) -> list[Word]:
    return [
        Word(x=_LEFT - 6, y=_r(_y(top * part, top) + 4), text=f"{top * part:g}", anchor="end")
        for part in (0, 0.5, 1)
    ]  # fmt: skip


def _grid() -> list[Line]:
    heights = [_r(_y(part, 1.0)) for part in (0, 0.5, 1)]
    return [Line(points=f"{_LEFT},{y} {WIDTH - _RIGHT},{y}", kind="grid") for y in heights]


def _dates(periods: Sequence[Mapping[str, Any]]) -> list[Word]:
    """A few of them, evenly."""
    step = max(1, -(-len(periods) // _LABELS))
    at = _places(periods)
    return [
        Word(
            x=_r(min(at[index][0] + at[index][1] / 2, WIDTH - 36)),
            y=HEIGHT - 8,
            text=_when(periods[index]),
            anchor="middle",
        )
        for index in range(0, len(periods), step)
    ]


def _when(period: Mapping[str, Any]) -> str:
    at: str = period["at"]
    return at[:10] if period["grain"] == "day" else f"{at[5:10]} {at[11:16]}"


def _ranking(name: str, title: str, counts: Mapping[str, int]) -> Chart:
    """Bars side by side with their names, the largest first."""
    rows = list(counts.items())
    shown, most = rows[:_BARS], max(counts.values())
    bars, words = [], []
    for index, (label, count) in enumerate(shown):
        y, width = index * _ROW + 3, (WIDTH - 330) * count / most
        bars.append(Bar(x=270, y=y, width=_r(max(width, 1)), height=_ROW - 7, kind="c1", title=f"{label}: {count}"))
        words.append(Word(x=262, y=y + 12, text=_cut(label, 32), anchor="end"))
        words.append(Word(x=_r(276 + width), y=y + 12, text=str(count)))
    text = f"{sum(counts.values())} CIs in {len(rows)} {name}" + (
        f"; the {_BARS} largest." if len(rows) > _BARS else "."
    )
    return Chart(name=name, title=title, text=text, height=len(shown) * _ROW + 6, bars=bars, words=words,
                 columns=(title.rpartition(" ")[2], "CIs"), rows=rows)  # fmt: skip


def _tree(site: str, nodes: Sequence[Mapping[str, str]]) -> Chart:
    """Each device under the one it hangs on, a line from it to there."""
    placed = list(_walk(nodes))
    rows_of = {node["key"]: index for index, (node, _) in enumerate(placed)}
    bars, lines, words = [], [], []
    for index, (node, depth) in enumerate(placed):
        x, y = 10 + 24 * depth, index * _ROW + 4
        bars.append(Bar(x=x, y=y + 2, width=10, height=10, kind=f"c{depth % (_SERIES - 1) + 1}", title=node["kind"]))
        words.append(Word(x=x + 16, y=y + 11, text=_cut(f"{node['name']}  ({node['kind']})", 80)))
        if depth:
            above = rows_of[node["above"]] * _ROW + 16
            lines.append(Line(points=f"{x - 19},{above} {x - 19},{y + 7} {x - 2},{y + 7}", kind="edge"))
    names = {node["key"]: node["name"] for node in nodes}
    rows = [(node["name"], node["kind"], names.get(node["above"], "")) for node, _ in placed]
    text = f"{len(placed)} devices, each under what it hangs on."
    return Chart(name="tree", title=f"Uplinks of site {site}", text=text,
                 height=len(placed) * _ROW + 8, bars=bars, lines=lines, words=words,
                 columns=("device", "kind", "hangs on"), rows=rows)  # fmt: skip


def _walk(nodes: Sequence[Mapping[str, str]]) -> Iterator[tuple[Mapping[str, str], int]]:
    """Depth first from what hangs on nothing here; a ring is entered at its first device, each device told once."""
    keys = {node["key"] for node in nodes}
    below: dict[str, list[Mapping[str, str]]] = {}
    for node in sorted(nodes, key=lambda one: one["name"]):
        below.setdefault(node["above"] if node["above"] in keys else "", []).append(node)
    seen: set[str] = set()
    roots = [*below.get("", ()), *nodes]
    for root in roots:
        waiting = [(root, 0)]
        while waiting:
            node, depth = waiting.pop()
            if node["key"] in seen:
                continue
            seen.add(node["key"])
            yield node, depth
            waiting += [(one, depth + 1) for one in reversed(below.get(node["key"], ()))]


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _r(value: float) -> float:
    return round(value, 1)
