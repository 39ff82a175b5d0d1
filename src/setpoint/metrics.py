"""Counters, gauges and histograms of one process, and their sum over many processes as Prometheus text.

A process counts in plain dictionaries, without a lock: one thread of it does. Now and then it packs its `Registry` into
bytes, which other processes read; a scrape unpacks those of all and adds them up. So no observation touches a file or
memory that is shared, and nothing has to be cleaned up behind a process that was killed.

Label values are the caller's to choose from a closed set; whatever it does, a metric has a bounded number of series.
"""

from __future__ import annotations

import zlib
from bisect import bisect_left
from math import inf
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Labels: TypeAlias = tuple[str, ...]
Series: TypeAlias = dict[Labels, list[float]]

OTHER = "other"
"""The label value of all that is not told apart."""

SERIES = 200
"""How many series a metric may have, unless it says another number; further ones are counted as `other`."""

STALE_S = 10.0
"""How old a process's gauges may be, in seconds; older ones are those of a process that is no more."""


class Metric:
    """What a metric is called, and its series: by label values, what was counted.

    `how` says what several processes make of it: the sum, or the largest.
    """

    kind: Literal["counter", "gauge", "histogram"]

    def __init__(
        self,
        name: str,
        about: str,
        labels: Labels = (),
        *,
        limit: int = SERIES,
        how: Literal["sum", "max"] = "sum",
        bounds: tuple[float, ...] = (),
    ) -> None:
        self.name = name
        self.about = about
        self.labels = labels
        self.limit = limit
        self.how = how
        self.bounds = bounds
        self.series: Series = {}
        if not labels and self.kind != "gauge":
            self._slot(())  # what has not happened yet is 0, and a rate can be made of it

    def _slot(self, labels: Labels) -> list[float]:
        """The numbers of a series that is new, or of the one for all others when there are too many."""
        if len(labels) != len(self.labels):
            raise ValueError(f"{self.name} has the labels {self.labels}")
        if len(self.series) >= self.limit - 1:
            labels = (OTHER,) * len(self.labels)
        return self.series.setdefault(labels, [0.0] * (len(self.bounds) + 2 if self.bounds else 1))


class Counter(Metric):
    """A number that only grows. Its name ends in `_total`."""

    kind = "counter"

    def add(self, labels: Labels = (), amount: float = 1) -> None:
        """Count so much more."""
        (self.series.get(labels) or self._slot(labels))[0] += amount

    def reach(self, total: float, labels: Labels = ()) -> None:
        """It has come to so much, by whoever counts it; a smaller number changes nothing."""
        numbers = self.series.get(labels) or self._slot(labels)
        numbers[0] = max(numbers[0], total)


class _Tally:
    """A counter whose number is kept elsewhere in this process: what it has grown by there is added here."""

    def __init__(self, counter: Counter, labels: Labels, read: Callable[[], float]) -> None:
        self._counter = counter
        self._labels = labels
        self._read = read
        self._seen = 0.0

    def catch_up(self) -> None:
        """Count what has come since the last time."""
        now = self._read()
        if now != self._seen:
            self._counter.add(self._labels, now - self._seen)
            self._seen = now


class Gauge(Metric):
    """A number as it is now, which goes up and down."""

    kind = "gauge"

    def set(self, value: float, labels: Labels = ()) -> None:
        """This is what it is now."""
        (self.series.get(labels) or self._slot(labels))[0] = value

    def clear(self) -> None:
        """Nothing is known of any series now."""
        self.series.clear()


class Histogram(Metric):
    """How often a value was at most each of the bounds, how often there was one, and their sum.

    A series holds a count for each bound, one for what is above all of them, and the sum.
    """

    kind = "histogram"

    def observe(self, value: float, labels: Labels = ()) -> None:
        """Count one value."""
        numbers = self.series.get(labels) or self._slot(labels)
        numbers[bisect_left(self.bounds, value)] += 1
        numbers[-1] += value


_Packed: TypeAlias = dict[str, list[tuple[Labels, list[float]]]]
_pack = msgspec.msgpack.Encoder()
_unpack = msgspec.msgpack.Decoder(tuple[float, _Packed])


