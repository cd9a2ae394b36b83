"""The whole configuration as models; `kiosk.configuration` reads it.

`config/kiosk.toml` shows every setting; a test holds it to this module. Secrets are never values
here, only the files (or systemd credentials) that hold them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from kiosk.errors import did_you_mean

PREFIX = "KIOSK_"
NESTING = "__"
STREAM_SCHEMES = ("rtsp", "rtsps", "http", "https")
LIVE_SCHEMES = ("v4l2", "picamera2", "gst", *STREAM_SCHEMES)
"""Cameras that set the pace themselves; the others are recordings."""
CAMERA_SCHEMES = (*LIVE_SCHEMES, "file", "dir", "scene")
LEAST_REGION = 0.1
"""Share of a picture's width and height."""
RELAY_SCHEMES = ("sim",)

PositiveSeconds = Annotated[float, Field(gt=0, le=3600)]
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
GroupIdentifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9%@#&_-]{1,64}$")]
"""The vendor's alphabet for ids."""
ConsoleName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{0,64}$")]
"""What the vendor's console calls an application or a bucket; it stands in signatures."""
Rate = Annotated[int, Field(ge=1, le=1000)]
Share = Annotated[float, Field(ge=0, le=1)]
FalseMatches = Annotated[float, Field(gt=0, lt=1)]
Score = Annotated[float, Field(ge=0, le=100)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, validate_default=True)


class SiteSettings(Section):
    name: Identifier = "kiosk"
    """What this box is called in the journal and in metrics."""
    language: Literal["en", "zh"] = "en"
    """The language people are spoken to in."""
    state_dir: Path = Path("/var/lib/kiosk")
    """Where the journal and the simulated relays' state live."""
    models_dir: Path = Path("~/.cache/kiosk/models")
    """Where `kiosk models fetch` keeps the model weights."""

    @field_validator("state_dir", "models_dir")
    @classmethod
    def _home(cls, path: Path) -> Path:
        return path.expanduser()


class LogSettings(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "human", "json"] = "auto"
    """`auto`: human on a terminal, JSON elsewhere."""


