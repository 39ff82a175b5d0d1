"""Metrics: what is counted, summed over processes, bounded, and read back by Prometheus' own parser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as read_openmetrics,  # pyright: ignore[reportUnknownVariableType] its argument has no type
)
from prometheus_client.parser import text_string_to_metric_families as read_text

from setpoint.metrics import OTHER, SERIES, STALE_S, Counter, Gauge, Histogram, Registry

if TYPE_CHECKING:
    from collections.abc import Mapping

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(text: bytes) -> Samples:
    """Every sample of a text of version 0.0.4, by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in read_text(text.decode())
        for sample in family.samples
    }


def one(name: str, **labels: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    return name, tuple(sorted(labels.items()))


class Worker:
    """A registry with one metric of each kind."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.answers: Counter = self.registry.counter("answers_total", "Answers.", ("provider", "status"))
        self.plain: Counter = self.registry.counter("plain_total", "Without labels.")
        self.open: Gauge = self.registry.gauge("open_things", "Open things.")
        self.revision: Gauge = self.registry.gauge("revision", "The newest.", how="max")
        self.times: Histogram = self.registry.histogram("times_seconds", "Times.", ("skin",), bounds=(0.5, 1.0))

    def pack(self, now: float = 0) -> bytes:
        return self.registry.pack(now)

    def text(self, *packed: bytes, now: float = 0, openmetrics: bool = False) -> bytes:
        return self.registry.text(packed, now, openmetrics=openmetrics)


def test_what_is_counted_is_what_the_parser_reads() -> None:
    worker = Worker()
    worker.answers.add(("acme", "200"))
    worker.answers.add(("acme", "200"), 2)
    worker.answers.add(("acme", "500"))
    worker.open.set(7)
    worker.times.observe(0.5, ("chat",))
    worker.times.observe(0.7, ("chat",))
    worker.times.observe(9, ("chat",))
    assert samples(worker.text(worker.pack())) == {
        one("answers_total", provider="acme", status="200"): 3,
        one("answers_total", provider="acme", status="500"): 1,
        one("plain_total"): 0,
        one("open_things"): 7,
        one("times_seconds_bucket", skin="chat", le="0.5"): 1,
        one("times_seconds_bucket", skin="chat", le="1.0"): 2,
        one("times_seconds_bucket", skin="chat", le="+Inf"): 3,
        one("times_seconds_count", skin="chat"): 3,
        one("times_seconds_sum", skin="chat"): pytest.approx(10.2),
    }


def test_the_form_is_that_of_the_exposition_format() -> None:
    registry = Registry()
    registry.counter("things_total", "Things.", ("kind",)).add(("a",))
    registry.histogram("times_seconds", "Times.", bounds=(0.5,)).observe(2)
    assert registry.text([registry.pack(0)], 0).decode() == (
        "# HELP things_total Things.\n"
        "# TYPE things_total counter\n"
        'things_total{kind="a"} 1.0\n'
        "# HELP times_seconds Times.\n"
        "# TYPE times_seconds histogram\n"
        'times_seconds_bucket{le="0.5"} 0.0\n'
        'times_seconds_bucket{le="+Inf"} 1.0\n'
        "times_seconds_count 1.0\n"
        "times_seconds_sum 2.0\n"
    )


def test_openmetrics_is_read_by_its_strict_parser() -> None:
    worker = Worker()
    worker.answers.add(("acme", "200"))
    worker.times.observe(0.5, ("chat",))
    worker.open.set(1)
    families = {
        family.name: family for family in read_openmetrics(worker.text(worker.pack(), openmetrics=True).decode())
    }
    assert families["answers"].type == "counter"
    assert families["times_seconds"].type == "histogram"
    assert families["answers"].samples[0].name == "answers_total"


@given(st.lists(st.text(max_size=30), min_size=2, max_size=2))
def test_no_label_value_is_too_strange_for_the_text(values: list[str]) -> None:
    worker = Worker()
    worker.answers.add((values[0], values[1]))
    read = samples(worker.text(worker.pack()))
    assert read[one("answers_total", provider=values[0], status=values[1])] == 1


def test_a_scrape_is_the_sum_over_all_processes() -> None:
    first, second = Worker(), Worker()
    for worker, times in ((first, 2), (second, 3)):
        worker.answers.add(("acme", "200"), times)
        worker.open.set(times)
        worker.revision.set(times)
        worker.times.observe(0.1, ("chat",))
    second.answers.add(("other", "200"))
    read = samples(first.text(first.pack(), second.pack(), b""))
    assert read[one("answers_total", provider="acme", status="200")] == 5
    assert read[one("answers_total", provider="other", status="200")] == 1
    assert read[one("open_things")] == 5
    assert read[one("revision")] == 3
    assert read[one("times_seconds_count", skin="chat")] == 2


def test_who_takes_the_place_of_a_process_counts_on_and_keeps_no_gauge_of_it() -> None:
    before = Worker()
    before.answers.add(("acme", "200"), 2)
    before.times.observe(0.1, ("chat",))
    before.open.set(5)
    after = Worker()
    after.registry.go_on(before.pack())
    after.answers.add(("acme", "200"))
    read = samples(after.text(after.pack()))
    assert read[one("answers_total", provider="acme", status="200")] == 3
    assert read[one("times_seconds_count", skin="chat")] == 1
    assert one("open_things") not in read


def test_gauges_of_a_process_that_is_no_more_are_left_out_and_its_counters_stay() -> None:
    gone, here = Worker(), Worker()
    for worker in (gone, here):
        worker.open.set(1)
        worker.plain.add()
    read = samples(here.text(gone.pack(0), here.pack(STALE_S + 1), now=STALE_S + 1))
    assert read[one("open_things")] == 1
    assert read[one("plain_total")] == 2


def test_a_number_that_is_counted_elsewhere_is_followed_and_never_falls() -> None:
    """Also not in a process that takes another's place, where it begins at nothing again."""
    lost = 4
    before = Worker()
    before.registry.tally(before.plain, lambda: lost)
    before.pack()
    lost = 6
    packed = before.pack()
    assert samples(before.text(packed))[one("plain_total")] == 6
    after = Worker()
    after.registry.tally(after.plain, lambda: 1)
    after.registry.go_on(packed)
    assert samples(after.text(after.pack()))[one("plain_total")] == 7


def test_what_is_looked_up_is_as_new_with_each_packing() -> None:
    worker = Worker()
    waiting: Mapping[str, int] = {"a": 1}
    worker.registry.collector(lambda: worker.open.set(len(waiting)))
    assert samples(worker.text(worker.pack()))[one("open_things")] == 1
    waiting = {}
    assert samples(worker.text(worker.pack()))[one("open_things")] == 0


def test_ten_thousand_names_are_a_bounded_number_of_series_and_none_is_lost() -> None:
    worker = Worker()
    for number in range(10_000):
        worker.answers.add((f"made-up-{number}", "200"))
        worker.times.observe(1, (f"made-up-{number}",))
    read = samples(worker.text(worker.pack()))
    counted = {labels: value for (name, labels), value in read.items() if name == "answers_total"}
    assert len(counted) == SERIES
    assert sum(counted.values()) == 10_000
    assert counted[one("", provider=OTHER, status=OTHER)[1]] == 10_000 - SERIES + 1
    assert len([name for name, _ in read if name == "times_seconds_count"]) == SERIES


def test_labels_that_a_metric_does_not_have_are_a_fault_of_ours() -> None:
    with pytest.raises(ValueError, match="answers_total"):
        Worker().answers.add(("acme",))
