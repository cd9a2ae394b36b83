"""Where the faces of a picture are, how good they are, where their parts lie, and whether the largest looks alive.

The eye knows pose, smile, open eyes and mouth, a mask, covered parts, sharpness and brightness. What it does not know is null
where the vendor's types allow it, else the zero that the vendor sends for what was not asked.
"""

from __future__ import annotations

from kiosk.ports import WORN, AnalysedFace, AnalysedPhoto, Wish
from kiosk.sandbox.iai.actions import Action, Answer
from kiosk.sandbox.iai.comparing import MODEL
from kiosk.sandbox.iai.parameters import Choice, FacesToFind, Model, OnePicture, SmallestFace, Switch
from kiosk.sandbox.iai.pictures import Pictures, rectangle
from kiosk.sandbox.iai.shapes import shape
from kiosk.sandbox.refusals import Refused

_MOST_ANALYSED = 10
_MOST_ATTRIBUTES, _MOST_QUALITIES = 5, 30
"""Faces, the largest, whose attributes and quality are given; those of the others are zeros."""
_PARTS = ("Eyebrow", "Eye", "Nose", "Cheek", "Mouth", "Chin")
_MASKS = {"none": 0, "on_chin": 2, "mouth_only": 3, "worn": 4}
"""How a mask is worn, by the vendor's numbers."""
_ATTRIBUTES = frozenset(
    {
        *("none", "age", "beauty", "emotion", "eye", "eyebrow", "gender", "hair", "hat", "headpose", "mask", "mouth"),
        *("moustache", "nose", "shape", "skin", "smile"),
    }
)
_LEAST_ALIVE = 100
"""Pixels that a face must be larger than to be judged, says the vendor."""
_NOTHING: Answer = {"Type": 0, "Probability": 0}
_HALF = 0.5
"""Of a blendshape: from here on an eye counts as closed, a mouth as open."""


class AnalyzeFace(OnePicture, frozen=True, kw_only=True):
    mode: Choice = 0
    face_model_version: Model = MODEL
    need_rotate_detection: Switch = 0


class DetectFace(OnePicture, frozen=True, kw_only=True):
    max_face_num: FacesToFind = 1
    min_face_size: SmallestFace = 34
    need_face_attributes: Switch = 0
    need_quality_detection: Switch = 0
    face_model_version: Model = MODEL
    need_rotate_detection: Switch = 0


class DetectFaceAttributes(OnePicture, frozen=True, kw_only=True):
    max_face_num: FacesToFind = 1
    face_attributes_type: str = "None"
    need_rotate_detection: Switch = 0
    face_model_version: Model = MODEL


class DetectLiveFaceAccurate(OnePicture, frozen=True, kw_only=True):
    face_model_version: Model = MODEL


class Detecting:
    """The eye looks at no more than twenty faces of a picture, however many are asked for."""

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures

    def actions(self) -> tuple[Action, ...]:
        return (
            Action.of(AnalyzeFace, self._analyse),
            Action.of(DetectFace, self._detect),
            Action.of(DetectFaceAttributes, self._describe),
            Action.of(DetectLiveFaceAccurate, self._judge_liveness),
        )

    async def _analyse(self, sent: AnalyzeFace) -> Answer:
        wish = Wish(quality=False, embed="none", landmarks=True, rotate=sent.need_rotate_detection == 1)
        photo = await self._pictures.look(sent.image, sent.url, wish)
        faces = photo.faces[: 1 if sent.mode == 1 else _MOST_ANALYSED]
        shapes = [shape(face.landmarks) for face in faces if face.landmarks is not None]
        if not shapes:
            raise Refused("FailedOperation.ImageFacedetectFailed")
        return {**_size(photo), "FaceShapeSet": shapes, "FaceModelVersion": MODEL}

    async def _detect(self, sent: DetectFace) -> Answer:
        described = _MOST_ATTRIBUTES if sent.need_face_attributes == 1 else 0
        judged = _MOST_QUALITIES if sent.need_quality_detection == 1 else 0
        wish = Wish(quality=max(described, judged) > 0, embed="none", mask=described > 0, rotate=sent.need_rotate_detection == 1)
        photo = await self._pictures.look(sent.image, sent.url, wish)
        faces = [face for face in photo.faces if face.face.box.short_side >= sent.min_face_size][: sent.max_face_num]
        if not faces:
            raise Refused("FailedOperation.FaceSizeTooSmall")
        infos = [
            {
                **rectangle(face.face.box),
                "FaceAttributesInfo": _attributes(face if number < described else None),
                "FaceQualityInfo": _quality(face if number < judged else None),
            }
            for number, face in enumerate(faces)
        ]
        return {**_size(photo), "FaceInfos": infos, "FaceModelVersion": MODEL}

    async def _describe(self, sent: DetectFaceAttributes) -> Answer:
        wanted = {word.strip().casefold() for word in sent.face_attributes_type.split(",")}
        if not wanted <= _ATTRIBUTES:
            raise Refused("InvalidParameter.InvalidParameter", "FaceAttributesType holds an unknown word")
        measured = not wanted <= {"mask", "none"}
        wish = Wish(quality=measured, embed="none", mask="mask" in wanted, rotate=sent.need_rotate_detection == 1)
        photo = await self._pictures.look(sent.image, sent.url, wish)
        infos = [
            {
                "FaceRect": rectangle(face.face.box),
                "FaceDetailAttributesInfo": _details(face, wanted if number < _MOST_ATTRIBUTES else set()),
            }
            for number, face in enumerate(photo.faces[: sent.max_face_num])
        ]
        return {**_size(photo), "FaceDetailInfos": infos, "FaceModelVersion": MODEL}

    async def _judge_liveness(self, sent: DetectLiveFaceAccurate) -> Answer:
        """What one picture tells the anti-spoofing network, in per cent: the scale is not the vendor's, whose is not known."""
        photo = await self._pictures.look(sent.image, sent.url, Wish(quality=False, embed="none", live=True))
        face = photo.faces[0]
        if face.face.box.short_side <= _LEAST_ALIVE:
            raise Refused("FailedOperation.FaceSizeTooSmall")
        return {"Score": round(face.live, 4), "FaceModelVersion": MODEL}


