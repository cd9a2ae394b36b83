"""Video4Linux cameras: which device is meant, what is asked of it, and – in a kernel with `vivid` – what it does."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from pydantic import ValidationError

from kiosk.capture import v4l2
from kiosk.capture.devices import Device, chosen, devices, told
from kiosk.capture.v4l2 import Format, agreed, code_of, controls
from kiosk.errors import CameraError
from kiosk.settings import CameraSettings

FRONT = Device("/dev/video0", "HD Webcam", "1-1.2", "A17F", 0)
META = Device("/dev/video1", "HD Webcam", "1-1.2", "A17F", 1)
BACK = Device("/dev/video2", "HD Webcam", "1-1.3", "B204", 0)
BOARD = Device("/dev/video10", "unicam", "fe801000.csi", "", 0)


class Kernel:
    """A made-up /sys with USB cameras and one on the board."""

    def __init__(self, folder: Path) -> None:
        self.listing = folder / "class" / "video4linux"
        self.listing.mkdir(parents=True)
        self._devices = folder / "devices"

    def plug(self, device: Device) -> None:
        usb = "-" in device.bus
        holder = self._devices / ("usb1/1-1" if usb else "platform/soc") / device.bus
        interface = holder / f"{device.bus}:1.0" if usb else holder
        node = interface / "video4linux" / Path(device.node).name
        node.mkdir(parents=True)
        if usb:
            (holder / "idVendor").write_text("046d\n")
            (holder / "serial").write_text(f"{device.serial}\n")
        (node / "name").write_text(f"{device.name}\n")
        (node / "index").write_text(f"{device.part}\n")
        (node / "device").symlink_to("../..")
        (self.listing / node.name).symlink_to(node)


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    return Kernel(tmp_path)


class TestWhichDevice:
    def test_the_kernels_folder_is_read(self, kernel: Kernel) -> None:
        for device in (BOARD, META, FRONT, BACK):
            kernel.plug(device)
        assert devices(kernel.listing) == [FRONT, META, BACK, BOARD]

    def test_a_box_without_cameras_has_none(self, tmp_path: Path) -> None:
        assert devices(tmp_path / "nowhere") == []
        assert told([]) == "none; plug a camera in"

    @pytest.mark.parametrize(
        ("wanted", "node"),
        [
            ("serial=A17F", "/dev/video0"),
            ("serial=B204", "/dev/video2"),
            ("path=1-1.3", "/dev/video2"),
            ("path=fe801000.csi", "/dev/video10"),
            ("/dev/video7", "/dev/video7"),
            ("/dev/v4l/by-id/usb-HD_Webcam_A17F-video-index0", "/dev/v4l/by-id/usb-HD_Webcam_A17F-video-index0"),
        ],
    )
    def test_serial_and_path_name_the_node_that_gives_pictures(self, wanted: str, node: str) -> None:
        assert chosen(wanted, [META, FRONT, BACK, BOARD]) == node

    def test_it_is_found_again_after_renumbering(self, tmp_path: Path) -> None:
        before, after = Kernel(tmp_path / "before"), Kernel(tmp_path / "after")
        before.plug(FRONT)
        before.plug(BACK)
        after.plug(BACK._replace(node="/dev/video0"))
        after.plug(FRONT._replace(node="/dev/video4"))
        assert chosen("serial=A17F", devices(before.listing)) == "/dev/video0"
        assert chosen("serial=A17F", devices(after.listing)) == "/dev/video4"

    @pytest.mark.parametrize("wanted", ["serial=C000", "path=1-1.4", "serial="])
    def test_a_camera_that_is_not_there_is_named_with_what_is(self, wanted: str) -> None:
        with pytest.raises(CameraError, match=r"camera_missing: .*/dev/video0 \(HD Webcam, path=1-1.2, serial=A17F\)"):
            chosen(wanted, [FRONT, META])

    def test_two_cameras_of_one_serial_are_told_apart_by_path_only(self) -> None:
        twins = [FRONT, BACK._replace(serial="A17F")]
        with pytest.raises(CameraError, match=r"camera_missing: .*1-1\.2, 1-1\.3; name one by path="):
            chosen("serial=A17F", twins)
        assert chosen("path=1-1.3", twins) == "/dev/video2"


class TestWhatIsAsked:
    def test_nothing_is_touched_unless_asked(self) -> None:
        assert controls(CameraSettings()) == []

    def test_automatics_are_turned_off_before_values_are_set(self) -> None:
        settings = CameraSettings(exposure_ms=12.5, gain=8, focus=30, white_balance=4600, power_line="50")
        wanted = {control.name: control.value for control in controls(settings)}
        assert wanted == {
            "exposure_auto": 1,
            "exposure": 125,
            "gain_auto": 0,
            "gain": 8,
            "focus_auto": 0,
            "focus": 30,
            "white_balance_auto": 0,
            "white_balance": 4600,
            "power_line": 1,
        }
        names = list(wanted)
        assert all(names.index(f"{name}_auto") < names.index(name) for name in ("exposure", "gain", "focus", "white_balance"))

    @pytest.mark.parametrize("changes", [{"exposure_ms": 0}, {"white_balance": 100}, {"power_line": "55"}, {"pixels": "h264"}])
    def test_nonsense_is_refused(self, changes: dict[str, object]) -> None:
        with pytest.raises(ValidationError):
            CameraSettings.model_validate(changes)

    def test_what_was_asked_and_what_came_is_one_line(self) -> None:
        lines = list(agreed(CameraSettings(pixels="yuyv"), "MJPG", 640, 480, 30.0))
        assert lines == ["asked for YUYV 1280×720 at 15; got MJPG 640×480 at 30"]

    def test_formats_and_sizes_are_read_as_the_kernel_writes_them(self) -> None:
        offered = {"MJPG": [(1280, 720), (640, 480)], "YUYV": [(640, 480)]}
        codes = list(offered)

        def ask(number: int, packed: bytearray) -> None:
            index = struct.unpack_from("<I", packed)[0]
            if number == v4l2._LIST_FORMATS:
                if index >= len(codes):
                    raise OSError
                packed[44:48] = codes[index].encode()
            else:
                sizes = offered[code_of(struct.unpack_from("<I", packed, 4)[0])]
                if index >= len(sizes):
                    raise OSError
                struct.pack_into("<III", packed, 8, 1, *sizes[index])

        assert list(v4l2._formats(ask)) == [Format(code, tuple(sizes)) for code, sizes in offered.items()]

    @pytest.mark.parametrize(("number", "code"), [(0x47504A4D, "MJPG"), (0, ""), (-1, ""), (0x20203859, "Y8")])
    def test_a_code_is_four_letters(self, number: int, code: str) -> None:
        assert code_of(number) == code
