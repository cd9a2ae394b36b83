"""What leaves the box stays inside the vendor's limits: every bound at its edge, and the picture headers they are read from."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kiosk import slugs
from kiosk.errors import PhotoRejected, ProbeRejected
from kiosk.recognition.tencent import bounds
from kiosk.recognition.tencent.iai.comparing import CompareFace, CompareMaskFace, VerifyFace
from kiosk.recognition.tencent.iai.detecting import AnalyzeFace, DetectFace, DetectFaceAttributes
from kiosk.recognition.tencent.iai.fields import Description
from kiosk.recognition.tencent.iai.groups import CreateGroup, GetGroupList
from kiosk.recognition.tencent.iai.persons import (
    CreateFace,
    CreatePerson,
    DeleteFace,
    DeletePerson,
    GetPersonGroupInfo,
    ModifyPersonGroupInfo,
)
from kiosk.recognition.tencent.iai.searching import SearchFacesReturnsByGroup, SearchPersons
from kiosk.recognition.tencent.iai.wire import Interface, body_of
from kiosk.recognition.tencent.picture_header import PictureHeader, read_header


def png(width: int, height: int, length: int = 0) -> bytes:
    """A PNG's beginning, filled up to `length` bytes."""
    header = struct.pack(">II5B", width, height, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    return (b"\x89PNG\r\n\x1a\n" + chunk).ljust(length, b"\0")


def jpeg(width: int, height: int, length: int = 0) -> bytes:
    frame = struct.pack(">HBHHB", 11, 8, height, width, 1) + b"\x01\x11\x00"
    return (b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0" + frame).ljust(length, b"\0")


def bmp(width: int, height: int) -> bytes:
    return b"BM" + bytes(12) + struct.pack("<Iii", 40, width, height)


PHOTO = png(64, 64)


def refused(request: Interface[Any], *told: str) -> ProbeRejected:
    with pytest.raises(ProbeRejected) as caught:
        request.check()
    assert caught.value.slug == "request_out_of_bounds"
    assert caught.value.slug in slugs.TABLE
    assert caught.value.field
    for part in (caught.value.field, *told):
        assert part in caught.value.detail
    return caught.value


# --- headers ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("suffix", "name"), [(".jpg", "jpeg"), (".png", "png"), (".bmp", "bmp")])
@pytest.mark.parametrize(("width", "height"), [(64, 65), (65, 64), (640, 480), (4001, 70)])
def test_a_header_says_what_the_decoder_finds(suffix: str, name: str, width: int, height: int) -> None:
    done, encoded = cv2.imencode(suffix, np.zeros((height, width, 3), np.uint8))
    assert done
    assert read_header(encoded.tobytes()) == PictureHeader(name, width, height)  # type: ignore[arg-type]  # from a parameter


@pytest.mark.parametrize("options", [[cv2.IMWRITE_JPEG_PROGRESSIVE, 1], [cv2.IMWRITE_JPEG_RST_INTERVAL, 4]])
def test_every_kind_of_jpeg(options: list[int]) -> None:
    encoded = cv2.imencode(".jpg", np.zeros((100, 200), np.uint8), options)[1].tobytes()
    assert read_header(encoded)[1:] == (200, 100)
    exif = b"\xff\xd8" + b"\xff\xff\xe1" + struct.pack(">H", 60_002) + bytes(60_000) + encoded[2:]
    assert read_header(exif)[1:] == (200, 100), "fill bytes and a large segment before the frame header"


def test_old_and_upside_down_bitmaps() -> None:
    assert read_header(b"BM" + bytes(12) + struct.pack("<IHH", 12, 300, 200)) == ("bmp", 300, 200)
    assert read_header(bmp(300, -200)) == ("bmp", 300, 200)


@pytest.mark.parametrize(
    ("picture", "slug"),
    [
        (b"GIF89a" + bytes(20), "image_format_unknown"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image_format_unknown"),
        (b"", "image_format_unknown"),
        (b"<html>", "image_format_unknown"),
        (b"\xff\xd8", "image_decode_failed"),
        (b"\xff\xd8\xff", "image_decode_failed"),
        (b"\xff\xd8\x00\x01", "image_decode_failed"),
        (b"\xff\xd8\xff\xda\x00\x0c" + bytes(12), "image_decode_failed"),
        (b"\xff\xd8\xff\xd9" + bytes(20), "image_decode_failed"),
        (b"\xff\xd8" + b"\xff\xe0\x00\x02" * 2_000 + jpeg(64, 64)[2:], "image_decode_failed"),
        (b"\xff\xd8\xff\xe0\x00\x00" + bytes(20), "image_decode_failed"),
        (jpeg(64, 64)[:-8], "image_decode_failed"),
        (jpeg(64, 0), "image_decode_failed"),
        (png(0, 64), "image_decode_failed"),
        (png(64, 64)[:20], "image_decode_failed"),
        (png(64, 64).replace(b"IHDR", b"IEND"), "image_decode_failed"),
        (b"BM", "image_decode_failed"),
        (bmp(-5, 64), "image_decode_failed"),
    ],
)
def test_what_is_no_picture_is_refused(picture: bytes, slug: str) -> None:
    with pytest.raises(PhotoRejected) as caught:
        read_header(picture)
    assert caught.value.slug == slug


@given(st.sampled_from([b"", b"\xff\xd8", b"\xff\xd8\xff\xe1\x00\x08", b"\x89PNG\r\n\x1a\n", b"BM", b"GIF89a"]), st.binary())
def test_any_bytes_have_a_header_or_are_refused(beginning: bytes, rest: bytes) -> None:
    try:
        header = read_header(beginning + rest)
    except PhotoRejected:
        return
    assert header.width > 0
    assert header.height > 0


# --- pictures in requests -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inside", "outside", "told"),
    [
        (png(64, 64), png(63, 2000), ("63×2000", "64 px")),
        (png(2000, 64), png(2001, 64), ("2001×64", "2000 px")),
        (jpeg(4000, 64), jpeg(64, 4001), ("64×4001", "4000 px")),
        (bmp(64, 2000), bmp(64, 2001), ("64×2001", "2000 px")),
        (jpeg(64, 64, 3_750_000), jpeg(64, 64, 3_750_001), ("3750001 bytes", "5000004", "5000000")),
        (PHOTO, b"GIF89a" + bytes(30), ("a GIF", "36 bytes")),
        (PHOTO, b"", ("bytes of 0",)),
    ],
    ids=["short side", "long side png", "long side jpeg", "long side bmp", "base64", "gif", "empty"],
)
def test_pictures_at_the_edge(inside: bytes, outside: bytes, told: tuple[str, ...]) -> None:
    CompareMaskFace(PHOTO, inside).check()
    assert refused(CompareMaskFace(PHOTO, outside), *told).field == "ImageB"
    assert refused(VerifyFace("ann", outside), *told).field == "Image"
    assert refused(CreateFace("ann", (PHOTO, outside)), *told).field == "Images[1]"


def test_the_sum_of_two_pictures() -> None:
    """Each within its limit, both together within a POST's or not."""
    frame = len(b'{"ImageA": "", "ImageB": "", "FaceModelVersion": "3.0"}')
    room = bounds.MAX_POST - frame
    first = 3_749_997
    second = (room - len(base64.b64encode(bytes(first)))) // 4 * 3
    fits = CompareFace(jpeg(64, 64, first), jpeg(64, 64, second))
    assert bounds.MAX_POST - 4 < len(body_of(fits)) <= bounds.MAX_POST
    over = CompareFace(jpeg(64, 64, 3_750_000), jpeg(64, 64, 3_750_000))
    over.check()
    with pytest.raises(ProbeRejected, match=r"CompareFace: a request of 10000055 bytes; the limit is 10000000") as caught:
        body_of(over)
    assert caught.value.field == "CompareFace"


def test_a_picture_or_its_address_never_both_never_none() -> None:
    address = "http://faces.example/a.jpg"
    VerifyFace("ann", url=address).check()
    assert refused(VerifyFace("ann"), "0 of them").field == "Image/Url"
    assert refused(VerifyFace("ann", PHOTO, address), "2 of them").field == "Image/Url"
    assert refused(CompareFace(PHOTO), "0 of them").field == "ImageB/UrlB"
    for wrong in ("ftp://x/y", "http://a b", "", "http://", "http://ü"):
        refused(VerifyFace("ann", url=wrong), "Url")


# --- values -------------------------------------------------------------------------------------------------------------

ID_64 = "Az09-%@#&_".ljust(64, "x")
Make = Callable[[Any], Interface[Any]]

EDGES: list[tuple[str, Make, list[Any], list[Any]]] = [
    ("PersonId", DeletePerson, ["a", ID_64], ["", ID_64 + "x", "a b", "ann/2", "é", "安", "a\n", "\ud800", None, 7, b"ann"]),
    ("GroupIds", lambda v: SearchPersons(v, PHOTO), [("g",), ("g",) * 100], [(), ("g",) * 101, "g", None]),
    ("GroupIds[1]", lambda v: SearchPersons(("g", v), PHOTO), [ID_64], ["", "g.h"]),
    ("GroupIds", lambda v: SearchFacesReturnsByGroup(v, PHOTO), [("g",) * 60], [("g",) * 61]),
    ("GroupName", lambda v: CreateGroup(v, "g"), ["a", "库" * 60], ["", "库" * 61, None, "\udc00"]),
    ("Tag", lambda v: CreateGroup("n", "g", tag=v), [None, "", "x" * 40], ["x" * 41, 3]),
    (
        "GroupExDescriptions",
        lambda v: CreateGroup("n", "g", v),
        [None, ("a",), tuple("abcde")],
        [(), tuple("abcdef"), ("a", "a")],
    ),
    ("GroupExDescriptions[0]", lambda v: CreateGroup("n", "g", (v,)), ["x" * 30], ["", "x" * 31]),
    ("Images", lambda v: CreateFace("p", v), [(PHOTO,), (PHOTO,) * 4], [(), (PHOTO,) * 5, PHOTO]),
    ("FaceIds", lambda v: DeleteFace("p", v), [("1",)], [(), ("1",) * 6]),
    ("FaceMatchThreshold", lambda v: CreateFace("p", (PHOTO,), face_match_threshold=v), [0, 100, 60.5], [-0.1, 100.1, True]),
    (
        "FaceMatchThreshold",
        lambda v: SearchPersons(("g",), PHOTO, face_match_threshold=v),
        [0.0, 99.999],
        [100, -1, float("nan"), float("inf"), "80"],
    ),
    ("QualityControl", lambda v: VerifyFace("p", PHOTO, quality_control=v), [None, 0, 4], [-1, 5, True, 2.0, "2"]),
    ("MaxFaceNum", lambda v: SearchPersons(("g",), PHOTO, max_face_num=v), [1, 10], [0, 11]),
    ("MaxFaceNum", lambda v: DetectFace(v, image=PHOTO), [1, 120], [0, 121]),
    ("MaxPersonNum", lambda v: SearchPersons(("g",), PHOTO, max_person_num=v), [1, 100], [0, 101]),
    (
        "MaxPersonNumPerGroup",
        lambda v: SearchFacesReturnsByGroup(("g",), PHOTO, max_person_num_per_group=v),
        [1, 10],
        [0, 11],
    ),
    ("MinFaceSize", lambda v: DetectFace(min_face_size=v, image=PHOTO), [None, 20, 34], [0, 21, 40, 34.0]),
    ("MinFaceSize", lambda v: SearchPersons(("g",), PHOTO, min_face_size=v), [1, 4000], [0, 4001]),
    ("Mode", lambda v: AnalyzeFace(v, PHOTO), [None, 0, 1], [2, -1, True]),
    ("FaceMatchingStrategy", lambda v: CompareFace(PHOTO, PHOTO, face_matching_strategy=v), [0, 1], [2]),
    ("NeedRotateDetection", lambda v: VerifyFace("p", PHOTO, need_rotate_detection=v), [None, True, False], [1, 0, "yes"]),
    ("FaceModelVersion", lambda v: CompareFace(PHOTO, PHOTO, face_model_version=v), ["3.0"], ["2.0", "", 3]),
    ("FaceAttributesType", lambda v: DetectFaceAttributes(None, PHOTO, None, v), ["None", "age,HeadPose, Eye"], ["", "ages", 1]),
    ("Limit", lambda v: GetGroupList(limit=v), [1, 1000], [0, 1001]),
    ("Offset", lambda v: GetGroupList(offset=v), [0, 2**63 - 1], [-1, 2**63]),
    ("Limit", lambda v: GetPersonGroupInfo("p", limit=v), [1, 100], [0, 101]),
    ("Gender", lambda v: CreatePerson("g", "n", "p", v, image=PHOTO), [0, 1, 2], [3, -1]),
    ("UniquePersonControl", lambda v: CreatePerson("g", "n", "p", None, None, PHOTO, None, v), [0, 4], [5]),
    ("PersonName", lambda v: CreatePerson("g", v, "p", image=PHOTO), ["n", "n" * 60], ["", "n" * 61]),
    (
        "PersonExDescriptionInfos",
        lambda v: ModifyPersonGroupInfo("g", "p", v),
        [(Description(0, ""),), (Description(4, "x" * 60),) * 5],
        [(), (Description(0, ""),) * 6, None],
    ),
    (
        "PersonExDescriptionInfos[0].PersonExDescription",
        lambda v: ModifyPersonGroupInfo("g", "p", (Description(0, v),)),
        ["x" * 60],
        ["x" * 61, None],
    ),
    ("PersonExDescriptionInfos[0]", lambda v: ModifyPersonGroupInfo("g", "p", (v,)), [Description(1, "a")], ["a", None]),
]


def _named(value: object) -> str:
    return str(getattr(value, "__qualname__", repr(value)))[:30]


@pytest.mark.parametrize(
    ("field", "make", "value"),
    [(f, m, v) for f, m, inside, _ in EDGES for v in inside],
    ids=_named,
)
def test_values_inside_pass(field: str, make: Make, value: Any) -> None:
    make(value).check()


@pytest.mark.parametrize(
    ("field", "make", "value"),
    [(f, m, v) for f, m, _, outside in EDGES for v in outside],
    ids=_named,
)
def test_values_outside_are_refused_with_field_size_and_limit(field: str, make: Make, value: Any) -> None:
    error = refused(make(value), "the limit is")
    assert error.field == field
    if isinstance(value, str | bytes | tuple) and len(value) > 60:
        assert str(len(value)) in error.detail


@given(st.text(max_size=80))
@example("a" * 64)
def test_ids_pass_by_the_documents_alphabet_alone(text: str) -> None:
    allowed = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-%@#&_")
    if 1 <= len(text) <= 64 and set(text) <= allowed:
        DeletePerson(text).check()
    else:
        refused(DeletePerson(text), "PersonId")


def test_a_refusal_quotes_neither_picture_nor_name() -> None:
    assert "secret" not in str(refused(CreatePerson("g", "secret" * 20, "p", image=PHOTO)))
    assert "secret" not in str(refused(VerifyFace("p", b"secret" * 20)))


@given(st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM"]), st.binary(max_size=300))
def test_any_picture_passes_or_is_refused(beginning: bytes, rest: bytes) -> None:
    request = VerifyFace("p", beginning + rest)
    try:
        header = read_header(beginning + rest)
        fits = min(header[1:]) >= 64 and max(header[1:]) <= (4000 if header.format == "jpeg" else 2000)
    except PhotoRejected:
        fits = False
    if fits:
        request.check()
    else:
        refused(request)
