"""What the daemon makes of what the calls to the cloud tell it."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from kiosk.domain import Inconclusive, NonMatch
from kiosk.errors import Transient
from kiosk.eye.messages import Examined
from kiosk.heartbeat import Heartbeat
from kiosk.metrics import Metrics
from kiosk.recognition.strategy import Opinion
from kiosk.recognition.tencent import events
from kiosk.service.tally import Tally
from kiosk.settings import Settings


@pytest.fixture
def tally() -> Tally:
    return Tally(Settings.model_construct(), Metrics("test"), Heartbeat())


def exposed(tally: Tally) -> str:
    return tally.metrics.render()[0].decode()


def test_every_request_and_its_parts_are_counted(tally: Tally) -> None:
    tally.cloud(events.Asked("identify", "recognition.example", "0", 0.15, {"connect": 20.0, "wait": 120.0}))
    tally.cloud(events.Asked("identify", "recognition.example", "cloud_unreachable", 0.01))
    text = exposed(tally)
    assert 'kiosk_cloud_requests_total{code="0",interface="identify"} 1.0' in text
    assert 'kiosk_cloud_stage_seconds_sum{stage="wait"} 0.12' in text
    assert tally.totals["cloud_calls"] == 2


def test_a_learnt_skew_and_an_open_circuit_can_be_seen(tally: Tally) -> None:
    with capture_logs() as logs:
        tally.cloud(events.SkewLearnt(-600.0))
        tally.cloud(events.Circuit("recognition.example", 5.0))
    text = exposed(tally)
    assert "kiosk_clock_skew_seconds -600.0" in text
    assert 'kiosk_cloud_circuit_open{endpoint="recognition.example"} 1.0' in text
    assert [line["event"] for line in logs] == ["clock_skew_learnt", "cloud_circuit"]
    tally.cloud(events.Circuit("recognition.example", 0.0))
    assert 'kiosk_cloud_circuit_open{endpoint="recognition.example"} 0.0' in exposed(tally)


def test_an_interface_that_goes_offline_is_an_alarm(tally: Tally) -> None:
    with capture_logs() as logs:
        tally.cloud(events.Retiring("identify", "use the new interfaces"))
    assert tally.errors == {"interface_retired": 1}
    assert any(line["event"] == "alarm" and line["slug"] == "interface_retired" for line in logs)
    assert tally.feed.recent[-1] == {"event": "alarm", "where": "identify", "slug": "interface_retired"}


def test_retries_and_slowing_down_are_told(tally: Tally) -> None:
    with capture_logs() as logs:
        tally.cloud(events.Repeated("identify", "cloud_error", "213", 0.1234))
        tally.cloud(events.Slowed("legacy", 25.0))
    assert 'kiosk_cloud_retries_total{interface="identify",slug="cloud_error"} 1.0' in exposed(tally)
    assert [line["event"] for line in logs] == ["cloud_retry", "cloud_slowed_down"]


def test_every_engine_that_was_asked_is_counted_and_what_it_failed_with(tally: Tally) -> None:
    tally.opinion(Opinion("tencent-iai", Inconclusive("cloud_busy", "tencent-iai"), 0.4, Transient("cloud_busy")))
    tally.opinion(Opinion("on-device", NonMatch("not_recognised", 31.0, "on-device"), 0.002))
    text = exposed(tally)
    assert 'kiosk_recognitions_total{engine="tencent-iai",outcome="cloud_busy"} 1.0' in text
    assert 'kiosk_recognitions_total{engine="on-device",outcome="non_match"} 1.0' in text
    assert 'kiosk_recognition_seconds_sum{engine="on-device"} 0.002' in text
    assert tally.by_engine == {"tencent-iai": 1, "on-device": 1}
    assert tally.errors == {"cloud_busy": 1}


def counted(captured: int) -> Examined:
    return Examined(1.0, captured, 0, captured, 0, (), {})


def test_a_new_eye_counts_from_nought_however_far_the_one_before_came(tally: Tally) -> None:
    tally.eye_started("front", 0.0, 0)
    tally.frame("front", counted(10))
    tally.eye_started("front", 1.0, 1)
    tally.frame("front", counted(30))
    assert tally.frames["captured"] == 40
    assert tally.totals["eye_restarts"] == 1


def test_no_count_runs_backwards_whatever_an_eye_says(tally: Tally) -> None:
    tally.frame("front", Examined(1.0, 50, 7, 10, 0, (), {}))
    tally.frame("front", Examined(1.1, 30, 9, 11, 0, (), {}))
    assert (tally.frames["captured"], tally.frames["dropped"], tally.frames["examined"]) == (50, 9, 11)


def test_restarts_of_all_cameras_add_up(tally: Tally) -> None:
    for camera in ("front", "back"):
        tally.eye_started(camera, 0.0, 0)
        tally.eye_started(camera, 1.0, 1)
    assert tally.totals["eye_restarts"] == 2
