"""Which endpoint to ask, and whether to ask at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kiosk.errors import RecogniserError, Throttled
from kiosk.ports import Clock
from kiosk.recognition.tencent.breaker import Breaker
from kiosk.recognition.tencent.events import Circuit, Watch
from kiosk.recognition.tencent.transport import Transport

ACCOUNT_REFUSED = frozenset({"account_rejected", "account_in_arrears", "service_inactive"})
"""Refusals that every further call would meet too, whatever it asks and wherever."""


FAIR_CHANCE = 1.0
"""Seconds an endpoint must have had before its silence counts against it: a caller's short deadline is not its fault."""


class Guard:
    """A breaker and the error that opened it, which whoever comes while it is open is given again."""

    def __init__(self, name: str, watch: Watch) -> None:
        self.name = name
        self.breaker = Breaker()
        self._watch = watch
        self._cause: RecogniserError | None = None

    def succeeded(self) -> None:
        if self.breaker.succeeded():
            self._watch(Circuit(self.name, 0.0))

    def failed(self, cause: RecogniserError, now: float) -> None:
        self._cause = cause
        if self.breaker.failed(now):
            self._watch(Circuit(self.name, self.breaker.pause(now)))

    def reachable(self) -> None:
        """Something there answers again; that mends nothing but having been out of reach."""
        if self._cause is not None and self._cause.slug == "cloud_unreachable":
            self.succeeded()

    def refusal(self, now: float) -> RecogniserError:
        assert self._cause is not None, "only a failure opens a circuit"
        cause = self._cause
        detail = f"not asked again for {self.breaker.pause(now):.1f} s after: {cause.detail}"
        return type(cause)(cause.slug, detail, code=cause.code)


class Line(Guard):
    """An endpoint with its circuit."""

    def __init__(self, transport: Transport, watch: Watch) -> None:
        super().__init__(transport.host, watch)
        self.transport = transport


class Lines:
    """An account's endpoints in order of preference, a circuit for each, and one for the account itself."""

    def __init__(self, endpoints: Sequence[Transport], watch: Watch, clock: Clock) -> None:
        self._lines = [Line(transport, watch) for transport in endpoints]
        self._account = Guard("account", watch)
        self._clock = clock

    def __iter__(self) -> Iterator[Line]:
        return iter(self._lines)

    def choose(self, failed: Sequence[Line]) -> Line:
        """The first that may be asked, if there is one among those that have not `failed` this call.

        Raises the error that opened the circuit where none may.
        """
        now = self._clock()
        if not self._account.breaker.allows(now):
            raise self._account.refusal(now)
        for line in sorted(self._lines, key=failed.count):
            if line.breaker.allows(now):
                return line
        raise self._lines[0].refusal(now)

    def has_other(self, line: Line) -> bool:
        """Whether another could be asked if this one fails."""
        now = self._clock()
        return any(other is not line and other.breaker.state(now) == "closed" for other in self._lines)

    def report(self, line: Line, error: RecogniserError | None, seconds: float) -> None:
        """How a request over `line` ended, and after how long. Who gives a code of the vendor's is there, whatever it says."""
        now = self._clock()
        if error is not None and not error.code and not isinstance(error, Throttled):
            if error.slug != "deadline_exceeded" or seconds >= FAIR_CHANCE:
                line.failed(error, now)
            return
        line.succeeded()
        if error is not None and error.slug in ACCOUNT_REFUSED:
            self._account.failed(error, now)
        else:
            self._account.succeeded()
