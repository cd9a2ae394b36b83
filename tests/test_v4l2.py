"""Video4Linux cameras: which device is meant, what is asked of it, and – in a kernel with `vivid` – what it does."""

from __future__ import annotations

import fcntl
import struct
from pathlib import Path

import pytest
from pydantic import ValidationError

from kiosk.capture import v4l2
from kiosk.capture.devices import Device, chosen, devices, told
from kiosk.capture.source import open_source
from kiosk.capture.v4l2 import Format, agreed, code_of, controls
from kiosk.errors import CameraError
from kiosk.eye import messages
from kiosk.settings import CameraSettings
from tests.eye_stage import Watch

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


VIVID = next((device for device in devices() if device.bus.startswith("vivid.")), None)


@pytest.mark.v4l2
@pytest.mark.skipif(VIVID is None, reason="no virtual camera in this kernel; scripts/uml runs these tests in one that has it")
class TestVirtualCamera:
    """The kernel's own `vivid`: real device nodes, formats, controls, and a cable that can be pulled."""

    DRIVER = Path("/sys/bus/platform/drivers/vivid")

    def test_it_is_listed_with_its_formats(self) -> None:
        assert VIVID is not None
        assert VIVID.part == 0
        offered = {one.code: one.sizes for one in v4l2.formats(VIVID.node)}
        assert (1280, 720) in offered["YUYV"]

    def test_it_plays_in_the_size_asked_for_and_says_what_came(self) -> None:
        source = open_source("front", CameraSettings(url="v4l2:path=vivid.0", pixels="yuyv", width=640, height=360))
        shown = [source.read() for _ in range(5)]
        source.close()
        assert shown[-1].image.shape == (360, 640, 3)
        assert [frame.sequence for frame in shown] == list(range(5))
        assert source.notes[0].startswith("asked for YUYV 640×360 at 15; got YUYV 640×360 at ")

    def test_a_format_it_does_not_have_is_told(self) -> None:
        source = open_source("front", CameraSettings(url="v4l2:path=vivid.0", pixels="mjpg"))
        source.read()
        source.close()
        assert source.notes[0].startswith("asked for MJPG 1280×720 at 15; got ")
        assert "got MJPG" not in source.notes[0]

    def test_controls_are_set_and_those_it_lacks_are_told(self) -> None:
        assert VIVID is not None
        source = open_source("front", CameraSettings(url=f"v4l2:{VIVID.node}", gain=37, focus=10))
        source.close()
        assert source.notes[1:] == ("the camera has no control for focus 10",)
        packed = bytearray(struct.pack("<Ii", 0x00980913, 0))
        with Path(VIVID.node).open("rb", buffering=0) as device:
            fcntl.ioctl(device, 0xC008561B, packed)
        assert struct.unpack_from("<i", packed, 4) == (37,)

    async def test_a_pulled_cable_is_seen_and_a_fresh_eye_watches_when_it_is_back(self, models_dir: Path) -> None:
        watch = Watch(models_dir, url="v4l2:path=vivid.0")
        async with watch.running() as supervisor:
            await watch.until(messages.Started, within=120)
            examined = await watch.until(messages.Examined)
            assert examined.unsound is None
            first = supervisor.pid
            (self.DRIVER / "unbind").write_text("vivid.0")
            try:
                assert (await watch.loss(within=5))[0] in {"camera_lost", "eye_wedged"}
                assert (await watch.loss())[0] == "camera_missing"
            finally:
                (self.DRIVER / "bind").write_text("vivid.0")
            await watch.until(messages.Started, within=120)
            assert supervisor.pid not in {None, first}
            await watch.until(messages.Examined)
