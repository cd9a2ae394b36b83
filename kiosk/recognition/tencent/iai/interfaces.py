"""Every interface of iai 2020-03-03 that this package calls, under the vendor's name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kiosk.recognition.tencent.iai.comparing import (
    CompareFace,
    CompareMaskFace,
    DetectFaceSimilarity,
    DetectLiveFaceAccurate,
    VerifyFace,
    VerifyPerson,
)
from kiosk.recognition.tencent.iai.detecting import AnalyzeFace, DetectFace, DetectFaceAttributes
from kiosk.recognition.tencent.iai.groups import CreateGroup, DeleteGroup, GetGroupInfo, GetGroupList
from kiosk.recognition.tencent.iai.persons import (
    CopyPerson,
    CreateFace,
    CreatePerson,
    DeleteFace,
    DeletePerson,
    DeletePersonFromGroup,
    GetPersonBaseInfo,
    GetPersonGroupInfo,
    GetPersonList,
    GetPersonListNum,
    ModifyPersonBaseInfo,
    ModifyPersonGroupInfo,
)
from kiosk.recognition.tencent.iai.searching import (
    SearchFaces,
    SearchFacesReturnsByGroup,
    SearchPersons,
    SearchPersonsReturnsByGroup,
)
from kiosk.recognition.tencent.iai.wire import Interface

_ALL: tuple[type[Interface[Any]], ...] = (
    *(CompareFace, CompareMaskFace, DetectFaceSimilarity, DetectLiveFaceAccurate, VerifyFace, VerifyPerson),
    *(AnalyzeFace, DetectFace, DetectFaceAttributes),
    *(SearchFaces, SearchFacesReturnsByGroup, SearchPersons, SearchPersonsReturnsByGroup),
    *(CreateGroup, DeleteGroup, GetGroupInfo, GetGroupList),
    *(CopyPerson, CreateFace, CreatePerson, DeleteFace, DeletePerson, DeletePersonFromGroup),
    *(GetPersonBaseInfo, GetPersonGroupInfo, GetPersonList, GetPersonListNum, ModifyPersonBaseInfo, ModifyPersonGroupInfo),
)

INTERFACES: Mapping[str, type[Interface[Any]]] = {interface.action(): interface for interface in _ALL}
