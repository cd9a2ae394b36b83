"""What hangs on one door: its lock and further outputs, its contacts and buttons, its lamps and buzzer."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from kiosk.access.events import RELAY, Part, Pattern
from kiosk.errors import HardwareError
from kiosk.hardware.inputs import open_input
from kiosk.hardware.outputs import open_output
from kiosk.hardware.relay import open_relay
from kiosk.hardware.signals import Signals
from kiosk.ports import Input, Relay
from kiosk.settings import PortalSettings
from kiosk.settings.portal import SIGNALS

OnReleased = Callable[[float], None]
OnLost = Callable[[float, str], None]
OnSensed = Callable[[float, Part, bool | None], None]


class Fittings:
    """Event loop only. `on_released` hears when all outputs are safe again, `on_lost` of a lock that does not answer any more,
    `on_sensed` of each input as it changes, None once its line is lost.
    """

    def __init__(
        self, settings: PortalSettings, state_dir: Path, on_released: OnReleased, on_lost: OnLost, on_sensed: OnSensed
    ) -> None:
        self._state_dir = state_dir
        self._on_released, self._on_lost, self._on_sensed = on_released, on_lost, on_sensed
        self._urls = {RELAY: settings.relay} | {k: url for k, url in settings.outputs.items() if k not in SIGNALS}
        self._signal_urls = {name: url for name, url in settings.outputs.items() if name in SIGNALS}
        parts: dict[Part, str] = {
            "contact": settings.contact,
            "request_to_exit": settings.request_to_exit,
            "tamper": settings.tamper,
            "fire": settings.fire,
        }
        self._input_urls = {part: url for part, url in parts.items() if url}
        self._relays: dict[str, Relay] = {}
        self._energised: set[str] = set()
        self._inputs: dict[Part, Input] = {}
        self._signals: Signals | None = None

    @property
    def has_lock(self) -> bool:
        return bool(self._relays)

    async def open_lock(self) -> None:
        """All outputs in their safe state. Raises HardwareError, then none is held."""
        try:
            for name, url in self._urls.items():
                self._relays[name] = await open_relay(url, self._state_dir, self._released(name), self._on_lost)
        except HardwareError:
            await self.close_lock()
            raise

    async def open_rest(self, on_error: Callable[[HardwareError], None]) -> None:
        """Inputs, each told once with what it says now, and signals; `on_error` hears of lamps that fail later.

        Raises HardwareError, then nothing is held.
        """
        try:
            self._signals = Signals({k: await open_output(u, self._state_dir) for k, u in self._signal_urls.items()}, on_error)
            await self.mend()
        except HardwareError:
            await self.close()
            raise

    async def mend(self) -> None:
        """Opens the inputs that are lost. Raises HardwareError where one cannot be had."""
        for part, url in self._input_urls.items():
            if part not in self._inputs:
                opened = await open_input(url, self._state_dir, self._changed(part), self._gone(part))
                self._inputs[part] = opened
                self._on_sensed(time.monotonic(), part, opened.active)

    @property
    def whole(self) -> bool:
        return self._inputs.keys() == self._input_urls.keys()

    async def pulse(self, seconds: float, outputs: tuple[str, ...]) -> float:
        """When the last one was energised, monotonic seconds. Raises HardwareError as ports.Relay.pulse."""
        self._energised.update(outputs)
        return max([await self._relays[name].pulse(seconds) for name in outputs])

    async def hold(self, outputs: tuple[str, ...]) -> float:
        """See `pulse`. Raises HardwareError as ports.Relay.hold."""
        self._energised.update(outputs)
        return max([await self._relays[name].hold() for name in outputs])

    async def release(self) -> None:
        """Raises HardwareError `relay_lost`."""
        for relay in self._relays.values():
            await relay.release()

    def show(self, pattern: Pattern) -> None:
        if self._signals is not None:
            self._signals.show(pattern)

    async def close_lock(self) -> None:
        """Everything safe and given back."""
        self._energised.clear()
        while self._relays:
            _, relay = self._relays.popitem()
            await relay.close()

    async def close(self) -> None:
        await self.close_lock()
        while self._inputs:
            _, opened = self._inputs.popitem()
            await opened.close()
        if self._signals is not None:
            await self._signals.close()
            self._signals = None

    def _released(self, name: str) -> OnLost:
        def released(at: float, _why: str) -> None:
            was_energised = bool(self._energised)
            self._energised.discard(name)
            if was_energised and not self._energised:
                self._on_released(at)

        return released

    def _changed(self, part: Part) -> Callable[[float, bool], None]:
        return lambda at, active: self._on_sensed(at, part, active)

    def _gone(self, part: Part) -> OnLost:
        def gone(at: float, _slug: str) -> None:
            self._inputs.pop(part, None)
            self._on_sensed(at, part, None)

        return gone
