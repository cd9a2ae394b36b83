"""`kiosk check`: everything that can be known of a configuration without running it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from rich.markup import escape
from rich.table import Table

from kiosk import system
from kiosk.access import soundness
from kiosk.access.calendar import Calendar
from kiosk.capture import script
from kiosk.capture.devices import chosen, devices
from kiosk.clock import zone
from kiosk.configuration import places, secret
from kiosk.errors import KioskError
from kiosk.hardware import lines
from kiosk.recognition.build import reads_gallery
from kiosk.recognition.on_device import calibration
from kiosk.recognition.on_device.recogniser import OnDeviceRecogniser
from kiosk.recognition.strategy import DEVICE
from kiosk.recognition.tencent.iai.recogniser import INTERFACE, wanted, wanted_of_two
from kiosk.recognition.tencent.thresholds import least_score
from kiosk.service import credential_check
from kiosk.settings import CameraSettings, PortalSettings, Settings, TencentIaiSettings, TencentLegacySettings
from kiosk.settings.lines import Use, parse
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

_ONE_TO_ONE = frozenset({"identify+confirm", "claim+compare"})


@dataclass(frozen=True, slots=True)
class Survey:
    """`problems` keep the daemon from doing its work; `warnings` are probably not meant; `successors`, where the older
    cloud host is used, says what replaces it.
    """

    summary: Table
    successors: Table | None
    problems: list[str]
    warnings: list[str]


def survey(settings: Settings, file: Path | None = None) -> Survey:
    """Looks at files, devices, models, secrets and rules. Opens no camera, moves no relay, calls nobody.

    `file`: where the settings were read, so that what is said of a rule names its line.
    """
    sound, where = soundness.survey(settings), places(file, settings)
    older = "tencent-legacy" in settings.engines
    enrolled = _enrolled(settings) if reads_gallery(settings) else None
    credentials, doubts = credential_check.problems(settings), credential_check.warnings(settings)
    return Survey(
        _summary(settings, enrolled),
        _successors() if older else None,
        [*_problems(settings, enrolled), *credentials, *(soundness.told(finding, where) for finding in sound.mistakes)],
        [*_warnings(settings, enrolled), *doubts, *(soundness.told(finding, where) for finding in sound.warnings)],
    )


@dataclass(frozen=True, slots=True)
class Enrolled:
    """Who is in the gallery. `least`: the score a match needs; `trouble`: why nothing of this is known."""

    people: int = 0
    faces: int = 0
    least: float = 0.0
    trouble: str = ""


def _enrolled(settings: Settings) -> Enrolled:
    try:
        device = OnDeviceRecogniser.open(settings)
    except KioskError as error:
        return Enrolled(trouble=str(error))
    with device.gallery as gallery:
        return Enrolled(gallery.person_count, len(gallery), device.threshold)


def _summary(settings: Settings, enrolled: Enrolled | None) -> Table:
    table = Table(title=f"{settings.site.name} would run", title_justify="left", show_header=False)
    for name, portal in settings.portals.items():
        camera = settings.cameras[portal.camera]
        table.add_row(f"portal {name}", f"camera {portal.camera} ({camera.shown}) → {_asked(portal)} → relay {portal.relay}")
    old, iai = settings.tencent_legacy, settings.tencent_iai
    if "tencent-legacy" in settings.engines:
        table.add_row("tencent-legacy", f"{old.endpoint}, groups {_listed(old.group_ids)}, match from {old.threshold:g}")
    if "tencent-iai" in settings.engines:
        least = f"a false match rate of {iai.false_match_rate:g}" if iai.threshold is None else f"{iai.threshold:g}"
        table.add_row("tencent-iai", f"{iai.endpoint}, groups {_listed(iai.group_ids)}, match from {least}")
    if enrolled is not None:
        known = f"people {enrolled.people}, faces {enrolled.faces}, match from {enrolled.least:.1f}"
        table.add_row("gallery", f"{settings.gallery_path}, {enrolled.trouble or known}")
    for rule in settings.rules:
        table.add_row(f"rule {rule.name}", escape(f"{rule.effect} when {rule.when}"))
    table.add_row("otherwise", "deny")
    table.add_row("journal", str(settings.journal_path))
    table.add_row("web", f"http://{settings.web.host}:{settings.web.port}" + (" with page" if settings.web.page else ""))
    return table


def _asked(portal: PortalSettings) -> str:
    away = f", else {portal.fallback}" if portal.fallback != "none" else ""
    twice = f", confirmed by {portal.second_opinion}" if portal.second_opinion != "none" else ""
    how = "" if portal.strategy == "identify" else f"{portal.strategy}: "
    one_to_one = f", one to one by {portal.confirm}" if portal.strategy in _ONE_TO_ONE and portal.confirm != "same" else ""
    return how + portal.recogniser + away + twice + one_to_one


def _listed(groups: tuple[str, ...]) -> str:
    return ", ".join(groups) or "none"


def _successors() -> Table:
    table = Table(title="The older cloud host and what replaces it", title_justify="left")
    table.add_column("older")
    table.add_column("today's (iai 2020-03-03)")
    for old, new in SUCCESSORS.items():
        table.add_row(f"/face/{old}", new)
    return table


def _problems(settings: Settings, enrolled: Enrolled | None) -> Iterator[str]:
    for lacking in system.missing():
        yield f"system: {lacking}"
    for model in models.manifest():
        yield from _trouble("model", lambda role=model.role: models.path(settings.site.models_dir, role))
    for name, camera in settings.cameras.items():
        yield from (f"cameras.{name}.url: {line}" for line in camera_problems(camera))
    for name, portal in settings.portals.items():
        yield from _line_problems(name, portal)
    yield from _cloud_problems(settings)
    if enrolled is not None and enrolled.trouble:
        yield f"on_device: {enrolled.trouble}"
    elif enrolled is not None and DEVICE in settings.engines and enrolled.least >= 100:
        yield "on_device.false_match_rate: so rare among so many faces that no likeness would do"
    yield from _trouble("calendar", lambda: Calendar(settings.schedules, settings.holidays, zone(settings.site.timezone)))
    folder = _nearest_existing(settings.site.state_dir)
    if not os.access(folder, os.W_OK | os.X_OK):
        yield f"site.state_dir: {folder} is not writable by this user"


def camera_problems(camera: CameraSettings) -> Iterator[str]:
    """What can be said of a camera without opening it; nothing where it looks right."""
    scheme, _, rest = camera.url.partition(":")
    path = Path(rest).expanduser()
    if scheme == "v4l2" and rest.startswith(("serial=", "path=")):
        yield from _trouble("v4l2", lambda: chosen(rest, devices()))
    elif scheme == "v4l2" and not path.is_char_device():
        yield f"{rest} is no camera device; `kiosk camera list` shows which there are"
    elif scheme == "v4l2" and not os.access(path, os.R_OK | os.W_OK):
        yield f"{rest} is not accessible: add this user to the group 'video'"
    elif scheme == "file" and not path.is_file():
        yield f"{rest} is no file"
    elif scheme == "dir" and not path.is_dir():
        yield f"{rest} is no folder"
    elif scheme == "scene":
        yield from _trouble("scene", lambda: script.load(rest))


def _line_problems(name: str, portal: PortalSettings) -> Iterator[str]:
    """Which of the kernel's lines are not there. Whether they are free shows when they are opened: a daemon may run."""
    inputs = {part: getattr(portal, part) for part in ("contact", "request_to_exit", "tamper", "fire")}
    outputs = {"relay": portal.relay, **{f"outputs.{output}": url for output, url in portal.outputs.items()}}
    uses: tuple[tuple[Use, dict[str, str]], ...] = (("output", outputs), ("input", inputs))
    for use, urls in uses:
        for part, url in urls.items():
            if url.startswith("gpiod:"):
                yield from _trouble(f"portals.{name}.{part}", lambda url=url, use=use: lines.locate(parse(url, use)))