class CameraSettings(Section):
    url: str = "v4l2:/dev/video0"
    """`v4l2:/dev/video0`, `rtsp://…`, `file:clip.mp4`, `dir:photos/`, `scene:demo` or `scene:FILE.toml`;
    `picamera2:0` on Raspberry Pi OS; `gst:` and a GStreamer pipeline without its sink, as for a Jetson's camera.
    `v4l2:serial=…` and `v4l2:path=…` find a camera again whatever its number; `kiosk camera list` shows them."""
    width: Annotated[int, Field(ge=160, le=4096)] = 1280
    """Pixels asked for; a camera that has another size keeps its own."""
    height: Annotated[int, Field(ge=120, le=4096)] = 720
    fps: Annotated[float, Field(ge=1, le=60)] = 15.0
    """Frames a second asked for; files, folders and scenes are played at this pace."""
    loop: bool = True
    """Whether a file, folder or scene starts again at its end."""
    pixels: Literal["auto", "mjpg", "yuyv"] = "auto"
    """What a `v4l2:` camera is asked to send: MJPEG reaches larger sizes and rates, YUYV spares the decoding."""
    exposure_ms: Annotated[float, Field(gt=0, le=1000)] | None = None
    """Milliseconds; of a `v4l2:` camera, like the following. Without a value the camera decides, or keeps what was set."""
    gain: Annotated[int, Field(ge=0, le=65_535)] | None = None
    """In the camera's own steps."""
    focus: Annotated[int, Field(ge=0, le=65_535)] | None = None
    """In the camera's own steps."""
    white_balance: Annotated[int, Field(ge=1000, le=20_000)] | None = None
    """Kelvin."""
    power_line: Literal["unchanged", "off", "50", "60", "auto"] = "unchanged"
    """Hertz of the mains, against flickering lamps."""
    region: tuple[Share, Share, Share, Share] = (0.0, 0.0, 1.0, 1.0)
    """The part of the camera's picture that is looked at: left, top, right, bottom, as shares of its width and height."""
    rotate: Literal[0, 90, 180, 270] = 0
    """Degrees by which the region is turned clockwise, so that people stand upright."""
    mirror: bool = False
    """Whether left and right are exchanged, after turning."""
    soundness: Literal["live", "always", "never"] = "live"
    """Where frozen, looped, black, white and flickering pictures are refused; `live`: of cameras, since recordings repeat."""
    frozen_after: Annotated[float, Field(ge=0.5, le=60)] = 2.0
    """Seconds without any change of picture after which a camera is frozen; a network camera gets ten times as long."""

    @property
    def shown(self) -> str:
        """The URL as it may be shown: of an address, without login and query, which may hold a password or token."""
        if not self.url.startswith(STREAM_SCHEMES):
            return self.url
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    @field_validator("url")
    @classmethod
    def _known_scheme(cls, url: str) -> str:
        scheme, _, rest = url.partition(":")
        if scheme not in CAMERA_SCHEMES or not rest:
            near = did_you_mean(scheme, CAMERA_SCHEMES)
            raise ValueError(f"'{url}' is no camera; write one of {', '.join(f'{s}:…' for s in CAMERA_SCHEMES)}{near}")
        return url

    @field_validator("region")
    @classmethod
    def _large_enough(cls, region: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        left, top, right, bottom = region
        if right - left < LEAST_REGION or bottom - top < LEAST_REGION:
            raise ValueError(f"region {list(region)} is left, top, right, bottom, at least {LEAST_REGION:g} wide and high")
        return region


class QualitySettings(Section):
    """When a face is good enough to be looked at; a looser gate costs wrong answers and cloud calls."""

    level: Annotated[int, Field(ge=0, le=4)] = 2
    """The grade a picture must reach, as the vendor's QualityControl: at 1 eyes, nose or mouth are covered; 4 is flawless."""
    mask: Literal["allowed", "refused", "required"] = "allowed"
    """Whether people may wear a mask; where they may, it does not count as a covered mouth and nose."""
    min_face_side: Annotated[int, Field(ge=64, le=2000)] = 64
    """Pixels; 64 is the vendor's floor."""
    min_inter_eye: Annotated[float, Field(ge=20, le=500)] = 40.0
    """Pixels between the eyes; 40 is what commercial terminals ask for."""
    min_sharpness: Annotated[float, Field(ge=0, le=100)] = 40.0
    """0–100; at 40 and below the vendor calls a picture very blurry."""
    min_brightness: Annotated[float, Field(ge=0, le=100)] = 30.0
    """0–100 on the vendor's scale: under 30 is dark."""
    max_brightness: Annotated[float, Field(ge=0, le=100)] = 70.0
    """0–100 on the vendor's scale: over 70 is too bright."""
    max_yaw: Annotated[float, Field(gt=0, le=90)] = 25.0
    """Degrees to either side."""
    max_pitch: Annotated[float, Field(gt=0, le=90)] = 25.0
    """Degrees up or down."""
    max_roll: Annotated[float, Field(gt=0, le=180)] = 30.0
    """Degrees to either shoulder."""
    min_eyes_open: Annotated[float, Field(ge=0, le=100)] = 30.0
    """0–100, of the eye that is closed most; a closed one has about 30."""
    min_uniformity: Annotated[float, Field(ge=0, le=100)] = 15.0
    """0–100: how much the light on the two halves of the face has in common."""
    min_dynamic_range: Annotated[float, Field(ge=0, le=100)] = 60.0
    """0–100: 12.5 for each bit of the brightness's entropy; fog, backlight and a dirty lens lower it."""
    max_head: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Of the picture's height: a face that fills more is too near."""


class EnrolmentSettings(QualitySettings):
    """The same for photos that are to be enrolled, stricter: a bad reference costs every day."""

    level: Annotated[int, Field(ge=0, le=4)] = 3
    """As the vendor advises for libraries: no more than two things less than perfect, none of them eyes, nose or mouth."""
    min_inter_eye: Annotated[float, Field(ge=20, le=500)] = 70.0
    """Pixels, where OFIQ's InterEyeDistance is 50 of 100."""
    max_yaw: Annotated[float, Field(gt=0, le=90)] = 20.0
    """Degrees to either side; the vendor advises 10."""
    max_pitch: Annotated[float, Field(gt=0, le=90)] = 20.0
    """Degrees up or down; the vendor advises 10."""
    max_roll: Annotated[float, Field(gt=0, le=180)] = 20.0
    """Degrees to either shoulder, as the vendor advises."""
    min_eyes_open: Annotated[float, Field(ge=0, le=100)] = 50.0
    """0–100, of the eye that is closed most."""
    min_uniformity: Annotated[float, Field(ge=0, le=100)] = 25.0
    """0–100: how much the light on the two halves of the face has in common."""


class PresentationSettings(Section):
    """How a person's appearance before the camera becomes a probe."""

    several: Literal["one_at_a_time", "largest", "all"] = "one_at_a_time"
    """What to do when several faces are in view: ask for one at a time, take the largest and most central, or all of them."""
    identity: Literal["embedding", "box"] = "embedding"
    """What tells that the face before the camera is still the same person's: `box` only its place, with 95 MB less."""
    settle: Annotated[float, Field(ge=0, le=5)] = 0.2
    """Seconds over which the best picture is chosen once a face is good enough."""
    good_enough: Annotated[int, Field(ge=1, le=4)] = 4
    """A picture of this grade is sent at once, without waiting for a better one."""
    attempts: Annotated[int, Field(ge=1, le=20)] = 3
    """Probes sent for one presentation at most."""
    retry_after: PositiveSeconds = 1.0
    """Seconds between a refusal and the next attempt of the same presentation."""
    cool_down: Annotated[float, Field(ge=0, le=3600)] = 5.0
    """Seconds for which somebody granted, who steps out and comes back, is not asked again; needs `identity` by embedding."""
    lost_after: PositiveSeconds = 0.6
    """Seconds without the face after which its presentation is over."""
    probe_long_side: Annotated[int, Field(ge=64, le=4000)] = 640
    """Pixels; a larger crop is scaled down to this."""
    probe_quality: Annotated[int, Field(ge=50, le=100)] = 90
    """JPEG quality to start from; lowered only as the interface's limit asks."""


class EyeSettings(Section):
    """The child process that looks at the camera."""

    confinement: Literal["required", "preferred"] = "required"
    """`required`: refuse to start where the kernel cannot take the network away from the eye."""
    start_within: PositiveSeconds = 30.0
    """Seconds an eye has to open its camera, load the models and see a frame."""
    wedged_after: PositiveSeconds = 2.0
    """Seconds of silence after which an eye is killed and replaced."""
    backoff_first: PositiveSeconds = 0.25
    """Seconds before the first restart; doubled each time, up to `backoff_most`."""
    backoff_most: PositiveSeconds = 8.0
    """A camera is back this long after its return at most, and the time its eye takes to start."""
    threads: Annotated[int, Field(ge=1, le=16)] = 1
    """Threads OpenCV and LiteRT may use."""
    find_width: Annotated[int, Field(ge=160, le=1920)] = 320
    """Faces are looked for in a copy of the frame of this width; wider finds smaller faces, slower."""
    landmarker: Literal["auto", "mediapipe", "litert"] = "auto"
    """What runs the landmark networks, with the same result; `auto`: MediaPipe where the processor can run it, else LiteRT."""
    photo_within: PositiveSeconds = 10.0
    """Seconds one photo handed in may take; the worker that takes longer is killed and replaced."""
    photo_memory_mb: Annotated[int, Field(ge=256, le=16_384)] = 512
    """Megabytes one photo may take beyond what the loaded models do; the largest allowed was seen to take 290."""
    photos_waiting: Annotated[int, Field(ge=1, le=1000)] = 32
    """Photos that may wait for a worker; one more is refused."""


Task = Literal["blink", "turn_left", "turn_right", "nod", "open_mouth"]
LivenessPolicy = Literal["off", "passive", "passive+challenge", "challenge"]


class LivenessSettings(Section):
    """How it is judged whether a living person stands there. No certified detection of presentation attacks."""

    every: Annotated[float, Field(ge=0.02, le=1)] = 0.1
    """Seconds between two looks at the same face, at least."""
    votes: Annotated[int, Field(ge=3, le=50)] = 5
    """Looks whose median decides."""
    live_from: Score = 60.0
    """0–100: a median from here on is alive."""
    attack_below: Score = 20.0
    """0–100: a median up to here is an attack; between the two it is doubtful."""
    within: PositiveSeconds = 3.0
    """Seconds for the votes; a face that gave too few by then is doubtful."""
    tasks: Annotated[tuple[Task, ...], Field(min_length=2)] = ("blink", "turn_left", "turn_right", "nod", "open_mouth")
    """What a challenge may ask for."""
    asked: Annotated[int, Field(ge=1, le=5)] = 2
    """How many of them one challenge asks for, in random order."""
    task_within: PositiveSeconds = 5.0
    """Seconds for each task, and for looking ahead before it."""
    gap: PositiveSeconds = 0.6
    """Seconds the face may be out of sight during a challenge."""
    same_person: Annotated[float, Field(ge=0, le=1)] = 0.36
    """Cosine to the first face; below it, somebody else took over. SFace's authors tell people apart by 0.363."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.attack_below >= self.live_from:
            raise ValueError(f"attack_below {self.attack_below:g} must be less than live_from {self.live_from:g}")
        if len(set(self.tasks)) < len(self.tasks) or self.asked > len(self.tasks):
            raise ValueError(f"{self.asked} different tasks cannot be asked out of {', '.join(self.tasks)}")
        return self


class TencentSettings(Section):
    """What both of the vendor's hosts are told."""

    @field_validator("endpoint", "fallback_endpoint", check_fields=False)
    @classmethod
    def _http_url(cls, url: str, field: ValidationInfo) -> str:
        if not url and field.field_name == "fallback_endpoint":
            return url
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"'{url}' is no http(s) address such as {cls.model_fields['endpoint'].default}")
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            raise ValueError(f"'{url}' would send faces unencrypted; use https (plain http only to this machine)")
        return url.rstrip("/")


