"""A scrape of a running gateway's metrics, read by Prometheus' own parser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from support.http import call

if TYPE_CHECKING:
    from support.processes import Gateway


class Scrape:
    """All samples of one scrape."""

    def __init__(self, gateway: Gateway) -> None:
        answer = call("GET", f"{gateway.origin}/metrics", key=gateway.key)
        assert answer.status == 200, answer.body
        families = text_string_to_metric_families(answer.body.decode())
        self.samples = [sample for family in families for sample in family.samples]

    def __getitem__(self, name: str) -> float:
        """The sum of all samples of a name."""
        return self.get(name)

    def get(self, name: str, **labels: str) -> float:
        """The sum of the samples that have these labels, among others; 0 when there is none."""
        return sum(
            sample.value for sample in self.samples if sample.name == name and labels.items() <= sample.labels.items()
        )

    def values(self, name: str, label: str) -> set[str]:
        """What a label says in the samples of a name."""
        return {sample.labels[label] for sample in self.samples if sample.name == name}
