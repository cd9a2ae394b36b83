"""What Prometheus may read: names by its own practice, base units, and never a person.

`kiosk_gate_fired_total` starts at 0 for every gate, so that one that never fires can be seen.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from kiosk.ports import Stage
from kiosk.slugs import ADVICE

GATES = tuple(slug for slug in ADVICE if slug not in {"good", "looking"})
"""What people can be told to mend; the two left out find no fault."""

_FACE_TO_RELAY = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0)
_STAGE = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.015, 0.03, 0.06, 0.12, 0.25)
_CLOUD = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3.0, 6.0)
_CLOUD_STAGE = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
_ENGINE = (0.001, 0.003, 0.01, 0.03, *_CLOUD[2:])
_COMMIT = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0)


class Metrics:
    """One registry of its own, no globals. Any thread."""

    def __init__(self, version: str) -> None:
        # One more series for each series says nothing that the start time of the process does not.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library leaves this one untyped
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        Gauge("kiosk_build_info", "The running version; always 1.", ["version"], registry=registry).labels(version).set(1)
        self._dropped = Counter("kiosk_observer_events_dropped_total", "Events a slow observer lost.", registry=registry)
        self._clock = Gauge("kiosk_clock_trusted", "1 while the time of day is believed.", registry=registry)
        self._errors = Counter("kiosk_errors_total", "Errors by slug.", ["slug"], registry=registry)
        self._of_the_door(registry)
        self._of_the_eye(registry)
        self._of_recognition(registry)

    def _of_the_door(self, registry: CollectorRegistry) -> None:
        self._decisions = Counter(
            "kiosk_decisions_total", "Presentations by how they ended.", ["portal", "outcome", "reason"], registry=registry
        )
        self._face_to_relay = Histogram(
            "kiosk_face_to_relay_seconds",
            "From a presentation's first usable frame to the energised relay.",
            buckets=_FACE_TO_RELAY,
            registry=registry,
        )
        self._energised = Gauge("kiosk_relay_energised", "1 while the relay is energised.", ["portal"], registry=registry)
        self._states = Enum(
            "kiosk_portal_state",
            "What the portal does now.",
            ["portal"],
            states=["disarmed", "locked", "waiting", "pending", "unlocked", "held"],
            registry=registry,
        )
        self._modes = Enum(
            "kiosk_portal_mode",
            "What rules it now.",
            ["portal"],
            states=["normal", "held_open", "lockdown", "emergency", "fire"],
            registry=registry,
        )
        self._pulses = Counter("kiosk_relay_pulses_total", "Pulses begun.", ["portal"], registry=registry)
        self._credentials = Counter(
            "kiosk_credentials_total",
            "Cards, codes, PINs and claims, by what came of them.",
            ["portal", "kind", "result"],
            registry=registry,
        )
        self._reader_up = Gauge("kiosk_reader_up", "1 while the reader can be read.", ["portal", "reader"], registry=registry)
        self._rows = Counter("kiosk_journal_rows_total", "Rows committed since the start.", registry=registry)
        self._commit = Histogram("kiosk_journal_commit_seconds", "Time to commit a row.", buckets=_COMMIT, registry=registry)

        self._rules = Counter("kiosk_rules_reloads_total", "Times the rules were read again.", ["outcome"], registry=registry)

    def _of_the_eye(self, registry: CollectorRegistry) -> None:
        self._presentations = Counter("kiosk_presentations_total", "People who appeared.", ["camera"], registry=registry)
        self._stages = Histogram(
            "kiosk_stage_seconds", "Work on one frame, by stage.", ["camera", "stage"], buckets=_STAGE, registry=registry
        )
        self._frames = Counter(
            "kiosk_frames_total", "Frames captured, dropped for a newer one, examined.", ["camera", "result"], registry=registry
        )
        self._frame_at: dict[str, float] = {}
        self._frame_age = Gauge(
            "kiosk_frame_age_seconds", "Time since the newest examined frame was captured.", ["camera"], registry=registry
        )
        self._gates = Counter("kiosk_gate_fired_total", "Times people were told to mend something.", ["gate"], registry=registry)
        self._eye_up = Gauge("kiosk_eye_up", "1 while the camera's eye is watching.", ["camera"], registry=registry)
        self._eye_deaths = Counter("kiosk_eye_deaths_total", "Eyes lost, by reason.", ["camera", "reason"], registry=registry)
        self._sound = Gauge("kiosk_camera_sound", "0 while the camera's pictures are refused.", ["camera"], registry=registry)
        self._unsound = Counter(
            "kiosk_camera_unsound_total",
            "Times the camera's pictures were refused, by reason.",
            ["camera", "reason"],
            registry=registry,
        )
        for gate in GATES:
            self._gates.labels(gate)

    def _of_recognition(self, registry: CollectorRegistry) -> None:
        self._recognitions = Counter(
            "kiosk_recognitions_total", "Probes shown to an engine, by its answer.", ["engine", "outcome"], registry=registry
        )
        self._recognition_seconds = Histogram(
            "kiosk_recognition_seconds",
            "Until an engine answered, repeats included.",
            ["engine"],
            buckets=_ENGINE,
            registry=registry,
        )
        self._cloud = Counter("kiosk_cloud_requests_total", "Calls by their outcome.", ["interface", "code"], registry=registry)
        self._cloud_seconds = Histogram(
            "kiosk_cloud_request_seconds", "Time of one call.", ["interface"], buckets=_CLOUD, registry=registry
        )
        self._cloud_stages = Histogram(
            "kiosk_cloud_stage_seconds",
            "Parts of one call: dns, connect, tls, send, wait, receive.",
            ["stage"],
            buckets=_CLOUD_STAGE,
            registry=registry,
        )
        self._cloud_retries = Counter(
            "kiosk_cloud_retries_total", "Calls repeated, and why.", ["interface", "slug"], registry=registry
        )
        self._skew = Gauge("kiosk_clock_skew_seconds", "The cloud's clock minus ours, as last learnt.", registry=registry)
        self._circuits = Gauge(
            "kiosk_cloud_circuit_open", "1 while an endpoint, or the account, is not asked.", ["endpoint"], registry=registry
        )

    def render(self) -> tuple[bytes, str]:
        """The exposition and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST

    def decision(self, portal: str, outcome: str, reason: str) -> None:
        self._decisions.labels(portal, outcome, reason).inc()

    def rules(self, outcome: str) -> None:
        """`outcome`: reloaded, unchanged or refused."""
        self._rules.labels(outcome).inc()

    def presentation(self, camera: str) -> None:
        self._presentations.labels(camera).inc()

    def face_to_relay(self, seconds: float) -> None:
        self._face_to_relay.observe(seconds)

    def frame(self, camera: str, at: float, counts: Mapping[str, int], stage_seconds: Mapping[Stage, float]) -> None:
        """`at`: capture time, monotonic seconds; `counts`: how many more were captured, dropped, examined."""
        if camera not in self._frame_at:
            self._frame_age.labels(camera).set_function(partial(self._age, camera))
        self._frame_at[camera] = at
        for result, count in counts.items():
            self._frames.labels(camera, result).inc(count)
        for stage, seconds in stage_seconds.items():
            self._stages.labels(camera, stage).observe(seconds)

    def _age(self, camera: str) -> float:
        return time.monotonic() - self._frame_at[camera]

    def gate_fired(self, gate: str) -> None:
        """What is no gate does not count: see GATES."""
        if gate in GATES:
            self._gates.labels(gate).inc()

    def recognition(self, engine: str, outcome: str, seconds: float) -> None:
        """`outcome`: the verdict's kind, or the slug of the error there was instead."""
        self._recognitions.labels(engine, outcome).inc()
        self._recognition_seconds.labels(engine).observe(seconds)

    def cloud_request(self, interface: str, code: str, seconds: float, stages: Mapping[str, float]) -> None:
        """`stages`: milliseconds of the call's parts that took place."""
        self._cloud.labels(interface, code).inc()
        self._cloud_seconds.labels(interface).observe(seconds)
        for stage, milliseconds in stages.items():
            self._cloud_stages.labels(stage).observe(milliseconds / 1000)

    def cloud_retry(self, interface: str, slug: str) -> None:
        self._cloud_retries.labels(interface, slug).inc()

    def clock_skew(self, seconds: float) -> None:
        self._skew.set(seconds)

    def circuit(self, endpoint: str, *, is_open: bool) -> None:
        self._circuits.labels(endpoint).set(is_open)

    def eye(self, camera: str, *, up: bool) -> None:
        self._eye_up.labels(camera).set(up)

    def eye_lost(self, camera: str, reason: str) -> None:
        self._eye_deaths.labels(camera, reason).inc()

    def clock(self, *, trusted: bool) -> None:
        self._clock.set(trusted)

    def camera_sound(self, camera: str, *, sound: bool) -> None:
        self._sound.labels(camera).set(sound)

    def camera_unsound(self, camera: str, reason: str) -> None:
        self._unsound.labels(camera, reason).inc()

    def portal(self, portal: str, state: str, mode: str) -> None:
        self._states.labels(portal).state(state)
        self._modes.labels(portal).state(mode)

    def relay(self, portal: str, *, energised: bool) -> None:
        self._energised.labels(portal).set(energised)
        if energised:
            self._pulses.labels(portal).inc()

    def credential(self, portal: str, kind: str, result: str) -> None:
        self._credentials.labels(portal, kind, result).inc()

    def reader(self, portal: str, reader: str, *, up: bool) -> None:
        self._reader_up.labels(portal, reader).set(up)

    def journal_row(self, seconds: float) -> None:
        self._rows.inc()
        self._commit.observe(seconds)

    def observer_dropped(self) -> None:
        self._dropped.inc()

    def error(self, slug: str) -> None:
        self._errors.labels(slug).inc()