class TencentLegacySettings(TencentSettings):
    """`/face/identify` and its siblings on recognition.image.myqcloud.com."""

    endpoint: str = "https://recognition.image.myqcloud.com"
    fallback_endpoint: str = ""
    """A second address of the same service, asked while the first does not answer; empty for none."""
    appid: ConsoleName = ""
    bucket: ConsoleName = ""
    secret_id_file: Path = Path("tencent-secret-id")
    """A file that holds the SecretId; a bare name is looked for among systemd's credentials first."""
    secret_key_file: Path = Path("tencent-secret-key")
    """A file that holds the SecretKey; likewise."""
    group_ids: Annotated[tuple[Identifier, ...], Field(max_length=100)] = ()
    """The groups people are enrolled in."""
    upload: Literal["multipart", "json"] = "multipart"
    """How the probe travels: as a file part, or base64 in JSON."""
    deadline: PositiveSeconds = 4.0
    """Seconds one identification may take, connects and retries included."""
    threshold: Score = 80.0
    """Confidence from which a candidate counts as a match; the vendor documents no false match rates for it."""
    margin: Score = 5.0
    """By how much the first candidate must beat the second."""
    compare_false_match_rate: FalseMatches = 1e-4
    """Of strangers compared one to one, the share that may pass; `/face/compare` has scores for 1e-3 to 1e-5."""
    requests_per_second: Rate = 50
    """What the account may send; the vendor's own limit is 50."""
    keep_warm: bool = True
    """Hold a connection open, so that a face meets no handshake."""
    http2: bool = False
    """Offer HTTP/2 as well; needs the package h2."""
    ca_file: Path | None = None
    """A PEM file to trust instead of the system's store."""


