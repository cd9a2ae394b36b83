"""One slug for each error and each reason of refusal, with what the person and the operator are told.

Log, metric, screen, journal and MQTT all use the slug; the sentences stand here and nowhere else.
"""

from kiosk.slugs.cloud import CLOUD
from kiosk.slugs.credentials import CREDENTIALS
from kiosk.slugs.device import DEVICE
from kiosk.slugs.entry import Entry, Kind, Language
from kiosk.slugs.gallery import GALLERY
from kiosk.slugs.guidance import GUIDANCE
from kiosk.slugs.liveness import LIVENESS
from kiosk.slugs.photo import PHOTO
from kiosk.slugs.portal import PORTAL
from kiosk.slugs.refusal import REFUSAL
from kiosk.slugs.setup import SETUP

__all__ = ["ADVICE", "PARTS", "TABLE", "Entry", "Kind", "Language", "to_operator", "to_person"]

PARTS = (GUIDANCE, LIVENESS, REFUSAL, PORTAL, CREDENTIALS, CLOUD, PHOTO, GALLERY, DEVICE, SETUP)
"""No slug stands in two of them."""

TABLE: dict[str, Entry] = {slug: entry for part in PARTS for slug, entry in part.items()}

ADVICE: tuple[str, ...] = tuple(slug for slug, entry in TABLE.items() if entry.kind == "guidance")
"""Guidance slugs, the one that helps most first."""


def to_person(slug: str, language: Language = "en") -> str:
    """The sentence a person is shown; empty where the slug says nothing to them.

    Raises KeyError for a slug that is not in the table.
    """
    return TABLE[slug].person[language == "zh"]


def to_operator(slug: str, language: Language = "en") -> str:
    """The sentence an operator reads. Raises KeyError for a slug that is not in the table."""
    return TABLE[slug].operator[language == "zh"]
