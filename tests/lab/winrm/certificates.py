# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates of the lab's own, made when it starts: an authority that its clients trust, and what it has signed."""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)
ADDRESS = "127.0.0.1"
VALIDITY = {"expired": (-30 * DAY, -DAY), "not_yet_valid": (30 * DAY, 60 * DAY)}
SIGNS = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


class Authority:
    """An authority with its key in memory, and ``file``, by which a client trusts it."""

    def __init__(self, folder: Path, name: str = "Patch Fleet lab") -> None:
        self._folder = folder
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._build(self._name, self._key, (-DAY, 365 * DAY))
        certificate = certificate.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        certificate = certificate.add_extension(SIGNS, critical=True)
        self.file = folder / f"{name.replace(' ', '-').lower()}.pem"
        self.file.write_bytes(self._sign(certificate).public_bytes(serialization.Encoding.PEM))

    def server(self, kind: str) -> Server:
        """A certificate for 127.0.0.1; ``kind`` is one of Options' ``certificate``."""
        key = ec.generate_private_key(ec.SECP256R1())
        address = "192.0.2.1" if kind == "other_name" else ADDRESS
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, address)])
        alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        certificate = self._sign(
            self._build(name, key, VALIDITY.get(kind, (-DAY, 30 * DAY))).add_extension(alternative, critical=False)
        )
        file = self._folder / f"{certificate.serial_number}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
        return Server(file, certificate.fingerprint(hashes.SHA256()))

    def _build(
        self, name: x509.Name, key: ec.EllipticCurvePrivateKey, validity: tuple[timedelta, timedelta]
    ) -> x509.CertificateBuilder:
        """With what OpenSSL wants of certificates where it is strict, as Python 3.13 has it."""
        now = datetime.now(UTC)
        public = self._key.public_key()
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + validity[0])
            .not_valid_after(now + validity[1])
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        )

    def _sign(self, certificate: x509.CertificateBuilder) -> x509.Certificate:
        return certificate.sign(self._key, hashes.SHA256())


class Server:
    """What a server shows, and the hash of it by which NTLM ties a log-on to the connection (RFC 5929)."""

    def __init__(self, file: Path, fingerprint: bytes) -> None:
        self.end_point = b"tls-server-end-point:" + fingerprint
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(file)
