"""Pipelines as cameras: GStreamer's test pictures through a real gst-launch, and what its failures look like."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from kiosk.capture.source import Source, open_source
from kiosk.errors import CameraError
from kiosk.eye import messages
from kiosk.settings import CameraSettings
from tests.eye_stage import Watch

needs_gst = pytest.mark.skipif(
    shutil.which("gst-launch-1.0") is None,
    reason="no GStreamer here; as root: apt-get install -y gstreamer1.0-tools gstreamer1.0-plugins-base",
)
SNOW = "gst:videotestsrc is-live=true pattern=snow ! video/x-raw,framerate=30/1"


def open_gst(url: str, width: int = 320, height: int = 240) -> Source:
    return open_source("front", CameraSettings(url=url, width=width, height=height))


@needs_gst
def test_a_pipeline_plays_in_the_size_asked_for() -> None:
    source = open_gst("gst:videotestsrc is-live=true pattern=red")
    shown = [source.read() for _ in range(5)]
    source.close()
    assert shown[-1].image.shape == (240, 320, 3)
    assert [frame.sequence for frame in shown] == list(range(5))
    blue, green, red = shown[-1].image[120, 160]
    assert red > 200
    assert max(blue, green) < 60
    with pytest.raises(CameraError, match="source_ended"):
        source.read()


@needs_gst
def test_a_pipeline_that_ends_is_lost() -> None:
    # The first of five pictures went into seeing that it plays.
    source = open_gst("gst:videotestsrc num-buffers=5")
    for _ in range(4):
        source.read()
    with pytest.raises(CameraError, match="camera_lost: the pipeline ended"):
        source.read()
    source.close()


@needs_gst
def test_what_gstreamer_cannot_build_is_told_in_its_words() -> None:
    with pytest.raises(CameraError, match=r"camera_missing: .*nosuchelement"):
        open_gst("gst:nosuchelement")


@needs_gst
@pytest.mark.parametrize(("url", "width"), [(SNOW, 321), ("gst:videotestsrc 'pattern", 320)])
def test_what_cannot_be_is_refused_before_anything_starts(url: str, width: int) -> None:
    with pytest.raises(CameraError, match="source_invalid: gst: "):
        open_gst(url, width)


def test_without_gstreamer_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CameraError, match=r"camera_missing: .*gstreamer1\.0-tools"):
        open_gst(SNOW)


def test_without_raspberry_pi_os_it_says_what_to_install() -> None:
    with pytest.raises(CameraError, match=r"camera_missing: .*python3-picamera2"):
        open_gst("picamera2:0")
    with pytest.raises(CameraError, match=r"camera_missing: .*its number"):
        open_gst("picamera2:front")


@needs_gst
@pytest.mark.slow
async def test_an_eye_on_a_pipeline_is_as_confined_as_any_and_outlives_no_pipeline(models_dir: Path) -> None:
    watch = Watch(models_dir, url=SNOW)
    async with watch.running() as supervisor:
        started = await watch.until(messages.Started)
        assert set(started.refused) == {"inet", "inet6", "netlink", "packet"}
        examined = await watch.until(messages.Examined)
        assert examined.unsound is None
        eye = supervisor.pid
        (pipeline,) = Path(f"/proc/{eye}/task/{eye}/children").read_text().split()
        os.kill(int(pipeline), signal.SIGKILL)
        assert (await watch.loss())[0] == "camera_lost"
        await watch.until(messages.Started)
        (pipeline,) = Path(f"/proc/{supervisor.pid}/task/{supervisor.pid}/children").read_text().split()
    assert not Path(f"/proc/{pipeline}").exists()