def _cloud_problems(settings: Settings) -> Iterator[str]:
    old, iai = settings.tencent_legacy, settings.tencent_iai
    if "tencent-legacy" in settings.engines:
        if not old.appid:
            yield "tencent_legacy.appid is empty; it stands in the vendor's console"
        yield from _account_problems("tencent_legacy", old)
    if settings.asks_live_vote and "tencent-iai" not in settings.engines:
        yield from _key_problems("tencent_iai", iai)
    if "tencent-iai" in settings.engines:
        yield from _account_problems("tencent_iai", iai)
        if iai.token_file is not None:
            yield from _trouble("tencent_iai.token_file", lambda file=iai.token_file: secret(file))
        yield from _trouble("tencent_iai", lambda: least_score(INTERFACE, wanted(iai)))
        yield from _trouble("tencent_iai", lambda: least_score("CompareFace", wanted_of_two(iai)))


def _account_problems(name: str, section: TencentLegacySettings | TencentIaiSettings) -> Iterator[str]:
    if not section.group_ids:
        yield f"{name}.group_ids is empty: nobody could be recognised"
    yield from _key_problems(name, section)


def _key_problems(name: str, section: TencentLegacySettings | TencentIaiSettings) -> Iterator[str]:
    yield from _trouble(f"{name}.secret_id_file", lambda: secret(section.secret_id_file))
    yield from _trouble(f"{name}.secret_key_file", lambda: secret(section.secret_key_file))
    if section.ca_file and not section.ca_file.is_file():
        yield f"{name}.ca_file: {section.ca_file} is no file"


