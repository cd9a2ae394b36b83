"""A certificate of the sandbox's own, for callers who insist on https."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import socket
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kiosk.errors import ConfigurationError

VENDOR_HOSTS = ("*.tencentcloudapi.com", "recognition.image.myqcloud.com", "service.image.myqcloud.com")
"""So that callers whose host file sends these names here find what they expect."""
_LASTS = dt.timedelta(days=825)
_RENEW_BEFORE = dt.timedelta(days=30)
_DAY = dt.timedelta(days=1)


class Certificate(NamedTuple):
    """`ca_file`: what callers are to trust. `chain_file`: the server's certificate and its key."""

    ca_file: Path
    chain_file: Path

    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain_file)
        return context


def certificate(folder: Path, host: str) -> Certificate:
    """The one in `folder`, or a new one where there is none for `host` that lasts another month.

    Raises ConfigurationError `configuration_invalid` where the folder cannot be written.
    """
    kept = Certificate(folder / "ca.pem", folder / "server.pem")
    if not _is_good(kept, host):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _make(kept, host)
        except OSError as error:
            raise ConfigurationError("configuration_invalid", f"{folder}: no certificate can be kept there: {error}") from error
    return kept


def _is_good(kept: Certificate, host: str) -> bool:
    try:
        found = x509.load_pem_x509_certificate(kept.chain_file.read_bytes())
        authority = x509.load_pem_x509_certificate(kept.ca_file.read_bytes())
        found.verify_directly_issued_by(authority)
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    lasts = found.not_valid_after_utc - dt.datetime.now(dt.UTC) > _RENEW_BEFORE
    return lasts and all(name in names for name in _names([host]))


def _make(kept: Certificate, host: str) -> None:
    """The authority's key is thrown away, so whoever trusts it trusts this one certificate and no other."""
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = _name("authority of a kiosk sandbox")
    authority = _begun(issuer, issuer, authority_key)
    authority = authority.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    authority = authority.add_extension(_usage(signs_certificates=True), critical=True)
    server = _begun(issuer, _name("kiosk sandbox"), key)
    server = server.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    server = server.add_extension(_usage(signs_certificates=False), critical=True)
    server = server.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    server = server.add_extension(x509.SubjectAlternativeName(_names(_hosts(host))), critical=False)
    whose = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    server = server.add_extension(whose, critical=False)
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _write(kept.chain_file, server.sign(authority_key, hashes.SHA256()).public_bytes(pem) + private, 0o600)
    _write(kept.ca_file, authority.sign(authority_key, hashes.SHA256()).public_bytes(pem), 0o644)


def _begun(issuer: x509.Name, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number(), now - _DAY, now + _LASTS)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _hosts(host: str) -> list[str]:
    return list(dict.fromkeys([host, "localhost", "127.0.0.1", "::1", socket.gethostname(), *VENDOR_HOSTS]))


def _names(hosts: Iterable[str]) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = []
    for host in hosts:
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            names.append(x509.DNSName(host))
    return names


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _write(file: Path, pem: bytes, mode: int) -> None:
    """Whole or not at all."""
    new = file.with_suffix(".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as stream:
        stream.write(pem)
    new.replace(file)
