"""The commands about single people and groups: who is there, what may be done with their faces, and who goes."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer
from rich.table import Table

from kiosk.enrolment.command import SAYS, PersonId, at_desk, group_of, person_of
from kiosk.enrolment.rows import details_of, row_of
from kiosk.errors import KioskError
from kiosk.terminal import Config, Json, Overrides, plain

OneGroup = Annotated[str | None, typer.Option("--group", "-g", help="Everybody of this group instead of one person.")]
OnePerson = Annotated[str | None, typer.Argument(metavar="PERSON", help="The person's id.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
_KEYS = {
    "person": lambda row: row["person"],
    "name": lambda row: row["name"].casefold(),
    "created": lambda row: row["created"],
    "faces": lambda row: row["faces"],
    "grade": lambda row: -1 if row["grade"] is None else row["grade"],
}
Sort = Literal["person", "name", "created", "faces", "grade"]


def add_to(app: typer.Typer) -> None:
    app.command("list")(list_)
    app.command()(show)
    app.command()(remove)
    app.command()(consent)


def list_(
    group: Annotated[list[str] | None, typer.Option("--group", "-g", help="Only who is in it; may be repeated.")] = None,
    sort: Annotated[Sort, typer.Option(help="By what.")] = "person",
    most: Annotated[int, typer.Option("--most", min=1, help="So many rows; JSON always has all.")] = 1000,
    as_json: Json = False,
    config: Config = None,
    overrides: Overrides = None,
) -> None:
    """Everybody, or who is in a group."""
    with at_desk(config, overrides, as_json=as_json) as desk, desk.gallery() as gallery:
        groups = [group_of(gallery, group_id).group_id for group_id in group or ()]
        people = gallery.members(groups) if groups else gallery.everybody()
        rows = sorted((row_of(gallery, person) for person in people), key=_KEYS[sort])
        if as_json:
            desk.show(rows)
            return
        table = Table(title=f"{len(rows)} enrolled", title_justify="left")
        for heading in ("person", "name", "groups", "cloud", "photos", "grade", "since"):
            table.add_column(heading, justify="right" if heading in {"photos", "grade"} else "left", overflow="fold")
        for row in rows[:most]:
            grade = "" if row["grade"] is None else str(row["grade"])
            groups_text = plain(", ".join(row["groups"]))
            cells = plain(row["person"]), plain(row["name"]), groups_text, row["may_leave"], str(row["faces"]), grade
            table.add_row(*cells, row["created"][:10])
        desk.console.print(table)
        if len(rows) > most:
            desk.say(f"[dim]… and {len(rows) - most} more; --most {len(rows)} lists them[/]")


def show(person: PersonId, as_json: Json = False, config: Config = None, overrides: Overrides = None) -> None:
    """One person and their references; what the door compares is never shown."""
    with at_desk(config, overrides, as_json=as_json) as desk, desk.gallery() as gallery:
        found = details_of(gallery, person_of(gallery, person))
        if as_json:
            desk.show(found)
            return
        head = Table(title=plain(person), title_justify="left", show_header=False)
        for name in ("name", "tag", "groups", "consent", "may_leave", "created"):
            value = ", ".join(found[name]) if name == "groups" else found[name]
            head.add_row(name.replace("_", " "), plain(value))
        references = Table(title="references", title_justify="left")
        for heading in ("face", "grade", "since", "model", "masked", "photo kept"):
            references.add_column(heading, no_wrap=heading == "face", overflow="fold")
        for one in found["references"]:
            cells = one["face"], one["grade"], one["created"][:10], one["model"], one["masked"], one["photo_kept"]
            references.add_row(*(_cell(cell) for cell in cells))
        desk.console.print(head)
        desk.console.print(references)


def remove(
    person: OnePerson = None,
    group: OneGroup = None,
    reason: Annotated[str, typer.Option(help="Why, for the record of deletion.")] = "",
    yes: Yes = False,
    as_json: Json = False,
    config: Config = None,
    overrides: Overrides = None,
) -> None:
    """Delete a person with every reference, or a group with everybody who is in no other one. Leaves a signed record."""
    _one_of(person, group)
    with at_desk(config, overrides, as_json=as_json) as desk, desk.gallery() as gallery:
        if person is not None:
            going = [person_of(gallery, person).person_id]
            what = f"{going[0]} with all references"
        else:
            assert group is not None, "one of the two is given"
            members = gallery.members([group_of(gallery, group).group_id])
            going = [member.person_id for member in members if len(member.groups) == 1]
            what = f"the group {group} and {len(going)} of its {len(members)} people, who are in no other"
        confirm(f"Delete {what}?", yes=yes)
        if person is not None:
            gallery.delete_person(person, reason)
        elif group is not None:
            gallery.delete_group(group, reason)
        if as_json:
            desk.show({"deleted": going})
        desk.say(f"deleted: {plain(what)}")


def consent(
    words: Annotated[list[str], typer.Argument(metavar="[PERSON] yes|no|unset")],
    group: OneGroup = None,
    as_json: Json = False,
    config: Config = None,
    overrides: Overrides = None,
) -> None:
    """Say whether a person's face, or those of a group, may be sent to the cloud. A person's own word counts first."""
    *who, says = words
    if says not in SAYS or len(who) > 1:
        raise typer.BadParameter("write [PERSON] yes|no|unset")
    person = next(iter(who), None)
    _one_of(person, group)
    with at_desk(config, overrides, as_json=as_json) as desk, desk.gallery() as gallery:
        if person is not None:
            gallery.update_person(person_of(gallery, person).person_id, consent=SAYS[says])
        elif group is not None:
            gallery.update_group(group_of(gallery, group).group_id, consent=SAYS[says])
        if as_json:
            desk.show({"person": person, "group": group, "consent": says})
        desk.say(f"{plain(person or f'group {group}')}: consent {says}")


def confirm(question: str, *, yes: bool) -> None:
    """Asks on a terminal. Raises KioskError `unconfirmed` where the answer is no, or there is nobody to ask."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise KioskError("unconfirmed", f"{question} There is nobody to ask here: --yes says that it is meant")
    if not typer.confirm(question, err=True):
        raise KioskError("unconfirmed", question)


def _one_of(person: str | None, group: str | None) -> None:
    if (person is None) == (group is None):
        raise typer.BadParameter("name a person, or a group with --group")


def _cell(value: object) -> str:
    return "–" if value is None else ("yes" if value else "no") if isinstance(value, bool) else plain(str(value))
