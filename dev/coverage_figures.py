"""Print the line and the branch coverage of a report of `coverage json`, and fail if one of them is below its bound.

The report's own total mixes the two: many covered lines would hide branches that no test takes.
"""

import json
import sys
from pathlib import Path
from typing import Any

LEAST_PERCENT = 85.0


def main(report: Path) -> None:
    totals = json.loads(report.read_text())["totals"]
    figures = {
        "lines": percent(totals, "covered_lines", "num_statements"),
        "branches": percent(totals, "covered_branches", "num_branches"),
    }
    for name, figure in figures.items():
        print(f"{name:<9}{figure:6.2f} % covered")
    low = [name for name, figure in figures.items() if figure < LEAST_PERCENT]
    if low:
        sys.exit(f"below {LEAST_PERCENT:g} %: {', '.join(low)}")


def percent(totals: dict[str, Any], covered: str, counted: str) -> float:
    """100 if there is nothing to cover. Without `branch = true` the report has no branches, which is an error here."""
    return 100.0 * totals[covered] / totals[counted] if totals[counted] else 100.0


if __name__ == "__main__":
    main(Path(sys.argv[1]))