class TencentIaiSettings(TencentSettings):
    """Today's interfaces, iai 2020-03-03: CompareFace, CompareMaskFace, SearchPersons, AnalyzeFace and their siblings."""

    endpoint: str = "https://iai.tencentcloudapi.com"
    fallback_endpoint: str = "https://iai.ap-guangzhou.tencentcloudapi.com"
    """A second address of the same service, asked while the first does not answer; empty for none."""
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]{0,40}$")] = "ap-guangzhou"
    """Where the account's groups live; the rate limits count per region. May be empty."""
    language: Literal["zh-CN", "en-US"] = "en-US"
    """The language of the vendor's messages."""
    secret_id_file: Path = Path("tencent-secret-id")
    """A file that holds the SecretId; by default the same one as of [tencent_legacy]."""
    secret_key_file: Path = Path("tencent-secret-key")
    """A file that holds the SecretKey; likewise."""
    token_file: Path | None = None
    """A file that holds the token of temporary keys (STS); only with such keys."""
    group_ids: Annotated[tuple[GroupIdentifier, ...], Field(max_length=100)] = ()
    """The groups people are enrolled in."""
    deadline: PositiveSeconds = 4.0
    """Seconds one call may take, connects and retries included."""
    false_match_rate: FalseMatches = 1e-4
    """The share of strangers that may pass; the vendor's tables translate it to a score for each interface and gallery."""
    threshold: Score | None = None
    """A raw score from which every comparison and search is a match, instead of the rate; needed where no table covers it."""
    margin: Score = 5.0
    """By how much the first candidate of a search must beat the second."""
    requests_per_second: Rate = 50
    """What the account may send to each group of interfaces; the vendor's own limit is 50."""
    liveness_per_second: Rate = 5
    """The same for DetectLiveFaceAccurate, whose limit is lower."""
    keep_warm: bool = True
    """Hold a connection open, so that a face meets no handshake."""
    http2: bool = False
    """Offer HTTP/2 as well; needs the package h2."""
    ca_file: Path | None = None
    """A PEM file to trust instead of the system's store."""


