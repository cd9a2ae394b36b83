"""What systemd is told, on a real notify socket."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kiosk.heartbeat import Heartbeat, Notifier

Read = Callable[[], list[str]]


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Read]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "10000000")

        def read() -> list[str]:
            messages = []
            while True:
                try:
                    messages.append(systemd.recv(4096).decode())
                except BlockingIOError:
                    return messages

        yield read


def test_idle_with_nothing_pending_is_healthy() -> None:
    heartbeat = Heartbeat()
    heartbeat.register("recognition", 5.0)
    assert heartbeat.stale(1_000_000.0) == []


def test_the_oldest_unfinished_work_counts() -> None:
    heartbeat = Heartbeat()
    heartbeat.register("recognition", 5.0)
    heartbeat.register("journal", 5.0)
    heartbeat.pending("recognition", 100.0)
    heartbeat.pending("recognition", 104.0)
    assert heartbeat.stale(105.0) == []
    assert heartbeat.stale(105.1) == ["recognition"]
    heartbeat.completed("recognition")
    assert heartbeat.stale(200.0) == []


def test_ready_status_and_stopping_are_told(told: Read) -> None:
    notifier = Notifier()
    notifier.ready()
    notifier.status("front watching")
    notifier.status("front watching")
    notifier.stopping()
    assert told() == ["READY=1", "STATUS=front watching", "STOPPING=1"]
    notifier.close()


def test_the_watchdog_is_fed_twice_in_its_time_and_only_while_healthy(told: Read) -> None:
    notifier = Notifier()
    for half_seconds in range(21):
        notifier.beat(100.0 + half_seconds / 2, healthy=True)
    assert told() == ["WATCHDOG=1"] * 3
    for half_seconds in range(20):
        notifier.beat(111.0 + half_seconds / 2, healthy=False)
    assert told() == []
    notifier.close()


def test_a_manager_that_does_not_read_stalls_nothing(told: Read) -> None:
    notifier = Notifier()
    for number in range(2000):
        notifier.status(f"{number} {'x' * 1000}")
    assert 0 < len(told()) < 2000
    notifier.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # sdnotify forgets the socket it could not connect
def test_a_manager_that_is_gone_is_nobody_to_talk_to(told: Read, tmp_path: Path) -> None:
    (tmp_path / "notify").unlink()
    notifier = Notifier()
    notifier.ready()
    notifier.beat(1.0, healthy=True)
    notifier.close()
    assert told() == []


def test_without_systemd_nothing_is_sent_and_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    notifier = Notifier()
    notifier.ready()
    notifier.beat(1.0, healthy=True)
    assert notifier._fed_at == float("-inf")
