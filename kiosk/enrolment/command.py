"""What every command of `kiosk gallery` has in common: options, the gallery, output, and how it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from kiosk import logs
from kiosk.enrolment.profile import Profile
from kiosk.enrolment.rows import Thumbnails
from kiosk.enrolment.sources import is_id
from kiosk.errors import ConfigurationError, KioskError, did_you_mean
from kiosk.eye.photos import PhotoEye
from kiosk.eye.pool import PhotoPool
from kiosk.recognition.on_device.enrolled import Consent, Group, Person
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.on_device.keys import KeyFile
from kiosk.recognition.on_device.refusal import GalleryRefusal, Why
from kiosk.settings import Settings
from kiosk.terminal import load, plain, print_json, tell

PersonId = Annotated[str, typer.Argument(metavar="PERSON", help="The person's id.")]
SAYS: dict[str, Consent] = {"yes": True, "no": False, "unset": None}
DEFAULT_GROUP = "people"
"""Where somebody is put if neither the command nor the settings name a group."""


@dataclass(frozen=True, slots=True)
class Desk:
    """One command's surroundings. What is for people who watch goes to `aside`, standard error."""

    settings: Settings
    as_json: bool
    console: Console
    aside: Console

    @property
    def path(self) -> Path:
        return self.settings.gallery_path

    @property
    def key_file(self) -> KeyFile:
        return KeyFile(self.settings.on_device.key_file, self.settings.site.state_dir)

    def gallery(self, *, create: bool = False) -> Gallery:
        """The caller closes it. Raises KioskError `gallery_missing` where there is none, and GalleryError.

        `create`: a gallery that is not there comes into being, and its key where there is no such file.
        """
        new = not self.path.is_file()
        if new and not create:
            raise KioskError("gallery_missing", f"{self.path}; `kiosk gallery init` makes one")
        self.key_file.read_or_create(self.path)
        gallery = Gallery.open(self.path, self.key_file, keep_photos=self.settings.on_device.keep_photos)
        if new:
            self.aside.print(f"new gallery: {plain(str(self.path))}", soft_wrap=True)
            self.aside.print(f"its key:     {plain(str(self.key_file.path))}", soft_wrap=True)
            self.aside.print(
                "[yellow]keep a copy of the key in a safe place:[/] without it nobody can read the gallery or a backup",
                soft_wrap=True,
            )
        return gallery

    def eyes(self, workers: int, profile: Profile) -> PhotoPool:
        settings = self.settings
        return PhotoPool(profile.asked_of(settings.enrolment), settings.eye, settings.site.models_dir, workers)

    @contextmanager
    def thumbnails(self) -> Iterator[Thumbnails]:
        """What makes one of a kept photo; its eye starts with the first. Raises CameraError, PhotoRejected."""
        settings = self.settings
        eye = PhotoEye(settings.quality, settings.eye, settings.site.models_dir, draws_only=True)
        with asyncio.Runner() as runner:
            try:
                yield lambda photo, box, turned: runner.run(eye.thumbnail(photo, box, turned))
            finally:
                runner.run(eye.end())

    def groups(self, named: list[str] | None) -> tuple[str, ...]:
        """Which groups to enrol in. Raises ConfigurationError where that is not clear, KioskError `id_unusable`."""
        searched = self.settings.on_device.group_ids
        if not named and len(searched) > 1:
            raise ConfigurationError("configuration_invalid", f"which of the groups {', '.join(searched)}? Give --group")
        for group_id in named or ():
            check_id(group_id)
        return tuple(dict.fromkeys(named or searched or (DEFAULT_GROUP,)))

    def show(self, value: object) -> None:
        print_json(value)

    def say(self, text: str) -> None:
        """One line of text, or nothing where JSON is printed."""
        if not self.as_json:
            self.console.print(text, soft_wrap=True)


@contextmanager
def at_desk(config: Path | None, overrides: list[str] | None, *, as_json: bool = False) -> Iterator[Desk]:
    """Refusals end the command with exit code 1, told on standard error or as JSON; mistakes in settings are raised."""
    read = load(config, overrides)
    logs.configure(read.log)
    try:
        yield Desk(read, as_json, Console(highlight=False), Console(stderr=True, highlight=False))
    except ConfigurationError:
        raise
    except KioskError as error:
        tell(error, read.site.language, in_json=as_json)
        raise typer.Exit(1) from error


def check_id(text: str) -> str:
    """Raises KioskError `id_unusable`."""
    if not is_id(text):
        raise KioskError("id_unusable", f"'{text}'")
    return text


def person_of(gallery: Gallery, person_id: str) -> Person:
    """Raises KioskError `person_unknown`, with the nearest id there is."""
    try:
        return gallery.person(person_id)
    except GalleryRefusal as refusal:
        if refusal.why is not Why.PERSON_UNKNOWN:
            raise
        near = did_you_mean(person_id, (person.person_id for person in gallery.everybody()))
        raise KioskError("person_unknown", f"'{person_id}'{near}") from refusal


def group_of(gallery: Gallery, group_id: str) -> Group:
    """Raises KioskError `group_unknown`, with the nearest id there is."""
    known = {group.group_id: group for group in gallery.groups}
    if group_id not in known:
        raise KioskError("group_unknown", f"'{group_id}'{did_you_mean(group_id, known)}")
    return known[group_id]


def write(file: Path, pieces: Iterable[str]) -> None:
    """All or nothing, and readable by its owner only, for it names people. Raises KioskError `file_unwritable`."""
    partial = file.with_name(f".{file.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        partial.touch(mode=0o600, exist_ok=False)
        with partial.open("w", encoding="utf-8", newline="") as stream:
            stream.writelines(pieces)
        partial.replace(file)
    except OSError as error:
        raise KioskError("file_unwritable", f"{file}: {error.strerror}") from error