class Registry:
    """The metrics of one process, in the order in which they are shown.

    `collect` is called before they are packed, to set what is only known when it is asked for.
    """

    def __init__(self) -> None:
        self.metrics: list[Metric] = []
        self._tallies: list[_Tally] = []
        self._collectors: list[Callable[[], None]] = []

    def counter(
        self, name: str, about: str, labels: Labels = (), *, how: Literal["sum", "max"] = "sum", limit: int = SERIES
    ) -> Counter:
        """A new counter."""
        counter = Counter(name, about, labels, how=how, limit=limit)
        self.metrics.append(counter)
        return counter

    def gauge(
        self, name: str, about: str, labels: Labels = (), *, how: Literal["sum", "max"] = "sum", limit: int = SERIES
    ) -> Gauge:
        """A new gauge."""
        gauge = Gauge(name, about, labels, how=how, limit=limit)
        self.metrics.append(gauge)
        return gauge

    def histogram(
        self, name: str, about: str, labels: Labels = (), *, bounds: tuple[float, ...], limit: int = SERIES
    ) -> Histogram:
        """A new histogram, with its bounds in rising order."""
        histogram = Histogram(name, about, labels, bounds=bounds, limit=limit)
        self.metrics.append(histogram)
        return histogram

    def tally(self, counter: Counter, read: Callable[[], float], labels: Labels = ()) -> None:
        """Have a counter follow a number that is counted elsewhere in this process."""
        self._tallies.append(_Tally(counter, labels, read))

    def collector(self, collect: Callable[[], None]) -> None:
        """Have this called before the metrics are packed."""
        self._collectors.append(collect)

    def pack(self, now: float) -> bytes:
        """All that this process has counted, as bytes. `now` is on the monotonic clock, which all processes share."""
        for tally in self._tallies:
            tally.catch_up()
        for collect in self._collectors:
            collect()
        packed = {metric.name: list(metric.series.items()) for metric in self.metrics if metric.series}
        return zlib.compress(_pack.encode((now, packed)), 1)

    def go_on(self, packed: bytes) -> None:
        """Count on from what the process had counted whose place this one takes, so that nothing ever falls."""
        _, counted = _unpacked(packed)
        for metric in self.metrics:
            if metric.kind != "gauge":
                _add(metric, metric.series, counted.get(metric.name, ()))

    def text(self, packed: Iterable[bytes], now: float, *, openmetrics: bool = False) -> bytes:
        """The sum of what processes have packed, as Prometheus text of version 0.0.4, or as OpenMetrics 1.0."""
        total: dict[str, Series] = {metric.name: {} for metric in self.metrics}
        for one in packed:
            at, counted = _unpacked(one)
            for metric in self.metrics:
                if metric.kind != "gauge" or now - at <= STALE_S:
                    _add(metric, total[metric.name], counted.get(metric.name, ()))
        lines = [line for metric in self.metrics for line in _lines(metric, total[metric.name], openmetrics)]
        return "\n".join([*lines, *(["# EOF"] if openmetrics else []), ""]).encode()


def _unpacked(packed: bytes) -> tuple[float, _Packed]:
    return _unpack.decode(zlib.decompress(packed)) if packed else (-inf, {})


def _add(metric: Metric, total: Series, counted: Iterable[tuple[Labels, list[float]]]) -> None:
    """Add the series that one process has counted to those of others."""
    for labels, numbers in counted:
        known = total.get(labels)
        if known is None:
            total[labels] = list(numbers)
        elif metric.how == "max":
            known[0] = max(known[0], numbers[0])
        else:
            known[:] = [a + b for a, b in zip(known, numbers, strict=True)]


# --- the text ------------------------------------------------------------------------------------------------


def _lines(metric: Metric, series: Series, openmetrics: bool) -> Iterable[str]:
    """A metric with its samples. Sources: Prometheus' "Exposition formats", OpenMetrics 1.0."""
    # OpenMetrics calls a counter's family without `_total` and its samples with it; 0.0.4 calls both as the samples.
    family = metric.name.removesuffix("_total") if openmetrics else metric.name
    yield f"# HELP {family} {metric.about}"
    yield f"# TYPE {family} {metric.kind}"
    for labels, numbers in sorted(series.items()):
        if metric.kind == "histogram":
            yield from _histogram(metric, labels, numbers)
        else:
            yield f"{metric.name}{_labels(metric.labels, labels)} {numbers[0]!r}"


def _histogram(metric: Metric, labels: Labels, numbers: list[float]) -> Iterable[str]:
    count = 0.0
    for bound, here in zip((*metric.bounds, inf), numbers[:-1], strict=True):
        count += here
        le = "+Inf" if bound == inf else repr(float(bound))
        yield f"{metric.name}_bucket{_labels((*metric.labels, 'le'), (*labels, le))} {count!r}"
    yield f"{metric.name}_count{_labels(metric.labels, labels)} {count!r}"
    yield f"{metric.name}_sum{_labels(metric.labels, labels)} {numbers[-1]!r}"


def _labels(names: Labels, values: Labels) -> str:
    said = ",".join(f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True))
    return f"{{{said}}}" if said else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
