"""How the quality measures answer to pictures spoilt by a known amount, and which gates fire.

Faces of openpeople at 160 px; covers, glasses and masks are drawn, turned heads are rendered from the landmarks' mesh.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from kiosk.bench import spoiling
from kiosk.bench.quality_plot import plot
from kiosk.bench.report import Report, median
from kiosk.bench.spoiling import Face
from kiosk.capture import masks
from kiosk.capture.script import assets
from kiosk.domain import QualityReport
from kiosk.metrics import GATES
from kiosk.settings import EnrolmentSettings, EyeSettings, QualitySettings, SiteSettings
from kiosk.vision.assessor import Assessor, load
from kiosk.vision.measures import OCCLUDED
from kiosk.vision.pixels import Image, cut, shrink

ACROSS, MARGIN = 160, 0.6
"""Pixels of a face, and what is kept round it, of its box."""
NOT_OF_ONE_FACE = frozenset({"several_faces"})
"""Gates of a presentation, not of a picture of a face."""
_SHAPES: Mapping[masks.Shape, str] = {"high": "worn", "middle": "worn", "low": "mouth_only", "chin": "on_chin"}
_CLOTHS = ("white", "blue", "black", "pink", "stripes", "skin")
_GLASSES = ("black", "grey", "blue", "clear")

SWEEPS: Mapping[str, tuple[Callable[[Face, float], Image], Sequence[float], Sequence[str]]] = {
    "blur σ px": (spoiling.blur, (0, 0.5, 1, 1.5, 2, 3, 4), ("Sharpness", "CompletenessEye", "CompletenessMouth", "Score")),
    "gamma": (
        spoiling.gamma,
        (0.2, 0.4, 0.7, 1, 1.5, 2.5, 4, 6),
        ("Brightness", "LuminanceMean", "UnderExposurePrevention", "OverExposurePrevention", "DynamicRange"),
    ),
    "face px": (spoiling.scale, (30, 40, 60, 80, 120, 160), ("InterEyeDistance", "Sharpness", "CompletenessEye", "Score")),
    "JPEG quality": (spoiling.jpeg, (5, 10, 20, 40, 60, 80, 95), ("Sharpness", "CompletenessEye", "CompletenessNose", "Score")),
    "fog share": (spoiling.fog, (0, 0.3, 0.6, 0.8, 0.9, 0.95), ("DynamicRange", "CompletenessEye", "CompletenessChin")),
    "side light stops": (
        spoiling.side_light,
        (0, 0.5, 1, 2, 3, 5),
        ("IlluminationUniformity", "Brightness", "CompletenessCheek"),
    ),
    "yaw °": (
        lambda face, angle: spoiling.turn(face, yaw=angle),
        tuple(range(-60, 61, 15)),
        ("HeadPoseYaw", "HeadPosePitch", "CompletenessEye", "CompletenessCheek"),
    ),
    "pitch °": (
        lambda face, angle: spoiling.turn(face, pitch=angle),
        tuple(range(-45, 46, 15)),
        ("HeadPosePitch", "HeadPoseYaw", "CompletenessEye", "CompletenessChin"),
    ),
    "roll °": (spoiling.roll, tuple(range(-45, 46, 15)), ("HeadPoseRoll", "HeadPoseYaw", "CompletenessMouth")),
}


class Campaign:
    """Counts which gates fired. Threads: one at a time."""

    def __init__(self, people: int) -> None:
        self._people = people
        models = SiteSettings().models_dir
        self.networks = load(models, EyeSettings(landmarker="litert"), (320, 640), embed=False, mask=True)
        self.fired: Counter[str] = Counter()
        self._assessors = {
            "door": QualitySettings(),
            "enrolment": EnrolmentSettings(),
            "level 4": QualitySettings(level=4),
            "no masks": QualitySettings(mask="refused"),
            "only masks": QualitySettings(mask="required"),
        }

    def look(self, image: Image, held_to: str = "door") -> QualityReport | None:
        """Of the largest face; None where none is found."""
        faces = self.networks.finder.find(image)
        if not faces:
            return None
        report = Assessor(self.networks, self._assessors[held_to]).closely(image, faces[0]).report
        self.fired.update(report.defects)
        return report

    def faces(self, kinds: Sequence[str]) -> Iterator[Face]:
        """Of every person and kind of picture: the face alone, of a sheet all of them."""
        for number in range(1, self._people + 1):
            for kind in kinds:
                file = assets(f"P{number:03}").parent / "assets" / f"{kind}.jpg"
                image = np.asarray(cv2.imread(str(file)), np.uint8)
                found = self.networks.finder.find(image)
                for face in found if "sheet" in kind else found[:1]:
                    part, _ = cut(image, face.box.grown(MARGIN))
                    part = shrink(part, ACROSS / face.box.width)
                    again = self.networks.finder.find(part)
                    seen = self.networks.landmarker.locate(part, again[0].box) if again else None
                    if seen is not None:
                        yield Face(f"{file.parent.parent.name} {kind}", part, seen.points)


def measure(report: Report, folder: Path | None, people: int) -> list[str]:
    """Adds all tables, writes the plots into `folder`, and names the gates that never fired. `people`: 1–10."""
    campaign = Campaign(people)
    portraits = list(campaign.faces(["studio_portrait", "amateur_selfie"]))
    _good(report, campaign, portraits)
    lines = {name: _sweep(report, campaign, portraits, name) for name in SWEEPS}
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        plot(lines, folder / "responses.png")
    _covers(report, campaign, portraits)
    _masks(report, campaign, portraits)
    _glasses(report, campaign, portraits)
    _turn_around(report, campaign)
    return _gates(report, campaign, portraits)


def _good(report: Report, campaign: Campaign, portraits: Sequence[Face]) -> None:
    sheets = list(campaign.faces(["emotions_sheet"]))
    rows = []
    for name, faces in (("portraits and selfies", portraits), ("expressions", sheets)):
        seen = [one for face in faces if (one := campaign.look(face.image))]
        strict = [one for face in faces if (one := campaign.look(face.image, "enrolment"))]
        refused = Counter(defect for one in seen for defect in one.defects)
        row: dict[str, object] = {"pictures": name, "faces": len(seen)}
        row |= {f"level_{level}": _share(one.grade < level for one in seen) for level in (1, 2, 3, 4)}
        rows.append({**row, "enrolment": _share(not one.usable for one in strict), "why": " ".join(refused) or "-"})
    method = (
        f"share of bare faces, {ACROSS} px wide, refused where a level is asked for, and by the enrolment section; among the "
        "expressions are closed eyes and hands before the face, which ought to be."
    )
    report.add("good pictures refused", method, rows)


def _sweep(report: Report, campaign: Campaign, faces: Sequence[Face], name: str) -> dict[str, list[tuple[float, float]]]:
    spoil, amounts, shown = SWEEPS[name]
    lines: dict[str, list[tuple[float, float]]] = defaultdict(list)
    rows = []
    for amount in amounts:
        seen = [one for face in faces if (one := campaign.look(spoil(face, amount)))]
        row: dict[str, object] = {name: f"{amount:g}", "found": len(seen)}
        for measured in shown:
            values = [one.measures[measured] for one in seen if one.measures[measured] >= 0]
            row[measured] = f"{median(values):.0f}" if values else "-"
            lines[measured] += [(amount, median(values))] if values else []
        rows.append({**row, "refused": _share(not one.usable for one in seen)})
    report.add(f"response to {name}", f"median over {len(faces)} portraits and selfies, as far as found and told", rows)
    return lines


def _covers(report: Report, campaign: Campaign, faces: Sequence[Face]) -> None:
    rows = []
    for part in OCCLUDED:
        for texture in spoiling.TEXTURES:
            pictures = [spoiling.cover(face, part, texture) for face in faces]
            seen = [one for picture in pictures if (one := campaign.look(picture, "level 4"))]
            called = {
                each: _share(0 <= one.measures[f"Completeness{each}"] <= OCCLUDED[each] for one in seen) for each in OCCLUDED
            }
            unknown = _share(one.measures[f"Completeness{part}"] < 0 for one in seen)
            rows.append({"covered": part, "by": texture, "found": len(seen), **called, "own_unknown": unknown})
    report.add("covered parts", f"share of {len(faces)} faces of which each part is called covered; drawn covers", rows)


def _masks(report: Report, campaign: Campaign, faces: Sequence[Face]) -> None:
    states = ("none", "on_chin", "mouth_only", "worn", "other_cover", "unknown")
    rows = []
    for shape, truth in _SHAPES.items():
        for cloth in _CLOTHS:
            pictures = [masks.draw(face.image, face.points[:, :2], 1, [shape], [cloth]) for face in faces]
            seen = [one for picture in pictures if (one := campaign.look(picture))]
            refused = _share(not one.usable for one in seen)
            row: dict[str, object] = {"mask": shape, "cloth": cloth, "is": truth, "found": len(seen)}
            rows.append({**row, **{state: sum(one.mask == state for one in seen) for state in states}, "refused": refused})
            for picture in pictures[:3]:
                campaign.look(picture, "no masks")
    bare = [one for face in faces if (one := campaign.look(face.image, "only masks"))]
    row = {"mask": "-", "cloth": "-", "is": "none", "found": len(bare)}
    rows.append({**row, **{state: sum(one.mask == state for one in bare) for state in states}, "refused": "-"})
    method = "faces by what they are called; `high`: to the bridge of the nose; `middle`: to its tip; masks being allowed"
    report.add("masks, drawn", method, rows)


def _glasses(report: Report, campaign: Campaign, faces: Sequence[Face]) -> None:
    rows = []
    for name, draw, textures in (("glasses", spoiling.sunglasses, _GLASSES), ("hat", spoiling.hat, ("black", "blue", "stripes"))):
        part = "Eye" if name == "glasses" else "Eyebrow"
        for texture in textures:
            seen = [one for face in faces if (one := campaign.look(draw(face, texture), "level 4"))]
            values = [one.measures[f"Completeness{part}"] for one in seen]
            covered, unknown = _share(0 <= value <= OCCLUDED[part] for value in values), _share(value < 0 for value in values)
            closed = _share("eyes_closed" in one.defects for one in seen)
            rows.append(
                {"worn": name, "of": texture, "found": len(seen), "covered": covered, "unknown": unknown, "closed": closed}
            )
    report.add("dark glasses and hats, drawn", "share of faces whose eyes, or under a hat brows, are called covered", rows)


def _turn_around(report: Report, campaign: Campaign) -> None:
    """Front views are level; of profiles, ±90°, the finder sees only some and the mesh no more than half."""
    heads: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for number in range(1, 11):
        file = assets(f"P{number:03}").parent / "assets" / "character_sheet.jpg"
        image = np.asarray(cv2.imread(str(file)), np.uint8)
        for index, view in enumerate(("front", "left", "back", "right")):
            width = image.shape[1] // 4
            part = np.ascontiguousarray(image[: image.shape[0] * 2 // 5, index * width : (index + 1) * width])
            for face in campaign.networks.finder.find(part)[:1]:
                seen = campaign.networks.landmarker.locate(part, face.box)
                heads[view] += [(seen.pose.yaw, seen.pose.pitch, seen.pose.roll)] if seen else []
    rows = []
    for view, poses in sorted(heads.items()):
        yaw, pitch, roll = (np.array(values) for values in zip(*poses, strict=True))
        row: dict[str, object] = {"view": view, "of 10": len(poses), "yaw": f"{np.median(yaw):.1f}"}
        row |= {"worst_from_0": f"{np.abs(yaw).max():.1f}", "pitch": f"{np.median(pitch):.1f}", "roll": f"{np.median(roll):.1f}"}
        rows.append(row)
    report.add("pose on the turn-around sheets", "median angles, degrees; front is 0°, left and right are 90°", rows)


def _gates(report: Report, campaign: Campaign, faces: Sequence[Face]) -> list[str]:
    """What the tables did not show yet, then which gates fired."""
    for face in faces[:3]:
        campaign.look(
            np.asarray(cv2.cvtColor(cv2.cvtColor(face.image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8), "level 4"
        )
        for picture in _cropped(face):
            campaign.look(picture)
        (found, *_) = campaign.networks.finder.find(face.image)
        noise = np.random.default_rng(0).integers(60, 200, face.image.shape, dtype=np.uint8)
        campaign.fired.update(Assessor(campaign.networks, QualitySettings()).grade(noise, found).report.defects)
    gates = [gate for gate in GATES if gate not in NOT_OF_ONE_FACE]
    report.add(
        "gates",
        "how often each gate fired in all of the above",
        [{"gate": each, "fired": campaign.fired[each]} for each in gates],
    )
    return [gate for gate in gates if not campaign.fired[gate]]


def _cropped(face: Face) -> Iterator[Image]:
    """So near that it fills the height, and half out of the picture."""
    left, top = (int(value) for value in face.points[:, :2].min(axis=0))
    right, bottom = (int(value) for value in face.points[:, :2].max(axis=0))
    reach = (bottom - top) // 40
    yield np.ascontiguousarray(face.image[max(top - reach, 0) : bottom + reach])
    yield np.ascontiguousarray(face.image[:, : (left + 2 * right) // 3])


def _called(seen: Sequence[QualityReport], part: str) -> str:
    """The share whose part is called covered."""
    return _share(0 <= one.measures[f"Completeness{part}"] <= OCCLUDED[part] for one in seen)


def _share(hits: Iterable[bool]) -> str:
    values = list(hits)
    return f"{sum(values) / len(values):.0%}" if values else "-"
