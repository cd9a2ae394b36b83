"""Signatures of the current interfaces, held to what the vendor's own package (3.1.195) computed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.pretty import pretty_repr

from kiosk.errors import ConfigurationError
from kiosk.recognition.tencent.signing import NO_BODY, UNSIGNED_PAYLOAD, Credentials, sha256_hex, sign_tc3, sign_v1

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "tencent" / "iai_vectors.json").read_text())
KEYS = Credentials(VECTORS["secret_id"], VECTORS["secret_key"])
NOW = 1_700_000_000


@pytest.mark.parametrize("vector", VECTORS["tc3"], ids=lambda vector: vector["name"])
def test_tc3_equals_the_vendors_byte_for_byte(vector: dict[str, Any]) -> None:
    headers, query, body = vector["headers"], "", b""
    if vector["method"] == "GET":
        query = vector["data"]
    else:
        body = bytes.fromhex(vector["data_hex"]) if "data_hex" in vector else vector["data"].encode()
    unsigned = headers.get("X-TC-Content-SHA256") == UNSIGNED_PAYLOAD
    signed = sign_tc3(
        KEYS,
        host=headers["Host"],
        now=int(headers["X-TC-Timestamp"]),
        body_sha256=sha256_hex(UNSIGNED_PAYLOAD.encode() if unsigned else body),
        content_type=headers["Content-Type"],
        method=vector["method"],
        query=query,
    )
    assert signed == headers["Authorization"]


@pytest.mark.parametrize(
    ("name", "beginning", "end"),
    [
        ("get", "c939dbd1fc503bae82c89ec9b47f9749c32e88855ea53e7b3c2091bee62b40fd", ""),
        ("unsigned payload", "203e1ae3", "9ed2e"),
        ("octet stream", "f5ccf1c0", "6d8a8"),
        ("tc3-post-json endpoint with port", "cafc343d847cb7d2e9bba89abb9ad7281cdfb453f40e7e907ae800ff594f897d", ""),
    ],
)
def test_the_vectors_are_those_of_the_protocol(name: str, beginning: str, end: str) -> None:
    (vector,) = (vector for vector in VECTORS["tc3"] if vector["name"] == name)
    signature = vector["headers"]["Authorization"].rpartition("=")[2]
    assert signature.startswith(beginning)
    assert signature.endswith(end)


@pytest.mark.parametrize("vector", VECTORS["v1"], ids=lambda vector: vector["name"])
def test_the_older_form_equals_the_vendors_too(vector: dict[str, Any]) -> None:
    fields = dict(parse_qsl(vector["data"]))
    signature = fields.pop("Signature")
    assert sign_v1(KEYS, host=vector["host"], fields=fields, algorithm=fields["SignatureMethod"]) == signature


def test_a_token_does_not_change_the_signature() -> None:
    with_token = Credentials(KEYS.secret_id, KEYS.secret_key, "STSTOKEN")
    first, second = (sign_tc3(keys, host="h", now=NOW, body_sha256=NO_BODY) for keys in (with_token, KEYS))
    assert first == second


@given(st.integers(min_value=0, max_value=4_102_444_800), st.sampled_from(["host", "body", "key", "day", "query"]))
def test_whatever_is_signed_changes_the_signature(now: int, what: str) -> None:
    def signature(host: str, body: bytes, keys: Credentials, at: int, query: str) -> str:
        return sign_tc3(keys, host=host, now=at, body_sha256=sha256_hex(body), query=query).rpartition("=")[2]

    given = ("a", b"x", KEYS, now, "")
    other = {
        "host": ("b", b"x", KEYS, now, ""),
        "body": ("a", b"y", KEYS, now, ""),
        "key": ("a", b"x", Credentials(KEYS.secret_id, "another"), now, ""),
        "day": ("a", b"x", KEYS, now + 86_400, ""),
        "query": ("a", b"x", KEYS, now, "a=1"),
    }[what]
    assert signature(*given) == signature(*given) != signature(*other)


def test_the_day_of_the_scope_is_the_timestamps_in_utc() -> None:
    def day(now: int) -> str:
        return sign_tc3(KEYS, host="h", now=now, body_sha256=NO_BODY).split("/")[1]

    assert (day(NOW), day(1_700_006_399), day(1_700_006_400)) == ("2023-11-14", "2023-11-14", "2023-11-15")


def test_no_secret_shows() -> None:
    keys = Credentials("AKIDx", "the-key", "the-token")
    assert not {"AKIDx", "the-key", "the-token"} & set(repr(keys).replace("'", " ").split())
    assert repr(keys) == pretty_repr(keys) == "Credentials()"
    assert sha256_hex(b"") == NO_BODY
    for wrong in (
        ("q1", "q2", "q3 q4"),
        ("q1", "q2", "q3é"),
        (" q1", "q2", ""),
        ("q1", "q2=", ""),
        ("q1", "", ""),
        ("", "q2", ""),
    ):
        with pytest.raises(ConfigurationError) as caught:
            Credentials(*wrong)
        assert "q" not in str(caught.value)
