"""What is kept of the calls: a log line, the newest in memory, and metrics. Never a face, a name, a key or a signature."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

import msgspec
import structlog
from msgspec import Struct
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

REMEMBERED = 200
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_log = structlog.get_logger()


class Call(Struct, frozen=True):
    """`at`: Unix seconds. `code`: the vendor's, `0` for success, or what became of the answer instead.

    `received`, `sent`: bytes of the bodies; `faults`: the kinds that struck.
    """

    at: float
    interface: str
    code: str
    milliseconds: float
    request_id: str
    received: int
    sent: int
    faults: tuple[str, ...] = ()


class _Within(Struct, frozen=True, rename="pascal"):
    request_id: str = ""


class _Envelope(Struct, frozen=True, rename="pascal"):
    response: _Within = _Within()


_envelope = msgspec.json.Decoder(_Envelope)


def request_id(body: bytes) -> str:
    """Of an answer of the current interfaces; the older ones have none."""
    return _envelope.decode(body).response.request_id


class Records:
    """One registry of its own, no globals. Event loop only."""

    def __init__(self) -> None:
        self._recent: deque[Call] = deque(maxlen=REMEMBERED)
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library leaves this one untyped
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._calls = Counter("kiosk_sandbox_calls_total", "Calls by their outcome.", ["interface", "code"], registry=registry)
        self._seconds = Histogram(
            "kiosk_sandbox_call_seconds", "Time of one call.", ["interface"], buckets=_SECONDS, registry=registry
        )
        self._faults = Counter("kiosk_sandbox_faults_total", "Faults injected, by kind.", ["kind"], registry=registry)

    def watch(self, name: str, meaning: str, count: Callable[[], int]) -> None:
        """A gauge that asks `count` whenever it is read."""
        Gauge(f"kiosk_sandbox_{name}", meaning, registry=self._registry).set_function(count)

    def note(self, call: Call) -> None:
        self._recent.appendleft(call)
        self._calls.labels(call.interface, call.code).inc()
        self._seconds.labels(call.interface).observe(call.milliseconds / 1000)
        for kind in call.faults:
            self._faults.labels(kind).inc()
        _log.info(
            "sandbox_request",
            interface=call.interface,
            code=call.code,
            milliseconds=call.milliseconds,
            request_id=call.request_id,
            received=call.received,
            sent=call.sent,
            **({"faults": call.faults} if call.faults else {}),
        )

    @property
    def recent(self) -> Iterable[Call]:
        """The newest first."""
        return self._recent

    def render(self) -> tuple[bytes, str]:
        """The exposition and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST
