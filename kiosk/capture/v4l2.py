"""A Video4Linux camera: its format agreed, its controls set, and what came of both told."""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2

from kiosk.capture.devices import chosen, devices, told
from kiosk.capture.opencv import LiveCamera
from kiosk.errors import CameraError
from kiosk.settings import CameraSettings

_USER, _CAMERA = 0x00980900, 0x009A0900
_SET_CONTROL, _LIST_FORMATS, _LIST_SIZES = 0xC008561C, 0xC0405602, 0xC02C564A
_CAPTURE, _DISCRETE = 1, 1
_POWER_LINE = {"off": 0, "50": 1, "60": 2, "auto": 3}


class Control(NamedTuple):
    """One control and its raw value; numbers and units are those of linux/v4l2-controls.h."""

    name: str
    number: int
    value: int


class Format(NamedTuple):
    """A pixel format's four letters and the sizes in pixels it comes in; none listed where any within bounds will do."""

    code: str
    sizes: tuple[tuple[int, int], ...]


def controls(settings: CameraSettings) -> list[Control]:
    """What to set, in this order: what is set by hand needs its automatic turned off first."""
    wanted = []
    if settings.exposure_ms is not None:
        wanted += [Control("exposure_auto", _CAMERA + 1, 1), Control("exposure", _CAMERA + 2, round(settings.exposure_ms * 10))]
    if settings.gain is not None:
        wanted += [Control("gain_auto", _USER + 18, 0), Control("gain", _USER + 19, settings.gain)]
    if settings.focus is not None:
        wanted += [Control("focus_auto", _CAMERA + 12, 0), Control("focus", _CAMERA + 10, settings.focus)]
    if settings.white_balance is not None:
        wanted += [Control("white_balance_auto", _USER + 12, 0), Control("white_balance", _USER + 26, settings.white_balance)]
    if settings.power_line != "unchanged":
        wanted.append(Control("power_line", _USER + 24, _POWER_LINE[settings.power_line]))
    return wanted


def open_v4l2(name: str, wanted: str, settings: CameraSettings) -> LiveCamera:
    """Opens a device, `serial=…` or `path=…`, and asks for format, size, rate and controls of the settings.

    What it gives instead, and which controls it refuses, stands in the camera's `notes`.
    Raises CameraError `camera_missing` naming the devices that are there.
    """
    node = chosen(wanted, devices())
    if not Path(node).exists():
        raise CameraError("camera_missing", f"{node} does not exist; cameras here: {told(devices())}")
    if not os.access(node, os.R_OK | os.W_OK):
        raise CameraError("camera_missing", f"{node} may not be opened by this user; add it to the group `video`")
    refused = [f"the camera has no control for {control}" for control in _set_controls(node, controls(settings))]
    capture = cv2.VideoCapture(node, cv2.CAP_V4L2)
    if not capture.isOpened():
        raise CameraError("camera_missing", f"{node} is no camera or is in use; `kiosk camera list` lists the cameras")
    code = "YUYV" if settings.pixels == "yuyv" else "MJPG"
    capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*code))
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, settings.width)
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, settings.height)
    capture.set(cv2.CAP_PROP_FPS, settings.fps)
    camera = LiveCamera(name, wanted if wanted == node else f"{wanted} ({node})", capture)
    came = code_of(int(capture.get(cv2.CAP_PROP_FOURCC)))
    camera.notes = (*agreed(settings, came, camera.width, camera.height, camera.fps), *refused)
    return camera


def agreed(settings: CameraSettings, came: str, width: int, height: int, fps: float) -> Iterator[str]:
    """One line: what was asked of the camera and what it gives."""
    asked = settings.pixels.upper() if settings.pixels != "auto" else "MJPG or what there is"
    yield f"asked for {asked} {settings.width}×{settings.height} at {settings.fps:g}; got {came} {width}×{height} at {fps:g}"


def formats(node: str) -> list[Format]:
    """What a device offers, as it lists it. Raises OSError where it is no camera or may not be opened."""
    with Path(node).open("rb", buffering=0) as device:
        return list(_formats(lambda number, packed: fcntl.ioctl(device, number, packed)))


def code_of(number: int) -> str:
    """Four letters; empty where the driver does not say."""
    return number.to_bytes(4, "little").decode("ascii", "replace").strip("\0 ") if 0 < number < 1 << 32 else ""


def _formats(ask: Callable[[int, bytearray], object]) -> Iterator[Format]:
    for index in range(64):
        packed = bytearray(struct.pack("<II56x", index, _CAPTURE))
        if not _answers(ask, _LIST_FORMATS, packed):
            return
        (number,) = struct.unpack_from("<I", packed, 44)
        yield Format(code_of(number), tuple(_sizes(ask, number)))


def _sizes(ask: Callable[[int, bytearray], object], number: int) -> Iterator[tuple[int, int]]:
    for index in range(128):
        packed = bytearray(struct.pack("<II36x", index, number))
        if not _answers(ask, _LIST_SIZES, packed):
            return
        kind, width, height = struct.unpack_from("<III", packed, 8)
        if kind != _DISCRETE:
            return
        yield width, height


def _answers(ask: Callable[[int, bytearray], object], number: int, packed: bytearray) -> bool:
    try:
        ask(number, packed)
    except OSError:
        return False
    return True


def _set_controls(node: str, wanted: list[Control]) -> Iterator[str]:
    """The names of those that were refused. Automatics that a camera lacks are not missed."""
    if not wanted:
        return
    with Path(node).open("r+b", buffering=0) as device:
        for control in wanted:
            packed = bytearray(struct.pack("<Ii", control.number, control.value))
            taken = _answers(lambda number, value: fcntl.ioctl(device, number, value), _SET_CONTROL, packed)
            if not taken and not control.name.endswith("_auto"):
                yield f"{control.name} {control.value}"
