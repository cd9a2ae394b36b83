"""The commands that look after the gallery as a whole."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table

from kiosk import slugs
from kiosk.enrolment import export as exporting
from kiosk.enrolment.command import Desk, at_desk, group_of, write
from kiosk.enrolment.health import Finding, examine, similar_pairs
from kiosk.enrolment.people import Yes, confirm
from kiosk.enrolment.profile import GRADE
from kiosk.enrolment.report import format_of
from kiosk.enrolment.rows import moment
from kiosk.errors import KioskError
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.on_device.keys import read_key
from kiosk.terminal import Config, Json, Overrides, plain

_MOST_TOLD = 20
"""Findings of one kind that are listed on the terminal."""


def add_to(app: typer.Typer) -> None:
    app.command()(health)
    app.command()(export)
    app.command()(deletions)
    app.command()(backup)
    app.command()(restore)
    app.command("rotate-key")(rotate_key)


def health(
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 where anything is found.")] = False,
    least_photos: Annotated[int, typer.Option("--least-photos", min=1, help="So many references everybody should have.")] = 2,
    least_grade: Annotated[int, typer.Option("--least-grade", min=0, max=4, help="Of the best reference.")] = GRADE,
    every: Annotated[bool, typer.Option("--all", help="List every finding.")] = False,
    as_json: Json = False,
    config: Config = None,
    overrides: Overrides = None,
) -> None:
    """Find whom the door would not know, and who is too much like somebody else."""
    with at_desk(config, overrides, as_json=as_json) as desk, desk.gallery() as gallery:
        found = examine(gallery, desk.settings.on_device, least_photos, least_grade)
        if as_json:
            counts = {slug: len(list(some)) for slug, some in itertools.groupby(sorted(f.slug for f in found))}
            desk.show({"persons": gallery.person_count, "faces": len(gallery), "counts": counts, "findings": _plain(found)})
        else:
            _tell_findings(desk, found, gallery.person_count, _MOST_TOLD if not every else len(found))
    if strict and found:
        raise typer.Exit(1)


def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=".csv, .json, or .html for a contact sheet.")],
    kind: Annotated[
        Literal["csv", "json", "html"] | None, typer.Option("--format", help="By default by the file's name.")
    ] = None,
    group: Annotated[list[str] | None, typer.Option("--group", "-g", help="Only who is in it; may be repeated.")] = None,
    config: Config = None,
    overrides: Overrides = None,
) -> None:
    """Write everybody into a file. It names people, and a contact sheet shows their faces."""
    named = format_of(file, kind)
    with at_desk(config, overrides) as desk, desk.gallery() as gallery:
        groups = [group_of(gallery, group_id).group_id for group_id in group or ()]
        people = gallery.members(groups) if groups else list(gallery.everybody())
        marks = exporting.marks_of(similar_pairs(gallery, desk.settings.on_device))
        about = {"site": desk.settings.site.name, "groups": groups, "made": round(1000 * time.time())}
        with desk.thumbnails() as thumbnail:
            write(file, exporting.render(named, gallery, people, marks, about, thumbnail))
        desk.say(f"{plain(str(file))}: {len(people)} people; only you can read it")


def deletions(
    verify: Annotated[bool, typer.Option("--verify", help="Check signatures and chain; exit 1 where they are broken.")] = False,
    as_json: Json = False,
    config: Config = None,
    overrides: Overrides = None,
) -> None:
    """The records of who was deleted, when and why: numbered, chained and signed."""
    with at_desk(config, overrides, as_json=as_json) as desk, desk.gallery() as gallery:
        if verify:
            gallery.check()
        records = gallery.deletions()
        if as_json:
            desk.show({"public_key": gallery.public_key, "verified": verify, "records": records})
            return
        table = Table(title=f"{len(records)} deletion{'s' * (len(records) != 1)}", title_justify="left")
        for heading in ("#", "when", "whose", "what", "references", "why"):
            table.add_column(heading, overflow="fold")
        for one in records:
            table.add_row(str(one.number), moment(one.at), plain(one.whose), one.what, str(one.faces), plain(one.why))
        desk.console.print(table)
        desk.say(f"[dim]signed with {gallery.public_key}[/]")
        if verify:
            desk.say("[green]whole:[/] every record is there, as it was signed")


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Also where the file exists.")] = False,
    config: Config = None,
    overrides: Overrides = None,
) -> None:
    """Copy the gallery while the daemon goes on. It opens with the gallery's key alone, which is not in it."""
    with at_desk(config, overrides) as desk, desk.gallery() as gallery:
        if file.exists() and not overwrite:
            raise KioskError("file_exists", f"{file}; --overwrite says that it is meant")
        gallery.backup(file)
        desk.say(f"{plain(str(file))}: {gallery.person_count} persons, {len(gallery)} references")
        desk.say(f"[dim]keep the key elsewhere: {plain(str(desk.key_file.path))}[/]")


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE")],
    backup_key: Annotated[
        Path | None, typer.Option("--backup-key", metavar="FILE", help="The key of then, where it was changed since.")
    ] = None,
    yes: Yes = False,
    config: Config = None,
    overrides: Overrides = None,
) -> None:
    """Put a backup in the place of the gallery. Who was deleted since stays deleted."""
    with at_desk(config, overrides) as desk:
        if desk.path.is_file():
            with desk.gallery() as gallery:
                confirm(f"Replace the gallery of {gallery.person_count} persons by {file}?", yes=yes)
        then = read_key(backup_key.absolute(), desk.settings.site.state_dir) if backup_key else None
        Gallery.restore(desk.path, desk.key_file, file, backup_key=then)
        with desk.gallery() as gallery:
            desk.say(f"{plain(str(desk.path))}: {gallery.person_count} persons, {len(gallery)} references")


def rotate_key(
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="A new file for it, where the key is a credential.")
    ] = None,
    config: Config = None,
    overrides: Overrides = None,
) -> None:
    """Encrypt everything under a new key. Backups made before need the old one."""
    with at_desk(config, overrides) as desk, desk.gallery() as gallery:
        file = gallery.rotate_key(to)
        desk.say(f"new key: {plain(str(file))}")
        desk.say("[yellow]keep a copy of it in a safe place[/], and the old one as long as you keep backups made before")


def _plain(found: list[Finding]) -> list[dict[str, object]]:
    return [{name: value for name, value in one._asdict().items() if value not in ("", None)} for one in found]


def _tell_findings(desk: Desk, found: list[Finding], persons: int, most: int) -> None:
    if not found:
        desk.say(f"[green]healthy:[/] nothing is wrong with the {persons} enrolled")
    for slug in dict.fromkeys(one.slug for one in found):
        some = [one for one in found if one.slug == slug]
        meaning = slugs.to_operator(slug, desk.settings.site.language)
        table = Table(show_header=False)
        for one in some[:most]:
            points = "" if one.score is None else f"score {one.score:g}"
            table.add_row(plain(one.person), plain(one.other or one.detail), points)
        desk.say(f"[bold]{len(some)} × {slug}[/] {plain(meaning)}")
        desk.console.print(table)
        if len(some) > most:
            desk.say(f"[dim]… and {len(some) - most} more; --all lists them[/]")
    if found:
        who = len({one.person for one in found} | {one.other for one in found if one.other})
        desk.say(f"{len(found)} finding{'s' * (len(found) != 1)} about {who} of the {persons} enrolled")
