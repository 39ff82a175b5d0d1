"""The demo does the main job with real processes and says so."""

from __future__ import annotations

import subprocess
import sys


def test_the_demo_shows_the_main_job_and_every_fact_holds() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "setpoint", "demo"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    facts = [line for line in done.stdout.splitlines() if line.startswith(("ok ", "NOT"))]
    assert len(facts) == 14
    assert all(fact.startswith("ok ") for fact in facts)
    assert '"model": "@preset/parcels"' in done.stdout
    assert '"total_cost": 0.000' in done.stdout
    assert "sk-sp-" not in done.stdout + done.stderr
