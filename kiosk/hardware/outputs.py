"""Lamps and buzzers: held by the daemon itself, since they guard nothing.

When the daemon ends they are turned off. When it is killed the kernel gives the line back, which on some boards leaves it as
it was, until the service's `ExecStopPost` or the next start turns it off.
"""

from __future__ import annotations

from pathlib import Path

from kiosk.errors import HardwareError
from kiosk.hardware import keeper
from kiosk.hardware.relay import state_file
from kiosk.ports import Output
from kiosk.settings.lines import LineAddress, parse


async def open_output(url: str, state_dir: Path) -> Output:
    """Inactive on return. Raises HardwareError `line_missing`, `line_busy`, `line_forbidden`, `line_unsupported`."""
    try:
        address = parse(url, "output")
    except ValueError as error:
        raise HardwareError("line_missing", str(error)) from error
    if address.scheme == "sim":
        return SimulatedOutput(address, state_dir)
    from kiosk.hardware.lines import GpiodOutput  # noqa: PLC0415 (boxes without lines do not load the library)

    return GpiodOutput(address)


class SimulatedOutput:
    """A ports.Output, seen with relay.read_state as a relay is."""

    def __init__(self, address: LineAddress, state_dir: Path) -> None:
        file = state_file(state_dir, address.line)
        file.parent.mkdir(parents=True, exist_ok=True)
        lock = file.with_suffix(".lock").open("ab")
        try:
            keeper.claim(lock)
        except OSError as error:
            lock.close()
            raise HardwareError("line_busy", f"{address.url} is open already, or another line has its name") from error
        self._line = keeper.SimulatedLine(file, lock)

    def set(self, active: bool) -> None:
        """See ports.Output."""
        self._line.set(active, "set")

    async def close(self) -> None:
        """See ports.Output."""
        self._line.close()
