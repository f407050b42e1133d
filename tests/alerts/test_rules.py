"""The alert rules fire on what they are for and on nothing else (R4.4, R4.5)."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from beast_dream_snow_loader.core.measures import BY_NAME
from tests.alerts import worlds
from tests.alerts.worlds import Series
from tests.programs import program

CONFIG = Path(__file__).resolve().parents[2] / "config"
RULES = CONFIG / "alerts" / "snowload.rules.yml"
DASHBOARD = CONFIG / "grafana" / "snowload.json"
_SELECTOR = re.compile(r"(snowload_\w+)(?:\{([^}]*)\})?")
_MATCHED = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"')
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
    """What went wrong for it; empty: a good day."""
    return tuple(worlds.history(worlds.BAD[alert]) if alert else worlds.history())


def test_every_alert_fires_where_what_it_is_for_went_wrong_and_none_does_on_a_good_day(tmp_path: Path) -> None:
    """By Prometheus itself. Each bad history is played with the rule that it is for, and the series it asks for."""
    files = [_good_day(tmp_path), *(_gone_wrong(tmp_path, alert) for alert in rules())]
    done = promtool("test", "rules", *map(str, files))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_a_history_in_which_nothing_went_wrong_would_be_noticed(tmp_path: Path) -> None:
    """As would an alert on a good day: promtool is asked what it can deny."""
    wrong = _test_file(tmp_path, "wrong", {"SnowloadStateUnreadable": True}, history(""))
    done = promtool("test", "rules", str(wrong))
    assert done.returncode != 0


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [program("promtool"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)


def _good_day(folder: Path) -> Path:
    return _test_file(folder, "good", dict.fromkeys(rules(), False), history(""))


def _gone_wrong(folder: Path, alert: str) -> Path:
    asked = _names(rules()[alert]["expr"])
    return _test_file(folder, alert, {alert: True}, [one for one in history(alert) if one.name in asked])


def _test_file(folder: Path, name: str, wanted: Mapping[str, bool], series: Sequence[Series]) -> Path:
    """As ``promtool test rules`` has it; what an alert says is not compared, so an alert's count is asked for."""
    played = [rule for alert, rule in rules().items() if alert in wanted]
    (folder / f"{name}.rules.yml").write_text(json.dumps({"groups": [{"name": "g", "rules": played}]}), "utf-8")
    test = {
        "interval": "5m",
        "input_series": [{"series": _named(one), "values": _values(one)} for one in series],
        "promql_expr_test": [
            {
                "expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) > bool 0',
                "eval_time": f"{int(worlds.END)}s",
                "exp_samples": [{"labels": "{}", "value": 1}] if expected else [],
            }
            for alert, expected in wanted.items()
        ],
    }
    document = {"rule_files": [f"{name}.rules.yml"], "evaluation_interval": "5m", "tests": [test]}
    file = folder / f"{name}.test.yml"
    file.write_text(json.dumps(document), "utf-8")
    return file


def test_prometheus_reads_the_rules_and_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    done = promtool("check", "rules", str(RULES))
    assert done.returncode == 0, done.stdout + done.stderr
    panel_rules = [{"record": f"panel:{place}", "expr": expr} for place, (_, expr) in enumerate(asked())]
    (tmp_path / "panels.yml").write_text(json.dumps({"groups": [{"name": "g", "rules": panel_rules}]}), "utf-8")
    done = promtool("check", "rules", str(tmp_path / "panels.yml"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_bad_history_is_for_an_alert_that_there_is() -> None:
    assert set(worlds.BAD) == set(rules())


@pytest.mark.parametrize(("where", "expression"), asked())
def test_what_is_asked_for_is_in_the_catalogue_with_those_labels(where: str, expression: str) -> None:
    names = _names(expression)
    assert names, where
    for name, matchers in _SELECTOR.findall(expression):
        assert set(_MATCHED.findall(matchers)) <= _labels(name), where
    assert all(set(group) <= _labels(name) for group in _groups(expression) for name in names), where


def _names(expression: str) -> set[str]:
    return {name for name, _ in _SELECTOR.findall(expression)}


def _groups(expression: str) -> list[list[str]]:
    """The labels of each ``by (…)``."""
    return [re.findall(r"\w+", group) for group in re.findall(r"\bby \(([^)]*)\)", expression)]


def _labels(name: str) -> set[str]:
    found = BY_NAME.get(name) or BY_NAME.get(re.sub("_(sum|count)$", "", name))
    assert found is not None, f"{name} is in no catalogue"
    return {*found.every_label, *(("quantile",) if found.type == "summary" else ())}


@pytest.mark.parametrize("alert", rules())
def test_an_alert_says_how_bad_it_is_and_names_a_command_and_labels_that_there_are(alert: str) -> None:
    rule = rules()[alert]
    assert rule["labels"]["severity"] in {"info", "warning", "critical"}
    told = " ".join(rule["annotations"].values())
    assert _COMMAND.search(rule["annotations"]["action"])
    groups = _groups(rule["expr"])
    kept = set(groups[0]) if groups else set.intersection(*map(_labels, _names(rule["expr"])))
    assert set(re.findall(r"\$labels\.(\w+)", told)) <= kept


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


def _named(series: Series) -> str:
    return f"{series.name}{{{','.join(f'{name}={json.dumps(value)}' for name, value in sorted(series.labels))}}}"


def _values(series: Series) -> str:
    at = dict(series.points)
    steps = [index * worlds.STEP for index in range(int(worlds.END / worlds.STEP) + 1)]
    return " ".join(f"{at[moment]:.6f}" if moment in at else "_" for moment in steps)
