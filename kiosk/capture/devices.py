"""The Video4Linux devices of this box, and which of them a setting means: numbers change, serials and sockets do not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from kiosk.errors import CameraError

SYSTEM = Path("/sys/class/video4linux")


class Device(NamedTuple):
    """`bus`: the socket it is plugged into, such as USB's `1-1.2`, or the part of the board; `serial`: empty where it has none.

    `part`: 0 is the node that gives pictures, the others of the same camera carry other data.
    """

    node: str
    name: str
    bus: str
    serial: str
    part: int


def devices(system: Path = SYSTEM) -> list[Device]:
    """Every device the kernel knows, by number; `system` is its folder of them."""
    entries = sorted(system.glob("video*"), key=lambda entry: (len(entry.name), entry.name))
    return [_device(entry) for entry in entries]


def chosen(wanted: str, there: Sequence[Device]) -> str:
    """The node of the device that `wanted` means: a path, `serial=…` or `path=…` (a device's bus).

    Raises CameraError `camera_missing` where none is meant, or more than one.
    """
    key, equals, value = wanted.partition("=")
    if key not in {"serial", "path"} or not equals:
        return wanted
    meant = [device for device in there if (device.serial if key == "serial" else device.bus) == value and value]
    cameras = {device.bus for device in meant}
    if len(cameras) == 1:
        return min(meant, key=lambda device: device.part).node
    if cameras:
        raise CameraError("camera_missing", f"{wanted} is said by the cameras on {', '.join(sorted(cameras))}; name one by path=")
    raise CameraError("camera_missing", f"no camera has {wanted}; cameras here: {told(there)}")


def told(there: Sequence[Device]) -> str:
    """The cameras in one line."""
    lines = [
        f"{device.node} ({device.name}, path={device.bus}{f', serial={device.serial}' if device.serial else ''})"
        for device in there
        if device.part == 0
    ]
    return ", ".join(lines) or "none; plug a camera in"


def _device(entry: Path) -> Device:
    holder = (entry / "device").resolve()
    # A USB camera's node hangs on an interface, `1-1.2:1.0`; socket and serial are the device's above it.
    if ":" in holder.name and (holder.parent / "idVendor").is_file():
        holder = holder.parent
    return Device(
        node=f"/dev/{entry.name}",
        name=_text(entry / "name"),
        bus=holder.name,
        serial=_text(holder / "serial"),
        part=int(_text(entry / "index") or 0),
    )


def _text(file: Path) -> str:
    """A line of the kernel's; empty where there is none, as in the moment a device goes."""
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
