"""Whether the daemon completes its work, and what systemd is told of it."""

from __future__ import annotations

import os

import sdnotify


class Heartbeat:
    """Stages stamp completed work; idle with nothing pending is healthy. Event loop only; times are monotonic seconds."""

    def __init__(self) -> None:
        self._bounds: dict[str, float] = {}
        self._since: dict[str, float] = {}

    def register(self, stage: str, bound: float) -> None:
        """From now on work of `stage` that is pending for more than `bound` seconds makes it stale."""
        self._bounds[stage] = bound

    def pending(self, stage: str, since: float) -> None:
        """Work has come in; the oldest that is not completed counts."""
        self._since.setdefault(stage, since)

    def completed(self, stage: str) -> None:
        """All work that was pending is done."""
        self._since.pop(stage, None)

    def stale(self, now: float) -> list[str]:
        """The stages that have not completed their work within their bound, in order of registration."""
        return [stage for stage, bound in self._bounds.items() if now - self._since.get(stage, now) > bound]


class Notifier:
    """systemd's notify protocol; does nothing where no NOTIFY_SOCKET is set."""

    def __init__(self) -> None:
        # The library leaves a socket open where there is nobody to talk to.
        self._systemd = sdnotify.SystemdNotifier() if os.environ.get("NOTIFY_SOCKET") else None
        if self._systemd is not None and self._systemd.socket is not None:
            # A manager that does not read must not stall the loop; what it misses the next beat says again.
            self._systemd.socket.setblocking(False)
        # Half of the bound, as sd_watchdog_enabled(3) advises.
        self._every = int(os.environ.get("WATCHDOG_USEC", "0")) / 2_000_000
        self._fed_at = float("-inf")
        self._status = ""

    def close(self) -> None:
        if self._systemd is not None and self._systemd.socket is not None:
            self._systemd.socket.close()
        self._systemd = None

    def ready(self) -> None:
        self._tell("READY=1")

    def stopping(self) -> None:
        self._tell("STOPPING=1")

    def status(self, sentence: str) -> None:
        """Sent only when it changes."""
        if sentence != self._status:
            self._status = sentence
            self._tell(f"STATUS={sentence}")

    def web(self, address: str) -> None:
        """Where the web listens, as a variable of our own: systemd ignores names that begin with X_."""
        self._tell(f"X_KIOSK_WEB={address}")

    def beat(self, now: float, *, healthy: bool) -> None:
        """Feeds the watchdog when it is due; never while something is stale."""
        if healthy and self._every and now - self._fed_at >= self._every:
            self._fed_at = now
            self._tell("WATCHDOG=1")

    def _tell(self, message: str) -> None:
        if self._systemd is not None:
            self._systemd.notify(message)
