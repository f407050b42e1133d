"""The alert rules fire on what they are for and on nothing else (R4.4, R4.5)."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from beast_dream_snow_loader.core.measures import BY_NAME, Measure
from tests.alerts import worlds
from tests.alerts.promql import (
    Aggregate,
    Node,
    Selector,
    Series,
    Unknown,
    evaluate,
    fires,
    groupings,
    parse,
    seconds,
    selectors,
)

CONFIG = Path(__file__).resolve().parents[2] / "config"
RULES = CONFIG / "alerts" / "snowload.rules.yml"
DASHBOARD = CONFIG / "grafana" / "snowload.json"
PROMTOOL = shutil.which("promtool")
_COMMAND = re.compile(r"snowload [a-z][a-z-]+")


def rules() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def panels() -> Iterator[dict[str, Any]]:
    yield from json.loads(DASHBOARD.read_text("utf-8"))["panels"]


def asked() -> list[tuple[str, str]]:
    """Every expression we ship, by where it stands."""
    targets = [(panel["title"], target["expr"]) for panel in panels() for target in panel.get("targets", ())]
    return [*((name, rule["expr"]) for name, rule in rules().items()), *targets]


@cache
def history(alert: str) -> tuple[Series, ...]:
    return tuple(worlds.history(worlds.BAD[alert]) if alert else worlds.history())


def firing(alert: str, series: tuple[Series, ...]) -> set[Any]:
    rule = rules()[alert]
    lasting = seconds(rule["for"]) if "for" in rule else 0.0
    return fires(parse(rule["expr"]), series, at=worlds.END, lasting=lasting, step=worlds.STEP)


@pytest.mark.parametrize("alert", rules())
def test_an_alert_fires_on_a_history_in_which_what_it_is_for_went_wrong(alert: str) -> None:
    assert firing(alert, history(alert))


@pytest.mark.parametrize("alert", rules())
def test_no_alert_fires_on_a_good_day(alert: str) -> None:
    assert firing(alert, history("")) == set()


def test_every_bad_history_is_for_an_alert_that_there_is() -> None:
    assert set(worlds.BAD) == set(rules())


@pytest.mark.parametrize(("where", "expression"), asked())
def test_what_is_asked_for_is_in_the_catalogue_with_those_labels(where: str, expression: str) -> None:
    node = parse(expression)
    named = list(selectors(node))
    assert named, where
    for selector in named:
        labels = _labels(selector)
        assert {label for label, *_ in selector.matchers} <= labels, where
    for group in groupings(node):
        assert all(set(group.by) <= _labels(selector) for selector in selectors(group)), where


def _measure(selector: Selector) -> Measure:
    found = BY_NAME.get(selector.name) or BY_NAME.get(re.sub("_(sum|count)$", "", selector.name))
    assert found is not None, f"{selector.name} is in no catalogue"
    return found


def _labels(selector: Selector) -> set[str]:
    measure = _measure(selector)
    return {*measure.every_label, *(("quantile",) if measure.type == "summary" else ())}


@pytest.mark.parametrize("alert", rules())
def test_an_alert_says_how_bad_it_is_and_names_a_command_and_labels_that_there_are(alert: str) -> None:
    rule = rules()[alert]
    assert rule["labels"]["severity"] in {"info", "warning", "critical"}
    told = " ".join(rule["annotations"].values())
    assert _COMMAND.search(rule["annotations"]["action"])
    kept = set(_kept(parse(rule["expr"])))
    assert set(re.findall(r"\$labels\.(\w+)", told)) <= kept


def _kept(node: Node) -> set[str]:
    """The labels that what an expression gives still has."""
    group = next(groupings(node), None)
    return set(group.by) if isinstance(group, Aggregate) else set.intersection(*(_labels(s) for s in selectors(node)))


def test_every_panel_of_the_dashboard_has_a_place_of_its_own_and_a_source_that_can_be_chosen() -> None:
    board = json.loads(DASHBOARD.read_text("utf-8"))
    assert {one["name"] for one in board["templating"]["list"]} == {"datasource", "environment", "target"}
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == "${datasource}"
            assert all("$target" in target["expr"] for target in panel["targets"]), panel["title"]
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_the_evaluator_refuses_what_it_does_not_know() -> None:
    for text in (
        "rate(a[5m])",
        "a or b",
        "sum(a)",
        "a unless b",
        "-a",
        "a offset 5m",
        "a{b='c'}",
        "a @ 5",
        "a == bool 1",
    ):
        with pytest.raises(Unknown):
            parse(text)
    for text in ("1 > 0", "sum by (a) (1)"):
        with pytest.raises(Unknown):
            evaluate(parse(text), (), 0.0)


def test_the_evaluator_reckons_as_prometheus_does() -> None:
    series = [
        Series(name="a", labels=frozenset({("l", "x")}), points=[(0.0, 1.0), (100.0, 3.0)]),
        Series(name="a", labels=frozenset({("l", "y")}), points=[(100.0, 5.0)]),
    ]
    x, y = frozenset({("l", "x")}), frozenset({("l", "y")})
    expected: list[tuple[str, object]] = [
        ("a", {x: 3.0, y: 5.0}),
        ('a{l!="x"}', {y: 5.0}),
        ('a{l=~"x|z"} * 2 + 1', {x: 7.0}),
        ("a > 4", {y: 5.0}),
        ("4 < a", {y: 5.0}),
        ("time() - a", {x: 147.0, y: 145.0}),
        ("sum by (l) (a) / a", {x: 1.0, y: 1.0}),
        ("avg_over_time(a[5m])", {x: 2.0, y: 5.0}),
        ("a > 1 and a < 4", {x: 3.0}),
    ]
    for text, found in expected:
        assert evaluate(parse(text), series, 150.0) == found, text
    assert evaluate(parse("a"), series, 500.0) == {}, "and a sample grows old"


@pytest.mark.slow
@pytest.mark.skipif(PROMTOOL is None, reason="no promtool here (Debian: prometheus); our own evaluator has run")
def test_promtool_is_of_the_same_mind_about_every_rule_and_history(tmp_path: Path) -> None:
    shutil.copy(RULES, tmp_path / "rules.yml")
    every = [("", alert, False) for alert in rules()] + [(alert, alert, True) for alert in rules()]
    tests = []
    for world in ("", *rules()):
        wanted = [(alert, expected) for found, alert, expected in every if found == world]
        tests.append(_promtool_test(history(world), wanted))
    document = {"rule_files": ["rules.yml"], "evaluation_interval": "5m", "tests": tests}
    (tmp_path / "test.yml").write_text(json.dumps(document), "utf-8")
    done = subprocess.run(
        [str(PROMTOOL), "test", "rules", str(tmp_path / "test.yml")],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    done = subprocess.run([str(PROMTOOL), "check", "rules", str(RULES)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _promtool_test(series: tuple[Series, ...], wanted: list[tuple[str, bool]]) -> dict[str, Any]:
    """As ``promtool test rules`` has it; what an alert says is not compared, so an alert's count is asked for."""
    return {
        "interval": "5m",
        "input_series": [{"series": _named(one), "values": _values(one)} for one in series],
        "promql_expr_test": [
            {
                "expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) > bool 0',
                "eval_time": f"{int(worlds.END)}s",
                "exp_samples": [{"labels": "{}", "value": 1}] if expected else [],
            }
            for alert, expected in wanted
        ],
    }


def _named(series: Series) -> str:
    return f"{series.name}{{{','.join(f'{name}={json.dumps(value)}' for name, value in sorted(series.labels))}}}"


def _values(series: Series) -> str:
    at = dict(series.points)
    steps = [index * worlds.STEP for index in range(int(worlds.END / worlds.STEP) + 1)]
    return " ".join(f"{at[moment]:.6f}" if moment in at else "_" for moment in steps)
