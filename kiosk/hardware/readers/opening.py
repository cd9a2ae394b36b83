"""Opens a reader by its URL."""

from __future__ import annotations

from pathlib import Path

from kiosk.errors import ConfigurationError
from kiosk.hardware.readers.reader import OnFault, OnValue, Reader


async def open_reader(url: str, state_dir: Path, on_value: OnValue, on_fault: OnFault) -> Reader:
    """`evdev:PATH`, `wiegand:CHIP/D0/D1`, `osdp:PORT` or `sim:NAME`, with options after a `?`. See Reader.

    Raises HardwareError `reader_missing` where the device is not there or may not be used, ConfigurationError
    `extra_missing` where its library is not installed, `configuration_invalid` for a URL that makes no sense.
    """
    scheme = url.partition(":")[0]
    try:
        match scheme:
            case "sim":
                from kiosk.hardware.readers.simulated import SimulatedReader  # noqa: PLC0415 (each is loaded where it is used)

                return SimulatedReader(url, state_dir, on_value, on_fault)
            case "wiegand":
                from kiosk.hardware.readers.wiegand import WiegandReader  # noqa: PLC0415

                return WiegandReader(url, on_value, on_fault)
            case "evdev":
                from kiosk.hardware.readers.hid import HidReader  # noqa: PLC0415

                return HidReader(url, on_value, on_fault)
            case "osdp":
                from kiosk.hardware.readers.osdp import OsdpReader  # noqa: PLC0415

                return await OsdpReader.open(url, state_dir, on_value, on_fault)
    except ModuleNotFoundError as error:
        extra = {"evdev": "hid", "osdp": "osdp"}.get(scheme, "")
        if not extra or (error.name or "").partition(".")[0] not in {"evdev", "osdp", "osdp_sys"}:
            raise
        raise ConfigurationError("extra_missing", f"{url} needs it: install kiosk[{extra}]") from error
    raise ConfigurationError("configuration_invalid", f"{url}: no such kind of reader")
