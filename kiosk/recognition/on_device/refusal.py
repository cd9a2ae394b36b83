"""Why the gallery says no, and what may be wrong with its file."""

from __future__ import annotations

from enum import StrEnum

from kiosk.errors import KioskError


class Why(StrEnum):
    """What is in the way of a change or a question to the gallery."""

    PERSON_EXISTS = "person_exists"
    PERSON_UNKNOWN = "person_unknown"
    GROUP_EXISTS = "group_exists"
    GROUP_NAME_EXISTS = "group_name_exists"
    GROUP_UNKNOWN = "group_unknown"
    IN_GROUP = "in_group"
    NOT_IN_GROUP = "not_in_group"
    FACE_UNKNOWN = "face_unknown"
    SAME_FACE = "same_face"
    LAST_FACE = "last_face"
    TOO_MANY_FACES = "too_many_faces"
    TOO_MANY_PERSONS = "too_many_persons"
    TOO_MANY_GROUPS = "too_many_groups"
    TOO_MANY_GROUPS_OF_PERSON = "too_many_groups_of_person"
    NO_SUCH_FIELD = "no_such_field"


class GalleryRefusal(KioskError):
    """The gallery's own; the sandbox translates it for either generation of interfaces."""

    def __init__(self, why: Why) -> None:
        super().__init__("state_conflict", why.value)
        self.why = why


class GalleryError(KioskError):
    """The file or its key is not what it should be: `gallery_unreadable`, `gallery_unwritable`, `gallery_locked`,
    `gallery_key_missing`, `gallery_key_wrong`.
    """
