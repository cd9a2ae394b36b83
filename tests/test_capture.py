"""Sources and the newest-frame slot: real files, folders, sockets and threads."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.capture.frame import Image, Pacer
from kiosk.capture.opencv import VideoFile
from kiosk.capture.pictures import Pictures
from kiosk.capture.slot import CaptureThread, NewestSlot
from kiosk.capture.source import Frame, Source, open_source
from kiosk.errors import CameraError
from kiosk.settings import CameraSettings

BLANK: Image = np.zeros((2, 2, 3), np.uint8)


def frame(sequence: int) -> Frame:
    return Frame("front", sequence, float(sequence), BLANK)


def camera(url: str, **settings: object) -> CameraSettings:
    return CameraSettings.model_validate({"url": url, "width": 320, "height": 180, "fps": 30, **settings})


def level(shown: Frame) -> float:
    return float(shown.image.mean())


class TestNewestSlot:
    def test_the_newest_frame_wins_and_the_others_are_counted(self) -> None:
        slot = NewestSlot()
        for sequence in range(5):
            slot.put(frame(sequence))
        taken = slot.take(0)
        assert taken is not None
        assert taken.sequence == 4
        assert (slot.captured, slot.dropped) == (5, 4)

    def test_each_frame_is_taken_once(self) -> None:
        slot = NewestSlot()
        slot.put(frame(1))
        assert slot.take(0) is not None
        assert slot.take(0) is None
        assert slot.dropped == 0

    def test_take_waits_for_a_frame(self) -> None:
        slot = NewestSlot()
        timer = threading.Timer(0.05, slot.put, [frame(7)])
        timer.start()
        taken = slot.take(10)
        timer.join()
        assert taken is not None
        assert taken.sequence == 7

    def test_closing_gives_the_last_frame_and_then_none_at_once(self) -> None:
        slot = NewestSlot()
        slot.put(frame(1))
        slot.close()
        assert slot.take(60) is not None
        assert slot.take(60) is None

    def test_thousands_of_frames_from_a_thread_come_in_order_and_add_up(self) -> None:
        slot = NewestSlot()
        count = 20_000

        def fill() -> None:
            for sequence in range(count):
                slot.put(frame(sequence))
            slot.close()

        thread = threading.Thread(target=fill)
        thread.start()
        seen = []
        while (taken := slot.take(10)) is not None:
            seen.append(taken.sequence)
        thread.join()
        assert seen == sorted(set(seen))
        assert seen[-1] == count - 1
        assert slot.captured == count
        assert len(seen) + slot.dropped == count

    @given(st.lists(st.booleans(), max_size=60))
    def test_captured_is_taken_plus_dropped_plus_waiting(self, puts: list[bool]) -> None:
        slot = NewestSlot()
        taken = waiting = 0
        for number, put in enumerate(puts):
            if put:
                slot.put(frame(number))
                waiting = 1
            else:
                taken += slot.take(0) is not None
                waiting = 0
        assert slot.captured == sum(puts) == taken + slot.dropped + waiting


class Scripted:
    """A source that gives `frames` frames and then fails as told."""

    opened_at, width, height, fps = 0.0, 2, 2, 30.0
    notes = ()

    def __init__(self, frames: int, failure: Exception) -> None:
        self._left = frames
        self._failure = failure
        self.closed = False

    def read(self) -> Frame:
        if self._left == 0:
            raise self._failure
        self._left -= 1
        return frame(self._left)

    def close(self) -> None:
        self.closed = True


class TestCaptureThread:
    def test_a_failing_camera_wakes_the_taker_and_says_why(self) -> None:
        slot = NewestSlot()
        capture = CaptureThread(Scripted(3, CameraError("camera_lost", "unplugged")), slot)
        capture.start()
        while slot.take(10) is not None:
            pass
        assert capture.error is not None
        assert capture.error.slug == "camera_lost"
        assert slot.captured == 3
        capture.stop()

    def test_an_unforeseen_error_wakes_the_taker_and_is_not_hidden(self, monkeypatch: pytest.MonkeyPatch) -> None:
        raised: list[object] = []
        monkeypatch.setattr(threading, "excepthook", lambda args: raised.append(args.exc_value))
        slot = NewestSlot()
        mishap = ZeroDivisionError()
        capture = CaptureThread(Scripted(0, mishap), slot)
        capture.start()
        assert slot.take(10) is None
        assert capture.error is not None
        assert capture.error.slug == "camera_lost"
        capture.stop()
        assert raised == [mishap]

    def test_stop_interrupts_a_source_that_waits_for_its_time(self, pictures: Path) -> None:
        slot = NewestSlot()
        # Due in an hour: only closing can end the wait.
        source = open_source("front", camera(f"dir:{pictures}"), time.monotonic() + 3600)
        capture = CaptureThread(source, slot)
        capture.start()
        assert slot.take(0.05) is None
        assert capture.error is None
        capture.stop()
        assert not capture.alive
        assert capture.error is None

    def test_stop_before_start_closes_the_source(self) -> None:
        source = Scripted(1, CameraError("source_ended"))
        CaptureThread(source, NewestSlot()).stop()
        assert source.closed


class TestPacer:
    def test_it_goes_on_where_it_would_be_now(self) -> None:
        origin = time.monotonic() - 100
        index, due = Pacer(origin, 10).wait()
        assert index >= 1000
        assert due == pytest.approx(origin + index / 10)
        assert due <= time.monotonic()

    def test_frames_come_in_order_and_not_before_they_are_due(self) -> None:
        pacer = Pacer(None, 200)
        numbers = []
        for _ in range(20):
            index, due = pacer.wait()
            assert time.monotonic() >= due - 0.001
            numbers.append(index)
        assert numbers == sorted(set(numbers))

    def test_missed_frames_are_left_out(self) -> None:
        pacer = Pacer(None, 10)
        first, _ = pacer.wait()
        pacer.origin -= 5
        second, _ = pacer.wait()
        assert second >= first + 50

    def test_a_closed_pacer_ends(self) -> None:
        pacer = Pacer(time.monotonic() + 3600, 10)
        pacer.close()
        with pytest.raises(CameraError, match="source_ended"):
            pacer.wait()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Four grey pictures, 50, 100, 150, 200, as wide as the frame is, and a file that is none."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, name in enumerate(("d.png", "c.png", "b.jpg", "a.JPG")):
        cv2.imwrite(str(folder / name), np.full((180, 320, 3), 200 - 50 * number, np.uint8))
    (folder / "readme.txt").write_text("not a picture")
    return folder


class TestFolder:
    @pytest.mark.parametrize(("ago", "grey"), [(0.0, 50), (1.4, 100), (2.4, 150), (3.4, 200), (4.4, 50), (41.4, 100)])
    def test_each_picture_is_shown_for_a_second_by_name_and_again(self, pictures: Path, ago: float, grey: int) -> None:
        origin = time.monotonic() - ago
        source = open_source("front", camera(f"dir:{pictures}"), origin)
        shown = source.read()
        source.close()
        assert isinstance(source, Pictures)
        assert source.opened_at == origin
        assert level(shown) == pytest.approx(grey, abs=1)
        assert shown.captured_at >= origin + ago

    def test_without_loop_it_ends(self, pictures: Path) -> None:
        source = open_source("front", camera(f"dir:{pictures}", loop=False), time.monotonic() - 4.1)
        with pytest.raises(CameraError, match="source_ended"):
            source.read()

    def test_pictures_keep_their_proportions(self, tmp_path: Path) -> None:
        cv2.imwrite(str(tmp_path / "tall.png"), np.full((400, 200, 3), 255, np.uint8))
        image = open_source("front", camera(f"dir:{tmp_path}")).read().image
        assert image.shape == (180, 320, 3)
        assert image[:, 115:205].min() == 255
        assert image[:, :115].max() == image[:, 205:].max() == 0

    def test_an_unreadable_picture_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing more")
        with pytest.raises(CameraError, match=r"source_invalid: .*broken\.jpg"):
            open_source("front", camera(f"dir:{tmp_path}")).read()

    def test_an_empty_folder_says_what_to_put_there(self, tmp_path: Path) -> None:
        with pytest.raises(CameraError, match=r"source_invalid: .*\.jpg"):
            open_source("front", camera(f"dir:{tmp_path}"))

    def test_a_missing_folder_is_missing(self, tmp_path: Path) -> None:
        with pytest.raises(CameraError, match=r"camera_missing: .*no folder"):
            open_source("front", camera(f"dir:{tmp_path / 'nowhere'}"))


RATE = 20.0
LENGTH = 100


@pytest.fixture(scope="module", params=[("clip.avi", "MJPG"), ("clip.mp4", "mp4v")], ids=["avi", "mp4"])
def clip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """100 frames at 20 fps; frame i shows its number in binary, as black and white columns."""
    name, codec = request.param
    path: Path = tmp_path_factory.mktemp("clips") / name
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), RATE, (160, 120))
    assert writer.isOpened()
    for number in range(LENGTH):
        columns = np.array([255 * (number >> bit & 1) for bit in range(8)], np.uint8).repeat(20)
        writer.write(np.ascontiguousarray(np.broadcast_to(columns[None, :, None], (120, 160, 3))))
    writer.release()
    return path


def shown_number(shown: Frame) -> int:
    return sum(int(shown.image[:, 20 * bit : 20 * bit + 20].mean() > 128) << bit for bit in range(8))


def read_to_the_end(source: Source) -> tuple[list[int], CameraError]:
    numbers = []
    try:
        while True:
            numbers.append(shown_number(source.read()))
    except CameraError as end:
        return numbers, end


def due_number(shown: Frame, origin: float) -> int:
    return int((shown.captured_at - origin) * RATE + 1e-3) % LENGTH


class TestVideoFile:
    @pytest.mark.parametrize("ago", [0.0, 1.0, 4.2, 5.0, 7.5, 503.5])
    def test_it_goes_on_where_it_would_be_now(self, clip: Path, ago: float) -> None:
        origin = time.monotonic() - ago
        source = open_source("front", camera(f"file:{clip}"), origin)
        for _ in range(4):
            shown = source.read()
            assert shown.captured_at >= origin + ago
            assert shown_number(shown) == due_number(shown, origin)
        source.close()

    def test_it_tells_its_own_size_and_the_slower_rate(self, clip: Path) -> None:
        source = open_source("front", camera(f"file:{clip}", fps=60))
        assert (source.width, source.height) == (160, 120)
        assert source.fps == pytest.approx(RATE)
        assert open_source("front", camera(f"file:{clip}", fps=5)).fps == 5

    def test_a_slower_pace_shows_every_nth_frame(self, clip: Path) -> None:
        origin = time.monotonic() - 1.0
        source = open_source("front", camera(f"file:{clip}", fps=10), origin)
        numbers = [shown_number(source.read()) for _ in range(3)]
        assert all(number % 2 == 0 for number in numbers)
        assert numbers == sorted(set(numbers))

    @pytest.mark.parametrize("late", [0.5, 3.9])
    def test_late_frames_are_left_out(self, clip: Path, late: float) -> None:
        source = open_source("front", camera(f"file:{clip}"))
        assert isinstance(source, VideoFile)
        source.read()
        source._pacer.origin -= late
        shown = source.read()
        assert shown_number(shown) == due_number(shown, source._pacer.origin)
        assert shown_number(shown) >= late * RATE - 1

    def test_it_starts_again_at_its_end(self, clip: Path) -> None:
        source = open_source("front", camera(f"file:{clip}"), time.monotonic() - 4.8)
        numbers = [shown_number(source.read()) for _ in range(8)]
        assert min(numbers) < 5
        assert max(numbers) > 94

    def test_without_loop_it_ends(self, clip: Path) -> None:
        source = open_source("front", camera(f"file:{clip}", loop=False), time.monotonic() - 4.85)
        numbers, end = read_to_the_end(source)
        assert end.slug == "source_ended"
        assert numbers == sorted(set(numbers))
        assert numbers[0] >= 97

    def test_a_file_that_breaks_off_early_ends_there(self, clip: Path) -> None:
        source = open_source("front", camera(f"file:{clip}", loop=False), time.monotonic() - 5.2)
        assert isinstance(source, VideoFile)
        # As a container would that only guesses its length.
        source._frames = 10 * LENGTH
        with pytest.raises(CameraError, match="source_ended"):
            source.read()
        looped = open_source("front", camera(f"file:{clip}"), time.monotonic() - 5.2)
        assert isinstance(looped, VideoFile)
        looped._frames = 10 * LENGTH
        shown = looped.read()
        assert shown_number(shown) == due_number(shown, looped.opened_at)

    def test_after_close_it_gives_no_frame(self, clip: Path) -> None:
        source = open_source("front", camera(f"file:{clip}"))
        source.close()
        source.close()
        with pytest.raises(CameraError, match="source_ended"):
            source.read()

    def test_a_single_picture_is_shown_in_the_size_asked_for(self, pictures: Path) -> None:
        shown = open_source("front", camera(f"file:{pictures / 'c.png'}", width=640, height=360)).read()
        assert shown.image.shape == (360, 640, 3)
        assert level(shown) == pytest.approx(150, abs=1)

    def test_what_is_no_video_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "letter.mp4"
        path.write_text("Dear camera,")
        with pytest.raises(CameraError, match=r"source_invalid: .*letter\.mp4"):
            open_source("front", camera(f"file:{path}"))

    def test_a_missing_file_is_missing(self, tmp_path: Path) -> None:
        with pytest.raises(CameraError, match=r"camera_missing: .*gone\.mp4"):
            open_source("front", camera(f"file:{tmp_path / 'gone.mp4'}"))


class TestDevices:
    def test_a_missing_device_is_named_with_what_is_there(self) -> None:
        with pytest.raises(CameraError, match="camera_missing: /dev/video987 does not exist; cameras here: "):
            open_source("front", camera("v4l2:/dev/video987"))

    def test_a_file_that_is_no_device_is_no_camera(self, tmp_path: Path) -> None:
        path = tmp_path / "video0"
        path.touch()
        with pytest.raises(CameraError, match=r"camera_missing: .*is no camera or is in use"):
            open_source("front", camera(f"v4l2:{path}"))

    def test_an_unknown_scheme_names_the_known_ones(self) -> None:
        with pytest.raises(CameraError, match=r"source_invalid: .*v4l2"):
            open_source("front", CameraSettings.model_construct(url="carrier:pigeon"))


class MotionJpeg(BaseHTTPRequestHandler):
    """An IP camera: forty pictures, and then the line goes dead; under /stall it falls silent instead."""

    silent = threading.Event()

    def do_GET(self) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._play()
            if self.path == "/stall":
                self.silent.wait(30)

    def _play(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for number in range(40):
            jpeg = cv2.imencode(".jpg", np.full((120, 160, 3), 40 + number, np.uint8))[1].tobytes()
            self.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg) + jpeg + b"\r\n")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def ip_camera() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), MotionJpeg)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    MotionJpeg.silent.clear()
    yield f"127.0.0.1:{server.server_address[1]}"
    MotionJpeg.silent.set()
    server.shutdown()
    thread.join()
    server.server_close()


class TestStreams:
    def test_frames_come_until_the_line_goes_dead(self, ip_camera: str) -> None:
        source = open_source("front", camera(f"http://{ip_camera}/video"))
        before = time.monotonic()
        first = source.read()
        assert first.image.shape == (120, 160, 3)
        assert before <= first.captured_at <= time.monotonic()
        assert first.sequence == 0
        numbers, end = read_to_the_end(source)
        assert end.slug == "camera_lost"
        assert len(numbers) >= 30
        source.close()

    def test_a_camera_that_falls_silent_is_lost(self, ip_camera: str) -> None:
        source = open_source("front", camera(f"http://{ip_camera}/stall"))
        before = time.monotonic()
        _, end = read_to_the_end(source)
        assert end.slug == "camera_lost"
        # The server would stay silent for 30 s.
        assert time.monotonic() - before < 15
        source.close()

    def test_a_closed_stream_gives_no_frame(self, ip_camera: str) -> None:
        source = open_source("front", camera(f"http://{ip_camera}/video"))
        source.close()
        with pytest.raises(CameraError, match="source_ended"):
            source.read()

    @pytest.mark.parametrize("scheme", ["http", "rtsp"])
    def test_a_camera_that_does_not_answer_is_named_without_its_password(
        self, scheme: str, capfd: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(CameraError) as caught:
            open_source("front", camera(f"{scheme}://admin:hunter2@127.0.0.1:9/video?token=t0p"))
        assert caught.value.slug == "camera_missing"
        assert f"{scheme}://127.0.0.1:9/video" in caught.value.detail
        told = str(caught.value) + "".join(capfd.readouterr())
        assert "hunter2" not in told
        assert "t0p" not in told


def test_a_frame_does_not_show_its_picture_in_a_log() -> None:
    assert repr(frame(3)) == "Frame(front #3, 2×2)"
