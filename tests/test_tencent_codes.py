"""The table of the vendor's codes, held to the documents' lists."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk import slugs
from kiosk.errors import (
    ClockRejected,
    ContractViolation,
    ProbeRejected,
    RecogniserError,
    Throttled,
    Transient,
    Unauthorised,
)
from kiosk.recognition.tencent import codes
from kiosk.recognition.tencent.codes import Handling

LISTS: dict[str, dict[str, dict[str, str]]] = json.loads(
    (Path(__file__).parent / "data" / "tencent" / "error_codes.json").read_text()
)
DOCUMENTED = {code: entry["class"] for part in LISTS.values() for code, entry in part.items() if entry["class"] != "OK"}


def test_the_table_holds_every_documented_code_in_its_class_and_no_other() -> None:
    assert {part: len(entries) for part, entries in LISTS.items()} == {"iai": 98, "common": 38, "legacy": 47}
    assert {code: entry.handling for code, entry in codes.TABLE.items()} == DOCUMENTED
    assert {str(code) for code in codes.LEGACY} == set(LISTS["legacy"]) - {"0"}


@pytest.mark.parametrize("code", DOCUMENTED)
def test_every_code_has_an_error_a_slug_and_sentences_in_both_languages(code: str) -> None:
    entry = codes.TABLE[code]
    error = codes.error_for(int(code), "no") if code in LISTS["legacy"] else codes.iai_error(code, "no", "request-7")
    assert (type(error), error.slug, error.code) == (entry.error, entry.slug, code)
    assert entry.meaning in error.detail
    assert entry.slug in slugs.TABLE
    english, chinese = entry.meanings
    assert english.strip() == english != ""
    assert any("\u4e00" <= character <= "\u9fff" for character in chinese), "no Chinese"


def test_what_the_person_can_mend_is_said_to_the_person() -> None:
    for code, entry in codes.TABLE.items():
        if entry.handling is Handling.RECAPTURE:
            assert entry.error is ProbeRejected, code
            assert slugs.to_person(entry.slug), code
            assert slugs.to_person(entry.slug, "zh"), code


def test_classes_and_errors_agree() -> None:
    allowed: dict[Handling, set[type[RecogniserError]]] = {
        Handling.RETRY: {Transient},
        Handling.RETRY1: {Transient},
        Handling.RETRY_LATER: {Transient},
        Handling.THROTTLE: {Throttled},
        Handling.RECAPTURE: {ProbeRejected},
        Handling.CLOCK: {ClockRejected},
        Handling.OPERATOR: {Unauthorised, ContractViolation},
        Handling.CLIENT: {ContractViolation, ProbeRejected},
        Handling.STATE: {ContractViolation},
    }
    for code, entry in codes.TABLE.items():
        assert entry.error in allowed[entry.handling], code


@pytest.mark.parametrize(
    ("code", "handling", "slug"),
    [
        ("AuthFailure.New", Handling.OPERATOR, "account_rejected"),
        ("UnauthorizedOperation.CamNoAuth", Handling.OPERATOR, "account_rejected"),
        ("ResourceUnavailable.New", Handling.OPERATOR, "account_rejected"),
        ("ResourcesSoldOut.New", Handling.OPERATOR, "account_rejected"),
        ("InternalError.DbError", Handling.RETRY, "cloud_error"),
        ("RequestLimitExceeded.New", Handling.THROTTLE, "cloud_busy"),
        ("InvalidParameter.New", Handling.CLIENT, "request_refused"),
        ("InvalidParameterValue.New", Handling.CLIENT, "request_refused"),
        ("MissingParameter.New", Handling.CLIENT, "request_refused"),
        ("UnknownParameter.New", Handling.CLIENT, "request_refused"),
        ("UnsupportedOperation.New", Handling.CLIENT, "request_refused"),
        ("FailedOperation.New", Handling.RETRY1, "cloud_error"),
        ("ResourceNotFound.New", Handling.STATE, "state_conflict"),
        ("ResourceNotFound.ErrorPersonNotExisted", Handling.STATE, "person_unknown"),
        ("Elsewhere.New", Handling.CLIENT, "answer_makes_no_sense"),
        ("-31337", Handling.CLIENT, "answer_makes_no_sense"),
        ("", Handling.CLIENT, "answer_makes_no_sense"),
    ],
)
def test_unknown_codes_go_by_what_stands_before_the_dot(code: str, handling: Handling, slug: str) -> None:
    assert code not in codes.TABLE
    entry = codes.entry_for(code)
    assert (entry.handling, entry.slug) == (handling, slug)


@pytest.mark.parametrize(
    ("message", "kind", "slug"),
    [
        ("account abnormal,errorno is:2", Unauthorised, "account_in_arrears"),
        ("account abnormal,errorno is:21", Unauthorised, "request_refused"),
    ],
)
def test_the_older_hosts_arrears_hide_in_a_message(message: str, kind: type[RecogniserError], slug: str) -> None:
    error = codes.error_for(3, message)
    assert (type(error), error.slug) == (kind, slug)


@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=300))
def test_any_code_makes_an_error_whose_detail_is_short_and_printable(code: str, message: str, request: str) -> None:
    for error in (codes.iai_error(code, message, request), codes.error_for(-31_337, message)):
        assert isinstance(error, RecogniserError)
        assert error.slug in slugs.TABLE
        assert len(error.detail) < 600
        assert error.detail.isprintable()
