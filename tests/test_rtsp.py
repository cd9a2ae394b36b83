"""A real RTSP camera: it plays, hangs, dies and comes back; read directly, and watched by a real eye."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.capture.opencv import READ_WITHIN
from kiosk.capture.source import Source, open_source
from kiosk.errors import CameraError
from kiosk.eye import messages
from kiosk.settings import CameraSettings
from tests.eye_stage import Watch
from tests.rtsp_stage import RtspServer, missing

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason=missing())]


@pytest.fixture
def server() -> Iterator[RtspServer]:
    with RtspServer() as running:
        yield running


def until_lost(source: Source) -> list[float]:
    """When each frame was captured, up to the end."""
    times = []
    try:
        while True:
            times.append(source.read().captured_at)
    except CameraError as error:
        end = error
    assert end.slug == "camera_lost"
    return times


def test_it_plays(server: RtspServer) -> None:
    source = open_source("front", CameraSettings(url=server.url()))
    shown = [source.read() for _ in range(20)]
    source.close()
    assert shown[0].image.shape == (240, 320, 3)
    assert [frame.sequence for frame in shown] == list(range(20))
    assert all(a.captured_at < b.captured_at for a, b in itertools.pairwise(shown))
    assert (shown[5].image != shown[6].image).any()


def test_a_server_that_hangs_gives_no_stale_picture_as_new(server: RtspServer) -> None:
    source = open_source("front", CameraSettings(url=server.url()))
    for _ in range(10):
        source.read()
    server.stall()
    stalled = time.monotonic()
    # What had been sent is still in the pipe; nothing taken after the silence may be called a picture.
    assert max(until_lost(source), default=0.0) < stalled + READ_WITHIN
    source.close()


def test_a_server_that_is_killed_is_lost(server: RtspServer) -> None:
    source = open_source("front", CameraSettings(url=server.url()))
    source.read()
    server.kill()
    until_lost(source)
    source.close()


@pytest.mark.parametrize("fault", ["stall", "kill"])
async def test_the_eye_says_it_is_lost_and_a_fresh_one_watches_when_it_is_back(
    server: RtspServer, models_dir: Path, fault: str
) -> None:
    watch = Watch(models_dir, url=server.url())
    async with watch.running() as supervisor:
        started = await watch.until(messages.Started)
        assert (started.width, started.height) == (320, 240)
        assert set(started.refused) == {"inet", "inet6", "netlink", "packet"}
        await watch.until(messages.Examined)
        first = supervisor.pid
        getattr(server, fault)()
        struck = time.monotonic()
        slug, _ = await watch.loss(within=30)
        assert slug == "camera_lost"
        assert watch.last_examined() < struck + READ_WITHIN
        server.kill()
        server.start()
        again = await watch.until(messages.Started, within=60)
        assert again.opened_at > struck
        assert supervisor.pid not in {None, first}
        await watch.until(messages.Examined)
