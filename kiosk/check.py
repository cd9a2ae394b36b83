"""`kiosk check`: everything that can be known of a configuration without running it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from rich.table import Table

from kiosk import system
from kiosk.access.policy import Policy
from kiosk.capture import script
from kiosk.configuration import secret
from kiosk.errors import KioskError
from kiosk.settings import CameraSettings, Settings
from kiosk.vision import models

HOSTS = ".myqcloud.com"
"""Where the older interfaces live."""
SUCCESSORS = {
    "identify": "SearchPersons, or SearchFaces",
    "multidentify": "SearchPersons with MaxFaceNum up to 10",
    "compare": "CompareFace; CompareMaskFace where one wears a mask",
    "newperson": "CreateGroup once, then CreatePerson, and CopyPerson for further groups",
    "delperson": "DeletePerson; DeletePersonFromGroup for one group",
    "addface": "CreateFace",
    "delface": "DeleteFace",
    "setinfo": "ModifyPersonBaseInfo, ModifyPersonGroupInfo",
    "getinfo": "GetPersonBaseInfo, GetPersonGroupInfo",
    "getgroupids": "GetGroupList",
    "getpersonids": "GetPersonList",
    "getfaceids": "GetPersonBaseInfo (FaceIds)",
    "getfaceinfo": "DetectFace on the photo: stored faces are no longer described",
}
"""Each of the older host's interfaces, and the one of today that does the same."""


@dataclass(frozen=True, slots=True)
class Survey:
    """`problems` keep the daemon from doing its work; `warnings` are probably not meant; `successors`, where the older
    cloud host is used, says what replaces it.
    """

    summary: Table
    successors: Table | None
    problems: list[str]
    warnings: list[str]


def survey(settings: Settings) -> Survey:
    """Looks at files, devices, models, secrets and rules. Opens no camera, moves no relay, calls nobody."""
    uses_legacy = any(portal.recogniser == "tencent-legacy" for portal in settings.portals.values())
    return Survey(
        _summary(settings), _successors() if uses_legacy else None, list(_problems(settings)), list(_warnings(settings))
    )


def _summary(settings: Settings) -> Table:
    table = Table(title=f"{settings.site.name} would run", title_justify="left", show_header=False)
    for name, portal in settings.portals.items():
        camera = settings.cameras[portal.camera]
        table.add_row(f"portal {name}", f"camera {portal.camera} ({camera.url}) → {portal.recogniser} → relay {portal.relay}")
    legacy = settings.tencent_legacy
    table.add_row("cloud", f"{legacy.endpoint}, groups {', '.join(legacy.group_ids) or 'none'}, match from {legacy.threshold:g}")
    for rule in settings.rules:
        table.add_row(f"rule {rule.name}", f"{rule.effect} when {rule.when}")
    table.add_row("otherwise", "deny")
    table.add_row("journal", str(settings.journal_path))
    table.add_row("web", f"http://{settings.web.host}:{settings.web.port}" + (" with page" if settings.web.page else ""))
    return table


def _successors() -> Table:
    table = Table(title="The older cloud host and what replaces it", title_justify="left")
    table.add_column("older")
    table.add_column("today's (iai 2020-03-03)")
    for old, new in SUCCESSORS.items():
        table.add_row(f"/face/{old}", new)
    return table


def _problems(settings: Settings) -> Iterator[str]:
    for lacking in system.missing():
        yield f"system: {lacking}"
    for model in models.manifest():
        yield from _trouble("model", lambda role=model.role: models.path(settings.site.models_dir, role))
    for name, camera in settings.cameras.items():
        yield from (f"cameras.{name}.url: {line}" for line in camera_problems(camera))
    yield from _cloud_problems(settings)
    yield from _trouble("rules", lambda: Policy.compile(settings.rules))
    folder = _nearest_existing(settings.site.state_dir)
    if not os.access(folder, os.W_OK | os.X_OK):
        yield f"site.state_dir: {folder} is not writable by this user"


def camera_problems(camera: CameraSettings) -> Iterator[str]:
    """What can be said of a camera without opening it; nothing where it looks right."""
    scheme, _, rest = camera.url.partition(":")
    path = Path(rest).expanduser()
    if scheme == "v4l2" and not path.is_char_device():
        yield f"{rest} is no camera device; `ls /dev/video*` shows which there are"
    elif scheme == "v4l2" and not os.access(path, os.R_OK | os.W_OK):
        yield f"{rest} is not accessible: add this user to the group 'video'"
    elif scheme == "file" and not path.is_file():
        yield f"{rest} is no file"
    elif scheme == "dir" and not path.is_dir():
        yield f"{rest} is no folder"
    elif scheme == "scene":
        yield from _trouble("scene", lambda: script.load(rest))


def _cloud_problems(settings: Settings) -> Iterator[str]:
    legacy = settings.tencent_legacy
    if not legacy.appid:
        yield "tencent_legacy.appid is empty; it stands in the vendor's console"
    if not legacy.group_ids:
        yield "tencent_legacy.group_ids is empty: nobody could be recognised"
    yield from _trouble("tencent_legacy.secret_id_file", lambda: secret(legacy.secret_id_file))
    yield from _trouble("tencent_legacy.secret_key_file", lambda: secret(legacy.secret_key_file))
    if legacy.ca_file and not legacy.ca_file.is_file():
        yield f"tencent_legacy.ca_file: {legacy.ca_file} is no file"


def _warnings(settings: Settings) -> Iterator[str]:
    if not any(rule.effect == "grant" for rule in settings.rules):
        yield "no rule grants anything: the doors will never open"
    if (urlsplit(settings.tencent_legacy.endpoint).hostname or "").endswith(HOSTS):
        yield f"the vendor announced that {settings.tencent_legacy.endpoint} stops on 2023-04-24; what replaces it stands above"
    for name, portal in settings.portals.items():
        if not portal.cloud_consent:
            yield f"portals.{name}.cloud_consent is false: no face may leave the box, so nobody is recognised"
        if portal.relay.startswith("sim:"):
            yield f"portals.{name}.relay is simulated: no lock will move"
        if settings.cameras[portal.camera].url.startswith(("scene:", "file:", "dir:")):
            yield f"portals.{name} watches a recording, not a camera"


def _trouble(where: str, attempt: object) -> Iterator[str]:
    assert callable(attempt)
    try:
        attempt()
    except KioskError as error:
        yield f"{where}: {error}"


def _nearest_existing(path: Path) -> Path:
    return next(parent for parent in (path, *path.parents) if parent.exists())
