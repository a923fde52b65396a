"""What was measured: printed as a table, kept as JSON with the machine and the date."""

import json
import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psutil
from rich.console import Console
from rich.table import Table

RESULTS: Final = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number, and its budget if it has one: at least, or at most so much."""

    name: str  #: stable, for whoever compares runs
    meaning: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None
    details: Mapping[str, float] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        if self.at_least is not None:
            return self.value >= self.at_least
        return self.value <= self.at_most if self.at_most is not None else None


def show(console: Console, figures: Iterable[Figure], skipped: Iterable[str]) -> None:
    table = Table("measured", "value", "budget", "", box=None, pad_edge=False, header_style="bold")
    table.columns[1].justify = table.columns[2].justify = "right"
    for figure in figures:
        verdict = {True: "[green]met[/]", False: "[red]missed[/]", None: ""}[figure.met]
        table.add_row(figure.meaning, _with_unit(figure.value, figure.unit), _budget(figure), verdict)
    console.print(table)
    for sentence in skipped:
        console.print(f"[yellow]skipped[/] {sentence}", highlight=False)


def keep(figures: Iterable[Figure], skipped: Iterable[str], *, quick: bool) -> Path:
    """Write a JSON file of its own for this run, and say where."""
    at = datetime.now(UTC)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{at:%Y-%m-%dT%H-%M-%SZ}.json"
    content = {
        "at": at.isoformat(timespec="seconds"),
        "quick": quick,
        "machine": machine(),
        "figures": [asdict(figure) | {"met": figure.met} for figure in figures],
        "skipped": list(skipped),
    }
    path.write_text(json.dumps(content, indent=2) + "\n")
    return path


def machine() -> dict[str, str | int]:
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 0,
        "memory_mb": psutil.virtual_memory().total // 2**20,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


def _budget(figure: Figure) -> str:
    if figure.at_least is not None:
        return f"≥ {_with_unit(figure.at_least, figure.unit)}"
    return f"≤ {_with_unit(figure.at_most, figure.unit)}" if figure.at_most is not None else ""


def _with_unit(value: float, unit: str) -> str:
    number = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return f"{number} {unit}".rstrip()
