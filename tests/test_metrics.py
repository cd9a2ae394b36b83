"""The exposition, read as Prometheus reads it."""

from __future__ import annotations

import re
import time

from prometheus_client.parser import text_string_to_metric_families

from kiosk.metrics import GATES, Metrics
from kiosk.slugs import ADVICE

UNITS = ("_seconds", "_bytes", "_total", "_info", "_up", "_open", "_state", "_mode", "_energised", "_fds", "_sound", "_trusted")


def filled() -> Metrics:
    metrics = Metrics("1.2.3")
    metrics.decision("door", "denied", "blurred")
    metrics.presentation("front")
    metrics.face_to_relay(0.3)
    metrics.frame("front", 12.0, {"captured": 3, "dropped": 1, "examined": 2}, {"find": 0.004})
    metrics.gate_fired("blurred")
    metrics.gate_fired("good")
    metrics.cloud_request("identify", "0", 0.1, {"connect": 12.0, "wait": 80.0})
    metrics.cloud_retry("identify", "cloud_error")
    metrics.clock_skew(3.0)
    metrics.circuit("recognition.example", is_open=True)
    metrics.eye("front", up=True)
    metrics.eye_lost("front", "eye_wedged")
    metrics.camera_sound("front", sound=False)
    metrics.camera_unsound("front", "camera_dark")
    metrics.relay("door", energised=True)
    metrics.journal_row(0.002)
    metrics.observer_dropped()
    metrics.error("cloud_unreachable")
    return metrics


def samples() -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = filled().render()[0].decode()
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    return found


def test_what_was_counted_is_there() -> None:
    found = samples()
    assert found["kiosk_decisions_total", (("outcome", "denied"), ("portal", "door"), ("reason", "blurred"))] == 1
    assert found["kiosk_frames_total", (("camera", "front"), ("result", "examined"))] == 2
    assert found["kiosk_face_to_relay_seconds_count", ()] == 1
    assert found["kiosk_relay_energised", (("portal", "door"),)] == 1
    assert found["kiosk_build_info", (("version", "1.2.3"),)] == 1


def test_a_gate_that_never_fired_can_be_seen() -> None:
    fired = {dict(labels)["gate"]: value for (name, labels), value in samples().items() if name == "kiosk_gate_fired_total"}
    assert fired == {gate: float(gate == "blurred") for gate in GATES}
    assert set(ADVICE) - set(GATES) == {"good", "looking"}


def test_the_age_of_the_newest_frame_grows_while_none_comes() -> None:
    metrics = Metrics("1.2.3")
    metrics.frame("front", time.monotonic() - 100.0, {}, {})
    old = metrics.registry.get_sample_value("kiosk_frame_age_seconds", {"camera": "front"})
    metrics.frame("front", time.monotonic(), {}, {})
    new = metrics.registry.get_sample_value("kiosk_frame_age_seconds", {"camera": "front"})
    assert old is not None
    assert new is not None
    assert old >= 100.0 > new >= 0.0


def test_names_are_lower_case_and_say_their_base_unit() -> None:
    families = list(text_string_to_metric_families(filled().render()[0].decode()))
    for family in families:
        name = family.name + ("_total" if family.type == "counter" else "")
        assert re.fullmatch(r"(kiosk|process)_[a-z_]+", name), name
        assert name.endswith(UNITS), name
        assert family.documentation


def test_nothing_is_labelled_by_person() -> None:
    labels = {label for _, pairs in samples() for label, _ in pairs}
    places, kinds = (
        {"camera", "portal", "interface", "stage", "endpoint"},
        {"code", "gate", "outcome", "reason", "result", "slug"},
    )
    assert labels == places | kinds | {"le", "version"}