def _warnings(settings: Settings, enrolled: Enrolled | None) -> Iterator[str]:
    if not any(rule.effect == "grant" for rule in settings.rules):
        yield "no rule grants anything: the doors will never open"
    uses_older = "tencent-legacy" in settings.engines
    if uses_older and (urlsplit(settings.tencent_legacy.endpoint).hostname or "").endswith(HOSTS):
        yield f"the vendor announced that {settings.tencent_legacy.endpoint} stops on 2023-04-24; what replaces it stands above"
    if enrolled is not None and DEVICE in settings.engines and not enrolled.trouble:
        yield from _device_warnings(settings, enrolled)
    yield from _level_warnings(settings)
    yield from _strategy_warnings(settings)
    for name, portal in settings.portals.items():
        if not portal.cloud_consent and enrolled is None:
            yield f"portals.{name}.cloud_consent is false: no face may leave the box, so nobody is recognised"
        if portal.liveness == "off":
            yield f"portals.{name}.liveness is off: a photo of somebody enrolled opens the door"
        if portal.relay.startswith("sim:"):
            yield f"portals.{name}.relay is simulated: no lock will move"
        if settings.cameras[portal.camera].url.startswith(("scene:", "file:", "dir:")):
            yield f"portals.{name} watches a recording, not a camera"


def _level_warnings(settings: Settings) -> Iterator[str]:
    if any(portal.relay.startswith("gpiod:") for portal in settings.portals.values()):
        for driver in lines.keepers_of_levels():
            yield (
                f"{driver} leaves a released line as it was: put dtparam=strict_gpiod into config.txt, "
                "so that a lock falls shut even where everything of kiosk is killed at once"
            )


def _strategy_warnings(settings: Settings) -> Iterator[str]:
    """What each portal's strategy needs and does not find."""
    photos = reads_gallery(settings) and settings.on_device.keep_photos
    for name, portal in settings.portals.items():
        comparers = {portal.recogniser if portal.confirm == "same" else portal.confirm, portal.fallback} & set(portal.engines)
        one_to_one = portal.strategy in _ONE_TO_ONE
        if one_to_one and not photos and "tencent-legacy" in comparers:
            yield f"portals.{name}.strategy: /face/compare needs photos in the gallery (on_device.keep_photos): none, no match"
        if one_to_one and not photos and "tencent-iai" in comparers:
            yield (
                f"portals.{name}.strategy: CompareMaskFace needs photos in the gallery (on_device.keep_photos); "
                "masked people are not confirmed, others by VerifyFace"
            )
        if one_to_one and comparers == {"tencent-legacy"} and settings.quality.mask != "refused":
            yield f"portals.{name}.strategy: /face/compare takes no masks; name tencent-iai or on-device as fallback or confirm"
        if portal.strategy == "claim+compare" and not portal.readers and not portal.codes:
            yield f"portals.{name}.strategy: no reader, and codes is off: only a claim by HTTP opens this door"
        if portal.confirm != "same" and not one_to_one:
            yield f"portals.{name}.confirm is not used by strategy '{portal.strategy}'"


def _device_warnings(settings: Settings, enrolled: Enrolled) -> Iterator[str]:
    if not enrolled.faces:
        yield f"nobody is enrolled in {settings.gallery_path}"
    rate = settings.on_device.false_match_rate / max(enrolled.faces, 1)
    if settings.on_device.threshold is None and rate < calibration.reach():
        yield (
            f"on_device.false_match_rate: among {enrolled.faces} faces it asks for {rate:.0e} a comparison; the calibration was "
            f"measured down to {calibration.reach():.0e}, and what is rarer is extrapolated"
        )


def _trouble(where: str, attempt: object) -> Iterator[str]:
    assert callable(attempt)
    try:
        attempt()
    except KioskError as error:
        yield f"{where}: {error}"


def _nearest_existing(path: Path) -> Path:
    return next(parent for parent in (path, *path.parents) if parent.exists())
