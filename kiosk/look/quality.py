"""`kiosk quality report`."""

from __future__ import annotations

import asyncio
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from kiosk.domain import Box
from kiosk.enrolment.command import write
from kiosk.enrolment.profile import Profile, Reason
from kiosk.errors import CameraError, KioskError, PhotoRejected
from kiosk.eye.pool import PhotoPool
from kiosk.look import page, told
from kiosk.look.command import Desk, desk_of, print_json, progress
from kiosk.look.grading import Graded, Summary, reasons_of, summary, worst_first
from kiosk.look.photos import files_in, shown
from kiosk.look.seeing import TURNING, in_turn, pool, see
from kiosk.ports import AnalysedPhoto
from kiosk.settings import EnrolmentSettings
from kiosk.terminal import Config, Json, Overrides, printable

app = typer.Typer(no_args_is_help=True, add_completion=False, help="How good photos are, before anybody is enrolled with them.")

PAGE = Path("quality-report.html")
_THUMBNAIL = 224
"""Pixels: sharp enough on a telephone, and some 8 KB."""


@app.callback()
def _commands() -> None:
    """So that `report` is named even while it is the only one."""


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Photos, also in sub-folders; nothing is changed or enrolled.")],
    out: Annotated[Path | None, typer.Option(metavar="FILE.html", help=f"The page; by default {PAGE}, none with --json.")] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    json: Json = False,
    config: Config = None,
    overrides: Overrides = None,
) -> None:
    """Grade photos as enrolment will: a page with pictures, reasons and histograms. Exit 1 where one would be refused."""
    desk = desk_of(config, overrides)
    section = desk.settings.enrolment
    profile = Profile(section.level, section.min_inter_eye)
    held_to = profile.asked_of(section)
    target = out or (None if json and not open_it else PAGE)
    graded = asyncio.run(_grade(desk, folder, _photos_in(folder, target), profile, held_to))
    found = summary(graded, held_to)
    if target is not None:
        write(target, page.render(shown(folder.resolve()), graded, found, held_to, desk.settings.site.language))
    if json:
        print_json(_as_json(graded, found, desk))
    else:
        _show(desk, found, target)
    if target is not None and open_it:
        webbrowser.open(target.resolve().as_uri())
    if found.refused:
        raise typer.Exit(1)


def _photos_in(folder: Path, page_file: Path | None) -> list[Path]:
    """Without the page of an earlier run. Raises KioskError where there is nothing."""
    files = [file for file in files_in(folder) if page_file is None or file.absolute() != page_file.absolute()]
    if not files:
        raise KioskError("nothing_to_import", f"{shown(folder)} holds no files")
    return files


async def _grade(desk: Desk, folder: Path, files: Sequence[Path], profile: Profile, held_to: EnrolmentSettings) -> list[Graded]:
    with progress(desk, len(files) > 1) as bar:
        task = bar.add_task("photos", total=len(files))
        async with pool(desk.settings, held_to) as eyes:
            graded = []
            async for one in in_turn(lambda file: _graded(eyes, folder, file, profile), files):
                graded.append(one)
                bar.advance(task)
    return graded


async def _graded(eyes: PhotoPool, folder: Path, file: Path, profile: Profile) -> Graded:
    seen, photo = await see(eyes, file, TURNING)
    label, reasons = shown(file.relative_to(folder)), reasons_of(seen, profile)
    if seen.photo is None:
        return Graded(label, seen, reasons)
    try:
        thumbnail = await eyes.thumbnail(photo, _worth_showing(seen.photo), seen.photo.turned, _THUMBNAIL)
    except (PhotoRejected, CameraError) as error:
        # It was seen once; what cannot be shown is not vouched for.
        return Graded(label, seen, (*reasons, Reason(error.slug, error.detail)))
    return Graded(label, seen, reasons, thumbnail)


def _worth_showing(photo: AnalysedPhoto) -> Box:
    """The only face, or everything."""
    return photo.faces[0].face.box if len(photo.faces) == 1 else Box(0, 0, photo.width, photo.height)


def _as_json(graded: Sequence[Graded], found: Summary, desk: Desk) -> dict[str, object]:
    language = desk.settings.site.language
    return {
        "counts": {"accepted": found.accepted, "refused": found.refused, "no_picture": found.no_pictures},
        "reasons": dict(found.reasons),
        "grades": {str(grade): count for grade, count in enumerate(found.grades)},
        "photos": [
            {
                **told.of_picture(one.seen, language),
                "source": one.label,
                "outcome": one.outcome,
                "reasons": [{"slug": reason.slug, "words": reason.in_words(language)} for reason in one.reasons],
            }
            for one in (*worst_first(graded), *(one for one in graded if one.outcome == "no_picture"))
        ],
    }


def _show(desk: Desk, found: Summary, target: Path | None) -> None:
    console = desk.console
    console.print(f"[green]{found.accepted}[/] of {found.photos} photos would be accepted, [red]{found.refused}[/] refused")
    for slug, count in found.reasons:
        console.print(f"  {count:>5}  {slug}", Reason(slug).in_words(desk.settings.site.language), style="dim", soft_wrap=True)
    if found.no_pictures:
        console.print(f"[yellow]{found.no_pictures}[/] files are no pictures")
    if target is not None:
        console.print(
            f"written to {printable(shown(target))}: it shows faces, delete it when it has served", markup=False, soft_wrap=True
        )
