"""The eye: quality, presentation, liveness, and the process itself."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from kiosk.settings.base import PositiveSeconds, Score, Section


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
    """What runs the landmark networks, with the same result; `auto`: MediaPipe where the processor can run it, else LiteRT.
    LiteRT takes a fifth less time and 46 MB less: the choice for a small box."""
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

    every: Annotated[float, Field(ge=0.02, le=1)] = 0.05
    """Seconds between two votes about the same face, at least; each takes 4 ms."""
    votes: Annotated[int, Field(ge=3, le=50)] = 3
    """Votes whose median decides; each costs a frame. With 5, nothing else came out on simulated attacks, on clips less doubt."""
    live_from: Score = 60.0
    """0–100: a median from here on is alive."""
    attack_below: Score = 20.0
    """0–100: a median up to here is an attack; between the two it is doubtful."""
    within: PositiveSeconds = 3.0
    """Seconds for the votes; a face that gave too few by then is doubtful."""
    tasks: Annotated[tuple[Task, ...], Field(min_length=2)] = ("blink", "turn_left", "turn_right", "nod", "open_mouth")
    """What a challenge may ask for; turns among them, since every challenge asks for one: what is flat cannot do it."""
    asked: Annotated[int, Field(ge=1, le=5)] = 2
    """How many of them one challenge asks for, in random order."""
    task_within: PositiveSeconds = 5.0
    """Seconds for each task, and for looking ahead before it."""
    gap: PositiveSeconds = 0.6
    """Seconds the face may be out of sight during a challenge."""
    cloud: bool = False
    """Also ask DetectLiveFaceAccurate of [tencent_iai] about whoever looks alive or doubtful: 40 of 100 is enough, 90 in doubt.

    Not about pictures that may not leave the device. Where it does not answer, nobody is let in.
    """
    same_person: Annotated[float, Field(ge=0, le=1)] = 0.36
    """Cosine to the first face; below it, somebody else took over. SFace's authors tell people apart by 0.363."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.attack_below >= self.live_from:
            raise ValueError(f"attack_below {self.attack_below:g} must be less than live_from {self.live_from:g}")
        if len(set(self.tasks)) < len(self.tasks) or self.asked > len(self.tasks):
            raise ValueError(f"{self.asked} different tasks cannot be asked out of {', '.join(self.tasks)}")
        if not {"turn_left", "turn_right"} & set(self.tasks):
            raise ValueError("tasks must hold turn_left or turn_right: without a turn, a flat picture passes")
        return self
