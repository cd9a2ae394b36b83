"""`kiosk gallery`: its commands together, and those that enrol."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from kiosk.enrolment import people, report, scale, upkeep
from kiosk.enrolment.command import SAYS, Desk, PersonId, at_desk, check_id, write
from kiosk.enrolment.enrolling import Enroller, Enrolment, Order
from kiosk.enrolment.importing import Importer, Tally, Tell
from kiosk.enrolment.judging import Judged, called
from kiosk.enrolment.profile import Profile, Reason
from kiosk.enrolment.sources import Embeddings, Photos, embeddings_in, particulars_in, photos_in
from kiosk.recognition.on_device.enrolled import UNCHANGED
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.terminal import Config, Json, Overrides, plain

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Who is enrolled on this box.")

InGroups = Annotated[
    list[str] | None,
    typer.Option("--group", "-g", help="A group to put them in; may be repeated. By default the configured one."),
]
LeastGrade = Annotated[
    int | None, typer.Option("--least-grade", min=0, max=4, help="Refuse photos of a lower grade; by default enrolment.level.")
]
LeastEyes = Annotated[
    float | None,
    typer.Option("--least-eyes", metavar="PIXELS", min=0, help="Refuse photos on which the eyes are closer together."),
]
AllowMask = Annotated[bool, typer.Option("--allow-mask", help="Take photos with a mask on; such references know less well.")]
AllowDuplicate = Annotated[
    bool, typer.Option("--allow-duplicate", help="Enrol a face though it is somebody else's already: twins.")
]
_COLOURS = {"taken": "green", "skipped": "dim", "refused": "red"}
_MOST_TOLD = 20
"""Refused photos that are listed on the terminal."""
_WORKERS = 2
"""Eyes that look at photos side by side; each takes a core and some 300 MB."""
_AHEAD = 8
"""Persons whose photos are looked at while one is written: keeps every worker busy, and little in memory."""


@app.command()
def init(config: Config = None, overrides: Overrides = None) -> None:
    """Make the gallery and its key, if they are not there yet, and say where they lie."""
    with at_desk(config, overrides) as desk, desk.gallery(create=True) as gallery:
        desk.say(f"{plain(str(desk.path))}: {gallery.person_count} persons, {len(gallery)} references")


@app.command()
def enrol(
    person: PersonId,
    photo: Annotated[list[Path], typer.Argument(metavar="PHOTO...", help="JPEG, PNG or BMP, one face each.")],
    name: Annotated[str, typer.Option(help="The person's name; by default the id.")] = "",
    tag: Annotated[str, typer.Option(help="A remark.")] = "",
    group: InGroups = None,
    consent: Annotated[
        Literal["yes", "no", "unset"] | None, typer.Option(help="Whether this person's face may be sent to the cloud.")
    ] = None,
    least_grade: LeastGrade = None,
    least_eyes: LeastEyes = None,
    allow_mask: AllowMask = False,
    allow_duplicate: AllowDuplicate = False,
    as_json: Json = False,
    config: Config = None,
    overrides: Overrides = None,
) -> None:
    """Enrol a person, or add photos of one. Exit 1 where nobody is enrolled for it."""
    with at_desk(config, overrides, as_json=as_json) as desk:
        profile = _profile(desk, least_grade, least_eyes, allow_mask=allow_mask, allow_duplicate=allow_duplicate)
        order = Order(check_id(person), desk.groups(group), name, tag, UNCHANGED if consent is None else SAYS[consent])
        with desk.gallery(create=True) as gallery:
            enroller = _enroller(desk, gallery, profile)
            done = asyncio.run(_enrol(desk, enroller, order, photo))
        _show(desk, done)
        if not done.faces or not (done.of("taken") or done.of("skipped")):
            raise typer.Exit(1)


@app.command("import")
def import_(
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="A folder for each person, or files PERSON.jpg, PERSON.2.jpg, …")
    ] = None,
    embeddings: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Instead: a .npz with `persons` and `embeddings`, or JSON lines with `person` and `embedding`."
        ),
    ] = None,
    listed: Annotated[
        Path | None, typer.Option("--people", metavar="FILE", help="A CSV: person, and any of name, tag, consent, groups.")
    ] = None,
    group: InGroups = None,
    report_file: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="What became of every photo: .csv, .json or .html.")
    ] = None,
    least_grade: LeastGrade = None,
    least_eyes: LeastEyes = None,
    allow_mask: AllowMask = False,
    allow_duplicate: AllowDuplicate = False,
    as_json: Json = False,
    config: Config = None,
    overrides: Overrides = None,
) -> None:
    """Enrol many people. Run it again after an interruption: it goes on. Exit 1 where somebody could not be enrolled."""
    if bool(folder) == bool(embeddings):
        raise typer.BadParameter("give a folder of photos, or --embeddings FILE")
    kind = report.format_of(report_file) if report_file else ""
    tally = Tally()
    with at_desk(config, overrides, as_json=as_json) as desk:
        profile = _profile(desk, least_grade, least_eyes, allow_mask=allow_mask, allow_duplicate=allow_duplicate)
        particulars = particulars_in(listed) if listed else {}
        groups = desk.groups(group)
        found = photos_in(folder, listed) if folder else embeddings_in(embeddings) if embeddings else []
        with desk.gallery(create=True) as gallery, _reported(desk, tally, report_file, kind):
            _import(desk, Importer(_enroller(desk, gallery, profile), groups, particulars), tally, found)
        _summarise(desk, tally, particulars.keys() - {one.person for one in tally.people})
        if tally.failed:
            raise typer.Exit(1)


@contextmanager
def _reported(desk: Desk, tally: Tally, file: Path | None, kind: str) -> Iterator[None]:
    """However far it comes, the report says how far."""
    try:
        yield
    except KeyboardInterrupt:
        desk.aside.print(f"stopped after {len(tally.people)} people: run it again to go on")
        raise
    finally:
        if file is not None:
            write(file, [report.render(tally, kind, desk.settings.site.language)])


def _profile(desk: Desk, grade: int | None, eyes: float | None, *, allow_mask: bool, allow_duplicate: bool) -> Profile:
    """What the command does not say is as the settings say."""
    section = desk.settings.enrolment
    return Profile(
        section.level if grade is None else grade,
        section.min_inter_eye if eyes is None else eyes,
        allow_mask=allow_mask,
        allow_duplicate=allow_duplicate,
    )


def _enroller(desk: Desk, gallery: Gallery, profile: Profile) -> Enroller:
    return Enroller(gallery, desk.key_file.read(), desk.settings.on_device, profile)


async def _enrol(desk: Desk, enroller: Enroller, order: Order, photos: list[Path]) -> Enrolment:
    async with desk.eyes(1, enroller.profile) as eye:
        sights = await enroller.look(eye, order.person, [(str(photo), photo) for photo in photos])
    return enroller.enrol(order, sights)


def _import(desk: Desk, importer: Importer, tally: Tally, people: Sequence[Photos] | Sequence[Embeddings]) -> None:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TaskProgressColumn(), TimeRemainingColumn()
    with Progress(*columns, console=desk.aside, disable=not desk.aside.is_terminal) as progress:
        bar = progress.add_task("persons", total=len(people))

        def tell(enrolment: Enrolment) -> None:
            tally.add(enrolment)
            progress.advance(bar)

        importer.embeddings([one for one in people if isinstance(one, Embeddings)], tell)
        photos = [one for one in people if isinstance(one, Photos)]
        if photos:
            asyncio.run(_photos(desk, importer, photos, tell))


async def _photos(desk: Desk, importer: Importer, people: Sequence[Photos], tell: Tell) -> None:
    ahead = min(_AHEAD, desk.settings.eye.photos_waiting - 1)
    async with desk.eyes(_WORKERS, importer.enroller.profile) as eyes:
        await importer.photos(people, eyes, ahead, tell)


def _show(desk: Desk, done: Enrolment) -> None:
    language = desk.settings.site.language
    if desk.as_json:
        photos = [report.of_photo(done, photo, language) for photo in done.photos]
        desk.show({"person": done.person, "name": done.name, "new": done.new, "faces": done.faces, "photos": photos})
        return
    table = Table(title=plain(called(done.person, done.name)), title_justify="left")
    for heading in ("photo", "", "grade", "why"):
        table.add_column(heading, overflow="fold")
    for photo in done.photos:
        why = "; ".join(reason.in_words(language) for reason in photo.reasons)
        outcome = f"[{_COLOURS[photo.outcome]}]{photo.outcome}[/]"
        table.add_row(plain(photo.label), outcome, "" if photo.grade is None else str(photo.grade), plain(why))
    desk.console.print(table)
    _warn(desk, done)
    desk.say(f"{done.faces} reference{'s' * (done.faces != 1)} enrolled" if done.faces else "[red]nobody was enrolled[/]")


def _summarise(desk: Desk, tally: Tally, without: Collection[str]) -> None:
    """`without`: people of the list of whom there was nothing to enrol."""
    language, counts = desk.settings.site.language, tally.counts()
    if desk.as_json:
        rows = [report.of_photo(one, photo, language) for one in tally.people for photo in one.photos]
        noteworthy = [row for row in rows if row["outcome"] == "refused" or row["like"]]
        desk.show(
            {
                "counts": counts,
                "not_enrolled": [one.person for one in tally.failed],
                "without_photos": sorted(without),
                "noteworthy": noteworthy,
            }
        )
        return
    table = Table(title="import", title_justify="left", show_header=False)
    for label, count in counts.items():
        table.add_row(label.replace("_", " "), str(count))
    table.columns[1].justify = "right"
    desk.console.print(table)
    _list(desk, [(one, photo) for one in tally.people for photo in one.of("refused")])
    for one in tally.people:
        _warn(desk, one)
    for person in sorted(without):
        desk.say(f"[yellow]warning[/] {plain(person)} is in the list, and there is no photo")


def _warn(desk: Desk, done: Enrolment) -> None:
    for like in done.alarms:
        alarm = Reason("similar_person", f"{called(done.person, done.name)} and {like}")
        desk.say(f"[yellow]warning[/] {plain(alarm.in_words(desk.settings.site.language))}")


def _list(desk: Desk, refused: Sequence[tuple[Enrolment, Judged]]) -> None:
    for one, photo in refused[:_MOST_TOLD]:
        why = "; ".join(reason.in_words(desk.settings.site.language) for reason in photo.reasons)
        desk.say(f"[red]refused[/] {plain(photo.label)} of {plain(one.person)}: {plain(why)}")
    if len(refused) > _MOST_TOLD:
        desk.say(f"[dim]… and {len(refused) - _MOST_TOLD} more; --report FILE has them all[/]")


people.add_to(app)
upkeep.add_to(app)
scale.add_to(app)
