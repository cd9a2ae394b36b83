"""Whoever says who somebody is: the two cloud hosts, and the gallery on this box."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator

from kiosk.settings.base import (
    ConsoleName,
    FalseMatches,
    GroupIdentifier,
    Identifier,
    PositiveSeconds,
    Rate,
    Score,
    Section,
    is_loopback,
)


class TencentSettings(Section):
    """What both of the vendor's hosts are told."""

    @field_validator("endpoint", "fallback_endpoint", check_fields=False)
    @classmethod
    def _http_url(cls, url: str, field: ValidationInfo) -> str:
        if not url and field.field_name == "fallback_endpoint":
            return url
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"'{url}' is no http(s) address such as {cls.model_fields['endpoint'].default}")
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            raise ValueError(f"'{url}' would send faces unencrypted; use https (plain http only to this machine)")
        return url.rstrip("/")


class TencentLegacySettings(TencentSettings):
    """`/face/identify` and its siblings on recognition.image.myqcloud.com."""

    endpoint: str = "https://recognition.image.myqcloud.com"
    fallback_endpoint: str = ""
    """A second address of the same service, asked while the first does not answer; empty for none."""
    appid: ConsoleName = ""
    bucket: ConsoleName = ""
    secret_id_file: Path = Path("tencent-secret-id")
    """A file that holds the SecretId; a bare name is looked for among systemd's credentials first."""
    secret_key_file: Path = Path("tencent-secret-key")
    """A file that holds the SecretKey; likewise."""
    group_ids: Annotated[tuple[Identifier, ...], Field(max_length=100)] = ()
    """The groups people are enrolled in."""
    upload: Literal["multipart", "json"] = "multipart"
    """How the probe travels: as a file part, or base64 in JSON."""
    deadline: PositiveSeconds = 4.0
    """Seconds one identification may take, connects and retries included."""
    threshold: Score = 80.0
    """Confidence from which a candidate counts as a match; the vendor documents no false match rates for it."""
    margin: Score = 5.0
    """By how much the first candidate must beat the second."""
    compare_false_match_rate: FalseMatches = 1e-4
    """Of strangers compared one to one, the share that may pass; `/face/compare` has scores for 1e-3 to 1e-5."""
    requests_per_second: Rate = 50
    """What the account may send; the vendor's own limit is 50."""
    keep_warm: bool = True
    """Hold a connection open, so that a face meets no handshake."""
    http2: bool = False
    """Offer HTTP/2 as well; needs the package h2."""
    ca_file: Path | None = None
    """A PEM file to trust instead of the system's store."""


class TencentIaiSettings(TencentSettings):
    """Today's interfaces, iai 2020-03-03: CompareFace, CompareMaskFace, SearchPersons, AnalyzeFace and their siblings."""

    endpoint: str = "https://iai.tencentcloudapi.com"
    fallback_endpoint: str = "https://iai.ap-guangzhou.tencentcloudapi.com"
    """A second address of the same service, asked while the first does not answer; empty for none."""
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]{0,40}$")] = "ap-guangzhou"
    """Where the account's groups live; the rate limits count per region. May be empty."""
    language: Literal["zh-CN", "en-US"] = "en-US"
    """The language of the vendor's messages."""
    secret_id_file: Path = Path("tencent-secret-id")
    """A file that holds the SecretId; by default the same one as of [tencent_legacy]."""
    secret_key_file: Path = Path("tencent-secret-key")
    """A file that holds the SecretKey; likewise."""
    token_file: Path | None = None
    """A file that holds the token of temporary keys (STS); only with such keys."""
    group_ids: Annotated[tuple[GroupIdentifier, ...], Field(max_length=100)] = ()
    """The groups people are enrolled in."""
    deadline: PositiveSeconds = 4.0
    """Seconds one call may take, connects and retries included."""
    false_match_rate: FalseMatches = 1e-4
    """The share of strangers that may pass; the vendor's tables translate it to a score for each interface and gallery."""
    compare_false_match_rate: FalseMatches = 1e-4
    """Of strangers compared one to one, the share that may pass; the comparisons have scores for 1e-3 to 1e-5."""
    threshold: Score | None = None
    """A raw score from which every comparison and search is a match, instead of the rates; needed where no table covers it."""
    margin: Score = 5.0
    """By how much the first candidate of a search must beat the second."""
    requests_per_second: Rate = 50
    """What the account may send to each group of interfaces; the vendor's own limit is 50."""
    liveness_per_second: Rate = 5
    """The same for DetectLiveFaceAccurate, whose limit is lower."""
    keep_warm: bool = True
    """Hold a connection open, so that a face meets no handshake."""
    http2: bool = False
    """Offer HTTP/2 as well; needs the package h2."""
    ca_file: Path | None = None
    """A PEM file to trust instead of the system's store."""


class OnDeviceSettings(Section):
    """Recognition on this box, by the people enrolled with `kiosk gallery`."""

    gallery: Path | None = None
    """The SQLite file; by default `gallery.sqlite` in the state directory."""
    key_file: Path = Path("gallery-key")
    """What faces are encrypted with; a bare name is looked for among systemd's credentials first, then in the state directory."""
    keep_photos: bool = False
    """Keep the enrolled photos too, encrypted, so that people need not come again for a better recogniser."""
    group_ids: Annotated[tuple[GroupIdentifier, ...], Field(max_length=100)] = ()
    """The groups searched; empty for everybody."""
    false_match_rate: FalseMatches = 1e-4
    """The share of strangers that may pass a search of the whole gallery, as far as the calibration reaches."""
    threshold: Score | None = None
    """A raw score from which a comparison is a match, instead of the rate."""
    margin: Score = 5.0
    """By how much the first candidate must beat the second."""