class OnDeviceSettings(Section):
    """Recognition on this box, by the people enrolled with `kiosk gallery`."""

    gallery: Path | None = None
    """The SQLite file; by default `gallery.sqlite` in the state directory."""
    key_file: Path = Path("gallery-key")
    """What faces are encrypted with; a bare name is looked for among systemd's credentials first, then in the state directory."""
    keep_photos: bool = False
    """Keep the enrolled photos too, encrypted, so that people need not come again for a better recogniser."""
    group_ids: Annotated[tuple[GroupIdentifier, ...], Field(max_length=100)] = ()
    """The groups searched; empty for everybody."""
    false_match_rate: FalseMatches = 1e-4
    """The share of strangers that may pass a search of the whole gallery, as far as the calibration reaches."""
    threshold: Score | None = None
    """A raw score from which a comparison is a match, instead of the rate."""
    margin: Score = 5.0
    """By how much the first candidate must beat the second."""


Recogniser = Literal["tencent-legacy", "tencent-iai", "on-device"]


class PortalSettings(Section):
    camera: Identifier = "front"
    """The name of a camera in [cameras]."""
    relay: str = "sim:door"
    """`sim:NAME` is a simulated relay."""
    recogniser: Recogniser = "tencent-legacy"
    """`tencent-legacy`: /face/identify; `tencent-iai`: SearchPersons; `on-device`: the gallery on this box."""
    fallback: Recogniser | Literal["none"] = "none"
    """Asked while the recogniser cannot be reached; never because it did not recognise somebody."""
    second_opinion: Recogniser | Literal["none"] = "none"
    """Asked about every match; unless it names the same person, nobody is let in. It does not see pictures that may not leave."""
    strategy: Literal["identify"] = "identify"
    cloud_consent: bool = False
    """Whether pictures of people about whom the gallery says nothing may be sent to the cloud. Of others the gallery decides."""
    liveness: LivenessPolicy = "off"
    """`passive`: by looking only; `passive+challenge`: asks for movements where looking leaves doubt; `challenge`: always.

    The eye of this version does not judge yet: anything but `off` lets nobody in.
    """
    verdict_ttl: PositiveSeconds = 1.5
    """Seconds after which a verdict is too late to open anything."""
    presence_within: PositiveSeconds = 0.6
    """The person must have been seen within this many seconds when the relay fires."""
    max_unlock: Annotated[float, Field(gt=0, le=60)] = 10.0
    """Seconds; no rule may unlock for longer."""

    @field_validator("relay")
    @classmethod
    def _known_scheme(cls, url: str) -> str:
        scheme, _, rest = url.partition(":")
        if scheme not in RELAY_SCHEMES or not rest:
            raise ValueError(f"'{url}' is no relay; write sim:NAME")
        return url

    @model_validator(mode="after")
    def _engines_differ(self) -> Self:
        for name in self.engines:
            if self.engines.count(name) > 1:
                raise ValueError(
                    f"'{name}' stands twice among recogniser, fallback and second_opinion; "
                    "an engine cannot stand in for itself, nor confirm itself"
                )
        return self

    @property
    def engines(self) -> tuple[str, ...]:
        """Whoever may be asked, the recogniser first."""
        return (self.recogniser, *(name for name in (self.fallback, self.second_opinion) if name != "none"))


