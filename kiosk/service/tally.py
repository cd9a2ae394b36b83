"""What the daemon counts and tells: metrics, the observers' feed, health and the log, in one place."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping

import structlog

from kiosk import slugs
from kiosk.errors import KioskError
from kiosk.eye import messages
from kiosk.heartbeat import Heartbeat
from kiosk.metrics import Metrics
from kiosk.recognition.strategy import DEVICE, Opinion
from kiosk.recognition.tencent import events
from kiosk.settings import Settings
from kiosk.web.feed import Feed

_log = structlog.get_logger()


class Tally:
    """Event loop only. Nothing here decides anything."""

    def __init__(self, settings: Settings, metrics: Metrics, heartbeat: Heartbeat) -> None:
        self._language = settings.site.language
        self.metrics = metrics
        self.heartbeat = heartbeat
        self.feed = Feed(metrics.observer_dropped)
        self.totals: Counter[str] = Counter()
        self.by_reason: Counter[str] = Counter()
        self.by_engine: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        """Of the cloud's interfaces by name, retries included, and of the device as `on-device identify` and the like."""
        self.errors: Counter[str] = Counter()
        self.frames: Counter[str] = Counter()
        self._counted: dict[str, dict[str, int]] = {}

    def cloud(self, event: events.CallEvent) -> None:
        """What the calls to the cloud tell (events.Watch)."""
        match event:
            case events.Asked(interface, _, outcome, seconds, stages):
                self.totals["cloud_calls"] += 1
                self.calls[interface] += 1
                self.metrics.cloud_request(interface, outcome, seconds, stages)
            case events.Repeated(interface, slug, code, pause):
                self.metrics.cloud_retry(interface, slug)
                _log.info("cloud_retry", interface=interface, slug=slug, code=code, pause=round(pause, 3))
            case events.SkewLearnt(seconds):
                self.metrics.clock_skew(seconds)
                _log.warning("clock_skew_learnt", seconds=round(seconds))
            case events.Slowed(group, rate):
                _log.warning("cloud_slowed_down", group=group, rate=rate)
            case events.Circuit(name, seconds):
                self.metrics.circuit(name, is_open=bool(seconds))
                _log.warning("cloud_circuit", name=name, state="open" if seconds else "closed", seconds=round(seconds, 1))
            case events.Retiring(interface, message):
                self.alarm(interface, "interface_retired")
                _log.error("interface_retired", interface=interface, message=message)

    def opinion(self, opinion: Opinion) -> None:
        """One engine was asked about one probe."""
        self.by_engine[opinion.engine] += 1
        if opinion.engine == DEVICE:
            self.calls[f"{DEVICE} {'verify' if opinion.asked == 'verify' else 'identify'}"] += 1
        outcome = opinion.error.slug if opinion.error else str(type(opinion.verdict).__struct_config__.tag)
        self.metrics.recognition(opinion.engine, outcome, opinion.seconds)
        if opinion.error:
            self.error(opinion.error)

    def error(self, error: KioskError) -> None:
        self.errors[error.slug] += 1
        self.metrics.error(error.slug)
        self.publish("error", slug=error.slug)
        _log.warning("error", slug=error.slug, detail=error.detail, meaning=slugs.to_operator(error.slug, self._language))

    def alarm(self, where: str, slug: str, *, silent: bool = False) -> None:
        """`where`: the portal, the camera, or the cloud's interface. `silent`: no screen may show it."""
        self.errors[slug] += 1
        self.metrics.error(slug)
        self.publish("silent_alarm" if silent else "alarm", where=where, slug=slug)
        _log.error("alarm", where=where, slug=slug, meaning=slugs.to_operator(slug, self._language))

    def rules(self, outcome: str, *, old: str, new: str, error: KioskError | None) -> None:
        """Rules were read again. What is wrong with them may name people, so it stands in the journal only."""
        self.metrics.rules(outcome)
        slug = error.slug if error else ""
        self.publish("rules", outcome=outcome, old=old, new=new, slug=slug)
        if error is None:
            _log.info("rules", outcome=outcome, old=old, new=new)
            return
        mistakes = max(1, len(error.detail.splitlines()))
        _log.error("rules", outcome=outcome, slug=slug, mistakes=mistakes, kept=old, hint="`kiosk rules check` names them")

    def presentation_began(self, camera: str, presentation: int, at: float) -> None:
        self.metrics.presentation(camera)
        self.publish("presentation_began", camera=camera, presentation=presentation, at=at)

    def told(self, presentation: int, slug: str) -> None:
        self.metrics.gate_fired(slug)
        self.publish("told", presentation=presentation, slug=slug, sentence=slugs.to_person(slug, self._language))

    def presentation_finished(self, portal: str, summary: Mapping[str, object]) -> None:
        outcome, reason = str(summary["outcome"]), str(summary["reason"])
        self.totals["presentations"] += 1
        self.totals["grants" if outcome == "granted" else "denials"] += 1
        if outcome != "granted":
            self.by_reason[reason] += 1
        self.metrics.decision(portal, outcome, reason)
        sentence = slugs.to_person(reason, self._language)
        self.publish("presentation", portal=portal, time=time.strftime("%H:%M:%S"), sentence=sentence, **summary)
        told = {key: value for key, value in summary.items() if key not in {"person", "began_at"} and value is not None}
        _log.info("presentation", portal=portal, **told)

    def portal(self, portal: str, state: str, mode: str) -> None:
        """The portal has come to another state or mode."""
        self.metrics.portal(portal, state, mode)
        self.publish("portal", portal=portal, state=state, mode=mode)

    def relay(self, portal: str, *, energised: bool, at: float) -> None:
        self.metrics.relay(portal, energised=energised)
        self.totals["relay_pulses"] += energised
        self.publish("relay", portal=portal, energised=energised, at=at)

    def eye_started(self, camera: str, opened_at: float, restarts: int) -> None:
        """`restarts`: of this camera's eye. Each life counts its frames from nought."""
        self.metrics.eye(camera, up=True)
        self._counted.pop(camera, None)
        self.totals["eye_restarts"] += restarts > 0
        self.publish("eye_started", camera=camera, opened_at=opened_at, at=time.monotonic())

    def eye_lost(self, camera: str, slug: str, at: float) -> None:
        self.metrics.eye(camera, up=False)
        self.metrics.eye_lost(camera, slug)
        self.publish("eye_lost", camera=camera, slug=slug, at=at)

    def camera_unsound(self, camera: str, slug: str) -> None:
        self.metrics.camera_sound(camera, sound=False)
        self.metrics.camera_unsound(camera, slug)
        self.alarm(camera, slug)

    def clock(self, *, trusted: bool, jumped: bool) -> None:
        """Whether the time of day is believed has changed; `jumped`: because somebody set it."""
        self.metrics.clock(trusted=trusted)
        self.publish("clock", trusted=trusted, jumped=jumped)
        if trusted:
            _log.info("clock_trusted")
        else:
            _log.warning("time_untrusted", jumped=jumped)

    def camera_sound(self, camera: str) -> None:
        self.metrics.camera_sound(camera, sound=True)
        self.publish("camera_sound", camera=camera)
        _log.info("camera_sound", camera=camera)

    def credential(self, portal: str, kind: str, slug: str) -> None:
        """Something was presented; its value is no business of anybody here."""
        self.metrics.credential(portal, kind, slug)
        self.publish("credential", portal=portal, kind=kind, slug=slug, sentence=slugs.to_person(slug, self._language))
        _log.info("credential", portal=portal, kind=kind, slug=slug)

    def reader(self, portal: str, reader: str, slug: str, *, up: bool, often: bool) -> None:
        """A reader is there (empty `slug`), gave nonsense, or is gone; what comes `often` is only counted."""
        self.metrics.reader(portal, reader, up=up)
        if often and slug:
            self.metrics.error(slug)
        elif slug:
            self.alarm(portal, slug)
        elif not often:
            self.publish("reader_back", portal=portal, reader=reader)

    def frame(self, camera: str, message: messages.Examined) -> None:
        """An eye counts from its own start. Whatever it says, no counter runs backwards: that would end the daemon."""
        counts = {"captured": message.captured, "dropped": message.dropped, "examined": message.examined}
        before = self._counted.get(camera, {})
        more = {result: max(0, count - before.get(result, 0)) for result, count in counts.items()}
        self._counted[camera] = counts
        self.frames.update(more)
        self.metrics.frame(camera, message.at, more, message.stage_seconds)

    def publish(self, event: str, **fields: object) -> None:
        self.feed.publish({"event": event, **fields})
