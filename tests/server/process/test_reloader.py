"""When a configuration file counts as changed, however it is replaced, and what is no file to be read again."""

from __future__ import annotations

import os
import time
from datetime import date
from typing import TYPE_CHECKING

import pytest

from setpoint.coordination.board import Board
from setpoint.server.configuration import Configuration, Source
from setpoint.server.process.reload import Reloader

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal
    from pathlib import Path


def words(grace_s: int) -> str:
    return f"settings: {{shutdown_grace_s: {grace_s}}}\n"


def reloader(path: Path) -> Reloader:
    source = Source(path, {}, {})
    return Reloader(source, source.read(), Board(1, time.monotonic))


def grace_s(one: Reloader) -> float:
    return one.found.loaded.settings.shutdown_grace_s


def renamed(path: Path) -> None:
    new = path.with_name("new")
    new.write_text(words(7))
    new.rename(path)


def with_a_pause(path: Path) -> None:
    path.unlink()
    path.write_text(words(7))


def in_place(path: Path) -> None:
    path.write_text(words(7))


@pytest.mark.parametrize("replace", [renamed, with_a_pause, in_place])
def test_a_file_that_is_replaced_is_read_once_it_rests(tmp_path: Path, replace: Callable[[Path], None]) -> None:
    path = tmp_path / "setpoint.yaml"
    path.write_text(words(55))
    one = reloader(path)
    assert one.look() is None
    replace(path)
    assert one.look() is None, "it may still be written"
    assert one.look() is not None
    assert grace_s(one) == 7
    assert one.look() is None


def test_a_link_that_is_turned_to_another_file_is_followed(tmp_path: Path) -> None:
    for name, value in (("first", 55), ("second", 7)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "setpoint.yaml").write_text(words(value))
    (tmp_path / "data").symlink_to("first")
    (tmp_path / "setpoint.yaml").symlink_to("data/setpoint.yaml")
    one = reloader(tmp_path / "setpoint.yaml")
    (tmp_path / "next").symlink_to("second")
    (tmp_path / "next").rename(tmp_path / "data")
    assert one.look() is None
    assert one.look() is not None
    assert grace_s(one) == 7


def test_a_file_that_is_gone_changes_nothing_until_there_is_one_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "setpoint.yaml"
    path.write_text(words(55))
    one = reloader(path)
    path.unlink()
    assert [one.look(), one.look(), one.look()] == [None] * 3
    assert caplog.text == "", "it is not refused, it is waited for"
    path.write_text(words(7))
    assert one.look() is None
    assert one.look() is not None
    assert grace_s(one) == 7


def test_what_is_no_file_is_refused_without_a_wait(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "setpoint.yaml"
    path.write_text(words(55))
    one = reloader(path)
    path.unlink()
    os.mkfifo(path)  # whoever opens it waits for someone to write
    assert [one.look(), one.look(), one.read()] == [None] * 3
    assert "setpoint.yaml is not a file" in caplog.text
    assert grace_s(one) == 55


def test_what_only_a_start_can_change_stays_as_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "setpoint.yaml"
    path.write_text("settings: {workers: 2, shutdown_grace_s: 55}\n")
    one = reloader(path)
    path.write_text("settings: {workers: 3, shutdown_grace_s: 7}\n")
    change = one.read()
    assert change is not None
    settings = change.found.loaded.settings
    assert (settings.workers, settings.shutdown_grace_s) == (2, 7)
    assert caplog.messages == ["these settings change with the next start only: workers"]


@pytest.mark.parametrize("with_file", [True, False])
def test_a_price_that_was_announced_counts_from_its_day_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, with_file: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "acme.yaml"
    path.write_text("providers: {google: {api_key: a-key-for-google}}\n")
    days = [date(2026, 12, 30)]
    environ = {} if with_file else {"GEMINI_API_KEY": "a-key-for-google"}
    source = Source(path if with_file else None, environ, {}, lambda: days[-1])
    one = Reloader(source, source.read(), Board(1, time.monotonic))

    def price() -> Decimal | None:
        found = one.found.catalog.find("google/gemini-3.7-flash")
        assert found is not None
        [endpoint] = found.endpoints
        return endpoint.price.prompt if endpoint.price is not None else None

    before = price()
    days.append(date(2026, 12, 31))
    assert one.look() is None
    days.append(date(2027, 1, 2))  # whoever slept on its day
    assert one.look() is not None
    after = price()
    assert before is not None
    assert after == 2 * before
    assert one.look() is None


class Mistaken(Source, frozen=True):
    """A source that has a mistake of ours."""

    def read(self, content: bytes | None = None) -> Configuration:
        if content is not None:
            raise KeyError("a secret of the file")
        return super().read()


def test_a_mistake_in_the_reading_ends_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "setpoint.yaml"
    path.write_text(words(55))
    source = Mistaken(path, {}, {})
    one = Reloader(source, source.read(), Board(1, time.monotonic))
    assert one.read() is None
    assert caplog.messages == ["the new configuration is refused, the old one stays: KeyError"]
    assert grace_s(one) == 55
