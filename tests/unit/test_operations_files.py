"""The files for Grafana and Prometheus speak of the metrics that there are, of all of them, and of no others."""

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from landed.web import metrics

ROOT: Final = Path(__file__).parents[2]
DASHBOARD: Final[dict[str, Any]] = json.loads((ROOT / "operations" / "grafana-dashboard.json").read_text())
RULES: Final[list[dict[str, Any]]] = yaml.safe_load((ROOT / "operations" / "prometheus-rules.yml").read_text())[
    "groups"
][0]["rules"]
_SERIES: Final = {"Counter": "_total", "Gauge": "", "Histogram": "_bucket"}


def exposed() -> set[str]:
    """The names that queries use."""
    source = Path(str(metrics.__file__)).read_text(encoding="utf-8")
    found = re.findall(r'(Counter|Gauge|Histogram)MetricFamily\(\s*"(landed_\w+)"', source)
    return {f"{name}{_SERIES[kind]}" for kind, name in found}


def named(expressions: list[str]) -> set[str]:
    return {name for expression in expressions for name in re.findall(r"\blanded_\w+", expression)}


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def test_every_metric_is_on_the_dashboard_and_no_other() -> None:
    assert named([target["expr"] for panel in panels() for target in panel["targets"]]) == exposed()


def test_rules_use_metrics_that_there_are() -> None:
    assert named([rule["expr"] for rule in RULES]) <= exposed()


def test_panels_overlap_nowhere_and_have_ids_of_their_own() -> None:
    taken = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]

    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: panel["title"])
def test_a_panel_says_what_it_shows(panel: dict[str, Any]) -> None:
    assert panel["description"].endswith(".")
    assert panel["targets"]
    for target in panel["targets"]:
        assert target["datasource"]["uid"] == "${datasource}"
        assert target["expr"].count("(") == target["expr"].count(")")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_says_what_is_wrong_and_is_explained(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"info", "warning", "critical"}
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["description"]
    assert rule["expr"].count("(") == rule["expr"].count(")")
    page = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    assert re.search(rf"^\| `{rule['alert']}` \|", page, re.MULTILINE)
