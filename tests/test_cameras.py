"""Cameras that cannot be believed: each fault as pictures, through the judge and through a real eye process."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import httpx
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kiosk import configuration, slugs
from kiosk.capture.frame import Image
from kiosk.capture.soundness import REMEMBERED, Sample, Soundness, judge, sample
from kiosk.capture.source import open_source
from kiosk.eye import messages
from kiosk.eye.supervisor import EyeSupervisor
from kiosk.heartbeat import Heartbeat
from kiosk.journal.log import tail
from kiosk.metrics import Metrics
from kiosk.service.daemon import Daemon
from kiosk.service.sight import Sight
from kiosk.service.tally import Tally
from kiosk.settings import CameraSettings, EyeSettings, PresentationSettings, QualitySettings, Settings

FPS = 15.0
RED, GREEN, BLUE, WHITE = (0, 0, 255), (0, 255, 0), (255, 0, 0), (255, 255, 255)
NAMES = {RED: "R", GREEN: "G", BLUE: "B", WHITE: "W"}
FAULTS = ("camera_dark", "camera_saturated", "camera_flickers", "camera_frozen", "camera_looped")


def room(level: float = 120.0, number: int | None = None, spread: float = 40.0) -> Image:
    """A room lit from one side; `number` chooses the sensor's noise, None is without any."""
    picture = np.linspace(level - spread, level + spread, 160)[None, :, None].repeat(90, 0).repeat(3, 2)
    if number is not None:
        picture += np.random.default_rng(number).normal(0, 1.5, picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8)


def live(count: int, first: int = 0) -> list[Image]:
    return [room(number=first + number) for number in range(count)]


def words(pictures: Sequence[Image], frozen_after: float = 2.0, fps: float = FPS) -> list[str | None]:
    """What is said of each picture, at a steady rate."""
    judging = Soundness(frozen_after)
    return [judging.look(number / fps, sample(picture)) for number, picture in enumerate(pictures)]