class RuleSettings(Section):
    """One line of policy. Deny rules are tried first, then grants; the first match wins; else deny."""

    name: Identifier
    when: Annotated[str, Field(min_length=1, max_length=2000)]
    """A CEL condition over subject, verdict, quality, presentation, portal and time."""
    effect: Literal["grant", "deny"]
    reason: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,47}$")] = "denied_by_rule"
    """The slug shown and recorded when a deny rule matches."""
    unlock_seconds: Annotated[float, Field(gt=0, le=60)] = 3.0
    portals: tuple[Identifier, ...] = ()
    """The portals this rule is for; empty for all."""


class WebSettings(Section):
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 9180
    """0 takes any free port."""
    events: bool = False
    """Serve the stream of events, which names people; only on loopback."""
    page: bool = False
    """Serve the status page with events and pictures; only on loopback."""

    @model_validator(mode="after")
    def _faces_stay_home(self) -> Self:
        if (self.page or self.events) and not is_loopback(self.host):
            raise ValueError(
                "page and events show faces and names and have no login: with either on, "
                f"host must be loopback, not '{self.host}'"
            )
        return self


class JournalSettings(Section):
    path: Path | None = None
    """The SQLite file; by default `journal.sqlite` in the state directory."""


class Settings(BaseSettings):
    """Read with `configuration.load`; immutable."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter=NESTING, extra="forbid", frozen=True, validate_default=True
    )

    site: SiteSettings = SiteSettings()
    log: LogSettings = LogSettings()
    cameras: dict[Identifier, CameraSettings] = {"front": CameraSettings()}
    quality: QualitySettings = QualitySettings()
    enrolment: EnrolmentSettings = EnrolmentSettings()
    presentation: PresentationSettings = PresentationSettings()
    liveness: LivenessSettings = LivenessSettings()
    eye: EyeSettings = EyeSettings()
    tencent_legacy: TencentLegacySettings = TencentLegacySettings()
    tencent_iai: TencentIaiSettings = TencentIaiSettings()
    on_device: OnDeviceSettings = OnDeviceSettings()
    portals: dict[Identifier, PortalSettings] = {"door": PortalSettings()}
    rules: tuple[RuleSettings, ...] = ()
    journal: JournalSettings = JournalSettings()
    web: WebSettings = WebSettings()

    _file: ClassVar[Mapping[str, Any]] = {}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (the library names it)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (the library names it)
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, InitSettingsSource(settings_cls, dict(cls._file))

    @model_validator(mode="after")
    def _names_meet(self) -> Self:
        for name, portal in self.portals.items():
            if portal.camera not in self.cameras:
                near = did_you_mean(portal.camera, self.cameras)
                raise ValueError(f"portals.{name}.camera is '{portal.camera}', which is not in [cameras]{near}")
        for rule in self.rules:
            for portal_name in rule.portals:
                if portal_name not in self.portals:
                    raise ValueError(
                        f"rule '{rule.name}' is for portal '{portal_name}', which is not in [portals]"
                        f"{did_you_mean(portal_name, self.portals)}"
                    )
        return self

    @model_validator(mode="after")
    def _nothing_is_shared(self) -> Self:
        names = [rule.name for rule in self.rules]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two rules are called '{name}'; names must differ")
        for part in ("relay", "camera"):
            used = [getattr(portal, part) for portal in self.portals.values()]
            for one in used:
                if used.count(one) > 1:
                    raise ValueError(f"two portals share the {part} '{one}'; each needs its own")
        return self

    @property
    def engines(self) -> frozenset[str]:
        """The recognisers that some portal may ask."""
        return frozenset(name for portal in self.portals.values() for name in portal.engines)

    @property
    def gallery_path(self) -> Path:
        return self.on_device.gallery or self.site.state_dir / "gallery.sqlite"

    @property
    def journal_path(self) -> Path:
        return self.journal.path or self.site.state_dir / "journal.sqlite"


def is_loopback(host: str) -> bool:
    return host == "localhost" or host.startswith("127.") or host in {"::1", "[::1]"}
