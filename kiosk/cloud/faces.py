"""The interfaces that look at faces, as commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from kiosk.cloud import drawing
from kiosk.cloud.bar import alive_bar, iai_bar, legacy_bar
from kiosk.cloud.command import Photo, Picture, command, picture
from kiosk.cloud.reply import Drawing, Reply
from kiosk.cloud.session import Session
from kiosk.errors import ConfigurationError
from kiosk.ports import Shape
from kiosk.recognition.tencent import legacy_faces
from kiosk.recognition.tencent.iai.comparing import (
    CompareFace,
    CompareMaskFace,
    DetectFaceSimilarity,
    DetectLiveFaceAccurate,
    VerifyFace,
    VerifyPerson,
)
from kiosk.recognition.tencent.iai.detecting import AnalyzeFace, Detected, DetectFace, DetectFaceAttributes
from kiosk.recognition.tencent.iai.searching import (
    SearchFaces,
    SearchFacesReturnsByGroup,
    SearchPersons,
    SearchPersonsReturnsByGroup,
)
from kiosk.recognition.tencent.legacy import identification

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Ask the vendor's interfaces, and find out why they do not answer."
)

MEASURED, DESCRIBED = 30, 5
"""So many of the largest faces DetectFace measures the quality of, and describes (protocol: DetectFace)."""
_ONE = "A JPEG, PNG or BMP, or an http(s) address."
PhotoA = Annotated[Picture, typer.Argument(parser=picture, metavar="A", help=_ONE)]
PhotoB = Annotated[Picture, typer.Argument(parser=picture, metavar="B", help=_ONE)]
Groups = Annotated[
    list[str] | None, typer.Option("--group", "-g", help="A group to look in; may be repeated. Without it, the configured ones.")
]
Quality = Annotated[int | None, typer.Option(min=0, max=4, help="Refuse pictures worse than this, 4 being the strictest.")]
Rotated = Annotated[bool, typer.Option("--rotated", help="The face may be on its side, and the photo does not say so.")]
Older = Annotated[bool, typer.Option("--legacy", help="Ask the older host instead.")]
Drawn = Annotated[Path | None, typer.Option("--draw", metavar="FILE.png", help="Draw the answer on the photo.")]


@command(app, "identify")
async def identify(cloud: Session, photo: Photo, group: Groups = None) -> Reply:
    """Who is this? /face/identify of the older host; today's is `search`."""
    groups = tuple(group or cloud.settings.tencent_legacy.group_ids)
    request = identification(_some(groups, "tencent_legacy"), image=photo.image, url=photo.url)
    return Reply("identify", await cloud.legacy(request), legacy_bar(cloud.settings, "identify"))


@command(app, "multidentify")
async def multidentify(cloud: Session, photo: Photo, group: Groups = None) -> Reply:
    """Who are these? /face/multidentify of the older host; today's is `search --faces 10`."""
    groups = tuple(group or cloud.settings.tencent_legacy.group_ids)
    request = legacy_faces.MultIdentify(group_ids=_some(groups, "tencent_legacy"), image=photo.image, url=photo.url)
    return Reply("multidentify", await cloud.legacy(request), legacy_bar(cloud.settings, "multidentify"))


@command(app, "compare")
async def compare(
    cloud: Session,
    a: PhotoA,
    b: PhotoB,
    legacy: Older = False,
    similarity: Annotated[
        bool, typer.Option("--similarity", help="DetectFaceSimilarity, the vendor's newest algorithm.")
    ] = False,
    largest: Annotated[bool, typer.Option("--largest", help="Of several faces take the largest, not the surest.")] = False,
    quality: Quality = None,
    rotated: Rotated = False,
) -> Reply:
    """Are these two one person? CompareFace, DetectFaceSimilarity, or /face/compare of the older host."""
    if legacy:
        old = legacy_faces.Compare(image_a=a.image, url_a=a.url, image_b=b.image, url_b=b.url)
        return Reply("compare", await cloud.legacy(old), legacy_bar(cloud.settings, "compare"))
    if similarity:
        newest = DetectFaceSimilarity(a.image, b.image, a.url, b.url, quality_control=quality)
        similar = await cloud.iai(newest)
        return Reply("DetectFaceSimilarity", similar, iai_bar(cloud.settings, "DetectFaceSimilarity", similar))
    scored = await cloud.iai(
        CompareFace(
            *(a.image, b.image, a.url, b.url),
            quality_control=quality,
            need_rotate_detection=rotated or None,
            face_matching_strategy=1 if largest else None,
        )
    )
    return Reply("CompareFace", scored, iai_bar(cloud.settings, "CompareFace", scored))


@command(app, "compare-mask")
async def compare_mask(cloud: Session, a: PhotoA, b: PhotoB, quality: Quality = None) -> Reply:
    """Are these two one person, though one wears a mask? CompareMaskFace."""
    scored = await cloud.iai(CompareMaskFace(a.image, b.image, a.url, b.url, quality_control=quality))
    return Reply("CompareMaskFace", scored, iai_bar(cloud.settings, "CompareMaskFace", scored))


@command(app, "analyze")
async def analyze(
    cloud: Session,
    photo: Photo,
    largest: Annotated[bool, typer.Option("--largest", help="Only the largest face.")] = False,
    rotated: Rotated = False,
    draw: Drawn = None,
) -> Reply:
    """Where do the parts of each face lie? AnalyzeFace: 90 points."""
    request = AnalyzeFace(mode=1 if largest else None, image=photo.image, url=photo.url, need_rotate_detection=rotated or None)
    found = await cloud.iai(request)
    summary = [drawing.summary(shape) for shape in found.face_shape_set]
    return Reply("AnalyzeFace", found, view=summary, drawn=await _draw(cloud, photo, drawing.of_points(found), draw))