class TestSoundness:
    def test_a_live_camera_is_believed(self) -> None:
        assert set(words(live(300))) == {None}

    def test_one_picture_repeated_is_frozen_and_the_next_second_of_new_ones_is_sound(self) -> None:
        said = words([*live(30), *[room(number=99)] * 60, *live(45, 1000)])
        assert set(said[: 30 + 30]) == {None}
        assert set(said[30 + 31 : 90]) == {"camera_frozen"}
        assert said[90 + 14] is None or said[90 + 14] == "camera_frozen"
        assert set(said[90 + 16 :]) == {None}

    def test_a_network_camera_may_repeat_a_picture_for_longer(self) -> None:
        quiet = [*live(15), *[room(number=99)] * 200, *live(15, 1000)]
        stream, device = (judge(CameraSettings(url=url)) for url in ("rtsp://camera/1", "v4l2:/dev/video0"))
        assert stream is not None
        assert device is not None
        said = [[one.look(number / FPS, sample(picture)) for number, picture in enumerate(quiet)] for one in (stream, device)]
        assert set(said[0]) == {None}
        assert "camera_frozen" in said[1]

    @pytest.mark.parametrize("length", [20, 47, 300])
    def test_a_recording_played_again_and_again_is_a_loop_from_its_second_round_on(self, length: int) -> None:
        said = words(live(length) * 5)
        assert set(said[:length]) == {None}
        assert set(said[-length:]) == {"camera_looped"}

    def test_a_loop_is_found_though_pictures_are_left_out(self) -> None:
        kept = np.random.default_rng(5).random(3000) < 0.9
        pictures = live(100) * 30
        said = words([picture for picture, keep in zip(pictures, kept, strict=True) if keep])
        assert said[-1] == "camera_looped"

    def test_repeated_buffers_are_no_loop(self) -> None:
        doubled = [picture for picture in live(150) for _ in range(2)]
        assert set(words(doubled)) == {None}
        swapped = [picture for a, b in zip(live(60), live(60, 100), strict=True) for picture in (a, b, a, b)]
        assert set(words(swapped)) == {None}

    @pytest.mark.parametrize(
        ("picture", "slug"),
        [
            (room(4, spread=3), "camera_dark"),
            (np.zeros((90, 160, 3), np.uint8), "camera_dark"),
            (room(90, spread=0), "camera_dark"),
            (room(300), "camera_saturated"),
        ],
        ids=["night", "black", "covered", "white"],
    )
    def test_black_covered_and_white_are_told_after_a_second(self, picture: Image, slug: str) -> None:
        said = words([*live(15), *[picture] * 45, *live(45, 1000)])
        assert set(said[: 15 + 15]) == {None}
        assert set(said[15 + 16 : 60]) == {slug}
        assert set(said[60 + 16 :]) == {None}

    def test_covered_with_the_gain_turned_up_is_still_covered(self) -> None:
        noisy = [
            room(90, number, 0).astype(float) + np.random.default_rng(number).normal(0, 8, (90, 160, 3)) for number in range(45)
        ]
        said = words([np.clip(picture, 0, 255).astype(np.uint8) for picture in noisy])
        assert said[-1] == "camera_dark"

    def test_a_bright_window_or_a_dim_room_is_believed(self) -> None:
        window = live(45)
        for picture in window:
            picture[:, :80] = 255
        assert set(words(window)) == {None}
        assert set(words([room(30, number, 15) for number in range(45)])) == {None}

    @pytest.mark.parametrize("every", [1, 2, 3])
    def test_a_lamp_that_flickers_is_told(self, every: int) -> None:
        lit = [room(120 + 30 * (number // every % 2), number) for number in range(90)]
        said = words(lit, fps=30)
        assert said[-1] == "camera_flickers"

    def test_a_light_switched_on_and_off_or_an_exposure_that_hunts_is_no_flicker(self) -> None:
        slow = [room(120 + 25 * np.sin(2 * np.pi * 1.0 * number / FPS), number) for number in range(150)]
        assert set(words(slow)) == {None}

    @given(
        st.lists(
            st.builds(
                Sample,
                mark=st.integers(0, 6),
                middle=st.floats(0, 255),
                spread=st.floats(0, 90),
                brightest=st.floats(0, 255),
                clipped=st.floats(0, 1),
            ),
            max_size=200,
        )
    )
    def test_whatever_comes_every_word_is_known_and_a_second_of_new_pictures_clears_it(self, samples: list[Sample]) -> None:
        judging = Soundness(2.0)
        for number, one in enumerate(samples):
            assert judging.look(number / FPS, one) in {None, *FAULTS}
        later = [
            judging.look((len(samples) + number) / FPS, Sample(100 + number, 120.0, 40.0, 200.0, 0.0)) for number in range(60)
        ]
        assert later[-1] is None

    def test_its_memory_is_bounded(self) -> None:
        judging = Soundness(2.0)
        for number in range(REMEMBERED + 500):
            judging.look(number / FPS, Sample(number, 120.0, 40.0, 200.0, 0.0))
        assert len(judging._repeats._seen) == REMEMBERED

    def test_recordings_are_judged_only_where_the_settings_ask(self) -> None:
        assert judge(CameraSettings(url="scene:demo")) is None
        assert judge(CameraSettings(url="scene:demo", soundness="always")) is not None
        assert judge(CameraSettings(url="v4l2:/dev/video0", soundness="never")) is None
        assert judge(CameraSettings(url="v4l2:/dev/video0")) is not None

    def test_every_fault_has_its_sentences(self) -> None:
        for slug in FAULTS:
            assert all(slugs.to_person(slug, language) and slugs.to_operator(slug, language) for language in ("en", "zh"))


class TestView:
    """One picture, 320 × 180: red above left, green above right, blue below left, white below right."""

    @pytest.fixture
    def corners(self, tmp_path: Path) -> str:
        picture = np.zeros((180, 320, 3), np.uint8)
        picture[:90, :160], picture[:90, 160:], picture[90:, :160], picture[90:, 160:] = RED, GREEN, BLUE, WHITE
        cv2.imwrite(str(tmp_path / "corners.png"), picture)
        return f"dir:{tmp_path}"

    @pytest.mark.parametrize(
        ("changes", "size", "colours"),
        [
            ({}, (320, 180), "RGBW"),
            ({"mirror": True}, (320, 180), "GRWB"),
            ({"rotate": 90}, (180, 320), "BRWG"),
            ({"rotate": 180}, (320, 180), "WBGR"),
            ({"rotate": 270}, (180, 320), "GWRB"),
            ({"rotate": 90, "mirror": True}, (180, 320), "RBGW"),
            ({"region": [0.5, 0.0, 1.0, 1.0]}, (160, 180), "GGWW"),
            ({"region": [0.25, 0.0, 0.75, 0.5], "rotate": 90}, (90, 160), "RRGG"),
        ],
    )
    def test_every_source_is_cut_turned_and_mirrored(
        self, corners: str, changes: dict[str, object], size: tuple[int, int], colours: str
    ) -> None:
        settings = CameraSettings.model_validate({"url": corners, "width": 320, "height": 180, **changes})
        source = open_source("front", settings)
        image = source.read().image
        source.close()
        width, height = size
        assert (source.width, source.height) == size
        assert image.shape == (height, width, 3)
        assert image.flags.c_contiguous
        spots = [(y, x) for y in (height // 4, 3 * height // 4) for x in (width // 4, 3 * width // 4)]
        assert "".join(NAMES[tuple(image[spot])] for spot in spots) == colours

    def test_frames_keep_their_time_and_number(self, corners: str) -> None:
        origin = time.monotonic() - 3.0
        settings = CameraSettings(url=corners, mirror=True)
        plain, mirrored = (open_source("front", one, origin) for one in (CameraSettings(url=corners), settings))
        assert mirrored.opened_at == plain.opened_at == origin
        shown = mirrored.read()
        assert shown.captured_at == pytest.approx(origin + shown.sequence / settings.fps)

    @pytest.mark.parametrize("region", [(0.5, 0, 0.4, 1), (0, 0, 0.05, 1), (0, 0.95, 1, 1)])
    def test_a_region_that_is_none_is_refused(self, region: tuple[float, ...]) -> None:
        with pytest.raises(ValidationError, match="left, top, right, bottom"):
            CameraSettings.model_validate({"region": region})


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://admin:hunter2@camera.lan:554/1?token=t0p", "rtsp://camera.lan:554/1"),
        ("http://camera.lan/video", "http://camera.lan/video"),
        ("file:a@b?c.mp4", "file:a@b?c.mp4"),
    ],
)
def test_an_address_is_shown_without_its_login(url: str, shown: str) -> None:
    assert CameraSettings(url=url).shown == shown


class TestSight:
    """What the daemon makes of the eye's word."""

    def test_a_fault_is_counted_written_down_and_over(self) -> None:
        metrics = Metrics("0")
        tally = Tally(Settings.model_construct(), metrics, Heartbeat())
        rows: list[tuple[str, dict[str, object]]] = []
        sight = Sight("front", tally, lambda kind, body: rows.append((kind, dict(body))))
        assert not sight.look(10.0, None)
        assert sight.look(11.0, "camera_dark")
        assert not sight.look(12.0, "camera_dark")
        assert not sight.look(13.0, "camera_frozen")
        assert not sight.look(14.5, None)
        assert rows == [
            ("camera_unsound", {"camera": "front", "slug": "camera_dark"}),
            ("camera_sound", {"camera": "front", "slug": "camera_dark", "seconds": 2.0}),
            ("camera_unsound", {"camera": "front", "slug": "camera_frozen"}),
            ("camera_sound", {"camera": "front", "slug": "camera_frozen", "seconds": 1.5}),
        ]
        shown = metrics.render()[0].decode()
        assert 'kiosk_camera_unsound_total{camera="front",reason="camera_dark"} 1.0' in shown
        assert 'kiosk_camera_sound{camera="front"} 1.0' in shown

    def test_a_slug_nobody_knows_is_not_believed_either(self) -> None:
        sight = Sight("front", Tally(Settings.model_construct(), Metrics("0"), Heartbeat()), lambda *_: None)
        assert sight.look(1.0, "all_is_well")
        assert sight.unsound == "camera_frozen"


@pytest.fixture
def portrait(people: Path, tmp_path: Path) -> Path:
    """A folder with one good portrait: shown for ever, to the bit the same."""
    folder = tmp_path / "portrait"
    folder.mkdir()
    (folder / "one.jpg").symlink_to(people / "P002" / "assets" / "studio_portrait.jpg")
    return folder


async def test_the_eye_examines_nothing_while_the_picture_is_frozen(models_dir: Path, portrait: Path) -> None:
    said: asyncio.Queue[messages.FromEye] = asyncio.Queue()
    eye = EyeSettings()
    orders = messages.LookOrders(
        name="front",
        camera=CameraSettings(url=f"dir:{portrait}", soundness="always", frozen_after=2.0).model_dump(mode="json"),
        quality=QualitySettings().model_dump(mode="json"),
        presentation=PresentationSettings().model_dump(mode="json"),
        eye=eye.model_dump(mode="json"),
        models_dir=str(models_dir),
    )
    supervisor = EyeSupervisor(orders, eye, said.put_nowait, lambda *_: None)
    task = asyncio.create_task(supervisor.run())
    try:
        async with asyncio.timeout(60):
            first = await anext(examined async for examined in heard(said) if examined.unsound is None)
            assert first.faces == 1
            frozen = await anext(examined async for examined in heard(said) if examined.unsound)
            assert frozen.unsound == "camera_frozen"
            for _ in range(10):
                after = await anext(heard(said))
                assert (after.unsound, after.faces, after.present) == ("camera_frozen", 0, ())
    finally:
        task.cancel()
        await asyncio.wait([task])


async def heard(said: asyncio.Queue[messages.FromEye]) -> AsyncIterator[messages.Examined]:
    while True:
        message = await said.get()
        if isinstance(message, messages.Examined):
            yield message


CONFIGURATION = """
site.state_dir = "{folder}"
web.port = {port}
portals.door.cloud_consent = true
portals.door.liveness = "off"
cameras.front = {{ url = "dir:{pictures}", soundness = "{soundness}", frozen_after = {frozen_after} }}
presentation.retry_after = 0.5

[tencent_legacy]
endpoint = "http://127.0.0.1:{cloud}"
appid = "1"
group_ids = ["a"]
secret_id_file = "{folder}/s"
secret_key_file = "{folder}/s"
"""


def watching(
    folder: Path, pictures: Path, soundness: str = "always", cloud: int = 9, frozen_after: float = 2.0
) -> tuple[Daemon, int]:
    """A daemon before this folder of pictures, and its web port."""
    (folder / "s").write_text("secret")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
    text = CONFIGURATION.format(
        folder=folder, pictures=pictures, port=port, soundness=soundness, cloud=cloud, frozen_after=frozen_after
    )
    (folder / "kiosk.toml").write_text(text)
    return Daemon(configuration.load(folder / "kiosk.toml")), port


async def test_the_daemon_is_degraded_while_the_lens_is_covered_and_says_so_everywhere(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    cv2.imwrite(str(tmp_path / "pictures" / "black.png"), np.zeros((720, 1280, 3), np.uint8))
    daemon, port = watching(tmp_path, tmp_path / "pictures")
    task = asyncio.create_task(daemon.run())
    async with asyncio.timeout(60), httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        while "camera_dark" not in str(daemon.health()["eyes"]):
            await asyncio.sleep(0.05)
        answer = await client.get("/health")
        shown = (await client.get("/metrics")).text
    daemon.stop()
    await task
    assert answer.status_code == 503
    health = answer.json()
    assert (health["status"], health["eyes"]["front"]["unsound"]) == ("degraded", "camera_dark")
    assert health["errors"] == {"camera_dark": 1}
    assert 'kiosk_camera_sound{camera="front"} 0.0' in shown
    assert 'kiosk_camera_unsound_total{camera="front",reason="camera_dark"} 1.0' in shown
    rows = [row for row in tail(tmp_path / "journal.sqlite", 10) if row.kind == "camera_unsound"]
    assert [msgspec.json.decode(row.body) for row in rows] == [{"camera": "front", "slug": "camera_dark"}]


class Cloud(BaseHTTPRequestHandler):
    """Counts who asks, and answers nonsense, after which an attempt may be made again."""

    asked = 0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        type(self).asked += 1
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def cloud() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Cloud)
    Cloud.asked = 0
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


async def test_a_face_in_a_frozen_picture_is_not_asked_about_and_without_the_judge_it_would_be(
    tmp_path: Path, portrait: Path, cloud: int
) -> None:
    asked = {}
    for soundness in ("always", "never"):
        daemon, _ = watching(tmp_path, portrait, soundness, cloud, frozen_after=0.5)
        task = asyncio.create_task(daemon.run())
        async with asyncio.timeout(60):
            while not (Cloud.asked > 1 if soundness == "never" else "camera_frozen" in str(daemon.health()["eyes"])):
                await asyncio.sleep(0.02)
        before = Cloud.asked
        # Longer than a settled picture and a repeated attempt take.
        await asyncio.sleep(3)
        asked[soundness] = Cloud.asked - before
        daemon.stop()
        await task
        Cloud.asked = 0
    assert asked["always"] == 0
    assert asked["never"] >= 1