def _size(photo: AnalysedPhoto) -> dict[str, int]:
    return {"ImageWidth": photo.width, "ImageHeight": photo.height}


def _attributes(face: AnalysedFace | None) -> Answer:
    pitch, yaw, roll = _pose(face)
    known = face is not None
    return {
        "Gender": 0,
        "Age": 0,
        "Expression": round(_smile(face)) if face else 0,
        "Hat": None if known else False,
        "Glass": False,
        "EyeOpen": _eyes_open(face) if face else False,
        "Mask": _masked(face) if face else False,
        "Hair": None if known else {"Length": 0, "Bang": 0, "Color": 0},
        "Pitch": pitch,
        "Yaw": yaw,
        "Roll": roll,
        "Beauty": 0,
    }


def _quality(face: AnalysedFace | None) -> Answer:
    measures = face.quality.measures if face else {}
    return {
        "Score": _rounded(measures.get("Score")) if face else 0,
        "Sharpness": _rounded(measures.get("Sharpness")) if face else 0,
        "Brightness": _rounded(measures.get("Brightness")) if face else 0,
        "Completeness": {part: _rounded(measures.get(f"Completeness{part}")) if face else 0 for part in _PARTS},
    }


def _rounded(measure: float | None) -> int | None:
    return None if measure is None or measure < 0 else round(measure)


def _pose(face: AnalysedFace | None) -> tuple[int, int, int]:
    """Pitch and yaw within ±30, as the vendor's; zeros where not known."""
    pose = face.face.pose if face else None
    if pose is None:
        return 0, 0, 0
    return round(min(max(pose.pitch, -30), 30)), round(min(max(pose.yaw, -30), 30)), round(pose.roll)


def _smile(face: AnalysedFace) -> float:
    return 100 * _mean(face, "mouthSmileLeft", "mouthSmileRight")


def _eyes_open(face: AnalysedFace) -> bool | None:
    blinks = [face.face.blendshapes.get(name) for name in ("eyeBlinkLeft", "eyeBlinkRight")]
    known = [blink for blink in blinks if blink is not None]
    return max(known) < _HALF if known else None


def _masked(face: AnalysedFace) -> bool | None:
    return face.mask >= WORN if face.mask >= 0 else None


def _mean(face: AnalysedFace, *names: str) -> float:
    return sum(face.face.blendshapes.get(name, 0.0) for name in names) / len(names)


def _details(face: AnalysedFace, wanted: set[str]) -> Answer:
    """In the vendor's order; all that was asked for and is not known has probability 0."""
    pitch, yaw, roll = _pose(face if "headpose" in wanted else None)
    return {
        "Age": 0,
        "Beauty": 0,
        "Emotion": _NOTHING,
        "Eye": {**_unknown("Glass", "EyeOpen", "EyelidType", "EyeSize"), **(_eye(face) if "eye" in wanted else {})},
        "Eyebrow": _unknown("EyebrowDensity", "EyebrowCurve", "EyebrowLength"),
        "Gender": _NOTHING,
        "Hair": _unknown("Length", "Bang", "Color"),
        "Hat": _unknown("Style", "Color"),
        "HeadPose": {"Pitch": pitch, "Yaw": yaw, "Roll": roll},
        "Mask": _mask(face) if "mask" in wanted else _NOTHING,
        "Mouth": {"MouthOpen": _item(_mean(face, "jawOpen")) if "mouth" in wanted and face.face.blendshapes else _NOTHING},
        "Moustache": _NOTHING,
        "Nose": _NOTHING,
        "Shape": _NOTHING,
        "Skin": _NOTHING,
        "Smile": round(_smile(face)) if "smile" in wanted else 0,
    }


def _unknown(*names: str) -> dict[str, Answer]:
    return dict.fromkeys(names, _NOTHING)


def _eye(face: AnalysedFace) -> Answer:
    """Here, the vendor has 0 for open."""
    shut = max((face.face.blendshapes.get(name, 0.0) for name in ("eyeBlinkLeft", "eyeBlinkRight")), default=0.0)
    return {"EyeOpen": _item(shut)} if face.face.blendshapes else {}


def _mask(face: AnalysedFace) -> Answer:
    """Where the covered parts do not say how it is worn, the classifier says whether: 4 or 0."""
    if face.mask < 0:
        return _NOTHING
    kind = _MASKS.get(face.quality.mask, 4 if face.mask >= WORN else 0)
    return {"Type": kind, "Probability": round(max(face.mask, 1 - face.mask), 4)}


def _item(share: float) -> Answer:
    """Type 1 from one half on; the surer, the farther from it."""
    return {"Type": int(share >= _HALF), "Probability": round(max(share, 1 - share), 4)}