@command(app, "detect")
async def detect(
    cloud: Session,
    photo: Photo,
    most: Annotated[int, typer.Option("--faces", min=1, max=120, help="The largest so many.")] = 10,
    least: Annotated[int, typer.Option("--least", help="Pixels: pass smaller faces over; 20 or 34.")] = 34,
    quality: Annotated[bool, typer.Option(help="Measure the picture's quality.")] = True,
    attributes: Annotated[bool, typer.Option(help="Guess age, pose and the like.")] = True,
    describe: Annotated[
        str | None, typer.Option(metavar="WORDS", help="DetectFaceAttributes instead, for these: Mask,Eye,HeadPose …")
    ] = None,
    rotated: Rotated = False,
    draw: Drawn = None,
) -> Reply:
    """Where are the faces, and how good are they? DetectFace, or DetectFaceAttributes."""
    if describe is not None:
        told = await cloud.iai(
            DetectFaceAttributes(most, photo.image, photo.url, describe, need_rotate_detection=rotated or None)
        )
        shapes = drawing.of_descriptions(told, describe)
        return Reply("DetectFaceAttributes", told, drawn=await _draw(cloud, photo, shapes, draw))
    found = await cloud.iai(
        DetectFace(
            max_face_num=most,
            min_face_size=least,
            image=photo.image,
            url=photo.url,
            need_face_attributes=attributes,
            need_quality_detection=quality,
            need_rotate_detection=rotated or None,
        )
    )
    asked = _without_zeros(found, quality=quality, attributes=attributes)
    return Reply("DetectFace", asked, drawn=await _draw(cloud, photo, drawing.of_boxes(asked), draw))


@command(app, "search")
async def search(
    cloud: Session,
    photo: Photo,
    group: Groups = None,
    each_face: Annotated[bool, typer.Option("--each-face", help="SearchFaces: a person's faces count singly.")] = False,
    by_group: Annotated[bool, typer.Option("--by-group", help="The likeliest of each group, apart.")] = False,
    faces: Annotated[int, typer.Option(min=1, max=10, help="Look for so many of the photo's faces.")] = 1,
    most: Annotated[int, typer.Option("--most", min=1, max=100, help="Candidates at most.")] = 5,
    names: Annotated[bool, typer.Option("--names", help="With names and groups.")] = False,
    quality: Quality = None,
    rotated: Rotated = False,
) -> Reply:
    """Who is this? SearchPersons, SearchFaces, and both by group."""
    groups = _some(tuple(group or cloud.settings.tencent_iai.group_ids), "tencent_iai")
    shared: dict[str, Any] = {
        "need_person_info": names,
        "quality_control": quality,
        "need_rotate_detection": rotated or None,
    }
    if by_group:
        of_each = SearchFacesReturnsByGroup if each_face else SearchPersonsReturnsByGroup
        apart = of_each(groups, photo.image, photo.url, faces, max_person_num_per_group=most, **shared)
        found_apart = await cloud.iai(apart)
        return Reply(apart.action(), found_apart, iai_bar(cloud.settings, apart.action(), found_apart))
    of_all = SearchFaces if each_face else SearchPersons
    together = of_all(groups, photo.image, photo.url, faces, max_person_num=most, **shared)
    found = await cloud.iai(together)
    return Reply(together.action(), found, iai_bar(cloud.settings, together.action(), found))


@command(app, "verify")
async def verify(
    cloud: Session,
    person: Annotated[str, typer.Argument(help="The person's id.")],
    photo: Photo,
    merged: Annotated[bool, typer.Option("--merged", help="VerifyPerson: against the person's faces merged into one.")] = False,
    quality: Quality = None,
    rotated: Rotated = False,
) -> Reply:
    """Is this that person? VerifyFace, or VerifyPerson."""
    kind = VerifyPerson if merged else VerifyFace
    request = kind(person, photo.image, photo.url, quality, rotated or None)
    found = await cloud.iai(request)
    return Reply(request.action(), found, iai_bar(cloud.settings, request.action(), found))


@command(app, "liveness")
async def liveness(cloud: Session, photo: Photo) -> Reply:
    """Is this a live face, or a picture of one? DetectLiveFaceAccurate."""
    return Reply("DetectLiveFaceAccurate", await cloud.iai(DetectLiveFaceAccurate(photo.image, photo.url)), alive_bar())


async def _draw(cloud: Session, photo: Picture, shapes: list[Shape], file: Path | None) -> Drawing | None:
    return None if file is None else Drawing(file, await cloud.draw(photo.photo, shapes))


def _some(groups: tuple[str, ...], section: str) -> tuple[str, ...]:
    if not groups:
        raise ConfigurationError("configuration_invalid", f"which groups? Give --group, or set {section}.group_ids")
    return groups


def _without_zeros(found: Detected, *, quality: bool, attributes: bool) -> Detected:
    """What was not asked for, or not measured on so many faces, comes as zeros, which would look like measures."""
    faces = [
        msgspec.structs.replace(
            face,
            face_quality_info=face.face_quality_info if quality and index < MEASURED else None,
            face_attributes_info=face.face_attributes_info if attributes and index < DESCRIBED else None,
        )
        for index, face in enumerate(found.face_infos)
    ]
    return msgspec.structs.replace(found, face_infos=faces)
