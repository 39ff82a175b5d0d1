"""`make soak`: what takes too long for `make test`. Bounded in time, and goes on where it was ended.

Each part does a number of units, remembers how far it has come under `build/soak`, and ends at its own bound or at
that of the whole. Prints a table of what was proved. Exits with 0 when all is proved, 1 when something does not hold,
3 when nothing is wrong but something is not finished: run it again.

`python -m soak.run --parts kills,memory --scale 0.01` tries two parts with a hundredth of their units.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from bench.tools import end_in_order
from soak.part import Finding, Progress
from soak.parts import PARTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from soak.part import Part

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "soak"

_UNFINISHED = 3


def run_part(part: Part, goal: int, progress: Progress, limit_s: float) -> list[Finding]:
    """What the part found: now, or in an earlier run that finished it."""
    if progress.findings is not None:
        return progress.findings
    progress.allow(min(limit_s, part.limit_s))
    started, before = time.monotonic(), progress.done
    try:
        findings = part.run(goal, progress)
    except Exception:
        traceback.print_exc()
        findings = [Finding(part.name, "ended with an exception, see above", "none", holds=False)]
    if progress.done >= goal and all(finding.holds for finding in findings):
        progress.finish(findings)
    did = f"{progress.done - before:,} {part.unit} in {time.monotonic() - started:,.0f} s"
    print(f"{part.name}: {did}, {progress.done:,} of {goal:,} done", flush=True)
    return findings


def table(rows: Sequence[tuple[str, Finding]]) -> str:
    """The findings as a table in Markdown."""
    lines = ["| part | what | figure | goal | holds |", "|---|---|---|---|---|"]
    lines += [
        f"| {part} | {row.what} | {row.figure} | {row.goal} | {'yes' if row.holds else 'NO'} |" for part, row in rows
    ]
    return "\n".join(lines)


def soak(parts: Sequence[Part], *, build: Path, revision: str, scale: float, limit_s: float, fresh: bool) -> int:
    """The exit code of one run over these parts, as the file's first lines say."""
    until = time.monotonic() + limit_s
    rows: list[tuple[str, Finding]] = []
    unfinished: list[str] = []
    for part in parts:
        goal = max(1, round(part.full * scale))
        # A trial with fewer units proves nothing about the full number, so it has a file of its own.
        progress = Progress(build / f"{part.name}-{goal}.json", revision=revision)
        if fresh:
            progress.forget()
        left_s = until - time.monotonic()
        if left_s > 0 or progress.findings is not None:
            rows += [(part.name, finding) for finding in run_part(part, goal, progress, left_s)]
        if progress.done < goal:
            unfinished.append(f"{part.name} ({progress.done:,} of {goal:,} {part.unit})")
    print(f"\nSoak of {revision}\n\n{table(rows)}\n")
    if not all(finding.holds for _, finding in rows):
        return 1
    if unfinished:
        print(f"Not finished: {', '.join(unfinished)}. Run it again to go on.")
        return _UNFINISHED
    return 0


def revision_of(root: Path) -> str:
    """The name of the code that is soaked: the commit, and whether something was changed since."""
    asked = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"], cwd=root, capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() or "an unknown commit"


def main() -> int:
    """Run the parts that are asked for."""
    names = [part.name for part in PARTS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default=",".join(names), help=f"of {', '.join(names)}")
    parser.add_argument("--scale", type=float, default=1.0, help="do this share of each part's units")
    parser.add_argument("--limit-s", type=float, default=6 * 3600, help="end after so many seconds")
    parser.add_argument("--fresh", action="store_true", help="forget what earlier runs did")
    options = parser.parse_args()
    end_in_order()
    wanted: list[str] = options.parts.split(",")
    if unknown := set(wanted) - set(names):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    return soak(
        [part for part in PARTS if part.name in wanted],
        build=BUILD,
        revision=revision_of(ROOT),
        scale=options.scale,
        limit_s=options.limit_s,
        fresh=options.fresh,
    )


if __name__ == "__main__":
    sys.exit(main())
