"""How the sandbox says no: each generation of interfaces by the vendor's own codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from kiosk.errors import KioskError
from kiosk.recognition.on_device.refusal import Why
from kiosk.recognition.tencent.codes import LEGACY, entry_for

Language = Literal["zh-CN", "en-US"]


class Refusal(KioskError):
    """Of the older interfaces: answered as `{"data": …, "code": …, "message": …}`."""

    def __init__(self, code: int, detail: str = "", data: Mapping[str, object] | None = None) -> None:
        entry = LEGACY[code]
        super().__init__(entry.slug, detail or entry.meaning)
        self.code = code
        self.data = data or {}


class Refused(KioskError):
    """Of the current interfaces: answered as `{"Response": {"Error": {"Code": …, "Message": …}, "RequestId": …}}`."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(entry_for(code).slug, detail)
        self.code = code

    def message(self, language: Language) -> str:
        return self.detail or entry_for(self.code).meanings[language == "zh-CN"]


OLD_CODES: Mapping[Why, int] = {
    Why.PERSON_EXISTS: -1302,
    Why.PERSON_UNKNOWN: -1303,
    Why.GROUP_UNKNOWN: -1306,
    Why.FACE_UNKNOWN: -1305,
    Why.LAST_FACE: 21,  # no code is documented; the library keeps no one without a face
    Why.SAME_FACE: -1312,
    Why.TOO_MANY_FACES: -1309,
    Why.TOO_MANY_PERSONS: -1310,
    Why.TOO_MANY_GROUPS: -1311,
}
"""The others cannot arise there."""

CURRENT_CODES: Mapping[Why, str] = {
    Why.PERSON_EXISTS: "InvalidParameterValue.PersonIdAlreadyExist",
    Why.PERSON_UNKNOWN: "InvalidParameterValue.PersonIdNotExist",
    Why.GROUP_EXISTS: "InvalidParameterValue.GroupIdAlreadyExist",
    Why.GROUP_NAME_EXISTS: "InvalidParameterValue.GroupNameAlreadyExist",
    Why.GROUP_UNKNOWN: "InvalidParameterValue.GroupIdNotExist",
    Why.IN_GROUP: "FailedOperation.GroupPersonMapExist",
    Why.NOT_IN_GROUP: "FailedOperation.GroupPersonMapNotExist",
    Why.LAST_FACE: "InvalidParameterValue.DeleteFaceNumExceed",
    Why.TOO_MANY_FACES: "InvalidParameterValue.PersonFaceNumExceed",
    Why.TOO_MANY_PERSONS: "InvalidParameterValue.GroupFaceNumExceed",
    Why.TOO_MANY_GROUPS: "InvalidParameterValue.GroupNumExceed",
    Why.TOO_MANY_GROUPS_OF_PERSON: "InvalidParameterValue.GroupNumPerPersonExceed",
    Why.NO_SUCH_FIELD: "InvalidParameterValue.PersonExDescriptionInfosExceed",
}
"""Of a repeated face the current interfaces say nothing, and unknown faces they pass over."""
