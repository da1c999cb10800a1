"""Keys and certificates for a control plane that lives on the loopback interface of one machine."""

import ipaddress
import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME: Final = timedelta(days=3650)
CLOCK_SKEW: Final = timedelta(hours=1)

SERVER_NAMES: Final = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
SERVER_ADDRESSES: Final = ("127.0.0.1", "10.96.0.1")  # loopback; the `kubernetes` Service


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a client certificate says its bearer is."""

    file: str
    user: str
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Pki:
    """The folder everything lies in, by name."""

    folder: Path

    @property
    def authority(self) -> Path:
        return self.folder / "ca.crt"

    def certificate(self, name: str) -> Path:
        return self.folder / f"{name}.crt"

    def key(self, name: str) -> Path:
        return self.folder / f"{name}.key"

    def public_key(self, name: str) -> Path:
        return self.folder / f"{name}.pub"


def ensure(folder: Path, clients: tuple[Identity, ...], *, now: datetime) -> Pki:
    """Return the folder's keys and certificates; make them if they are not all there.

    The same folder gives the same keys again: tokens and kubeconfigs outlive a restart.
    """
    pki = Pki(folder)
    complete = folder / "complete"
    if complete.exists():
        return pki
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    issuer = _Issuer(now=now)
    _write(pki.authority, _pem(issuer.certificate))
    _save(pki, "server", *issuer.server())
    for client in clients:
        _save(pki, client.file, *issuer.client(client))
    service_accounts = ec.generate_private_key(ec.SECP256R1())
    _write(pki.key("service-accounts"), _private(service_accounts))
    _write(
        pki.public_key("service-accounts"),
        service_accounts.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
    )
    complete.touch()
    return pki


class _Issuer:
    """A certificate authority whose own key is forgotten when the last certificate is signed."""

    def __init__(self, *, now: datetime) -> None:
        self._now = now
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gpuaas control plane")])
        self.certificate = (
            self._blank(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )

    def server(self) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        """Sign for whatever listens here; etcd also shows its own to itself as a client."""
        addresses = [x509.IPAddress(ipaddress.ip_address(text)) for text in SERVER_ADDRESSES]
        names = [x509.DNSName(text) for text in SERVER_NAMES]
        return self._issue(
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")]),
            [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH],
            x509.SubjectAlternativeName([*names, *addresses]),
        )

    def client(self, who: Identity) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        names = [x509.NameAttribute(NameOID.COMMON_NAME, who.user)]
        if who.group is not None:
            names.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, who.group))
        return self._issue(x509.Name(names), [ExtendedKeyUsageOID.CLIENT_AUTH])

    def _issue(
        self,
        subject: x509.Name,
        purposes: list[x509.ObjectIdentifier],
        alternatives: x509.SubjectAlternativeName | None = None,
    ) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        key = ec.generate_private_key(ec.SECP256R1())
        draft = (
            self._blank(subject, key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
        )
        if alternatives is not None:
            draft = draft.add_extension(alternatives, critical=False)
        return key, draft.sign(self._key, hashes.SHA256())

    def _blank(
        self, subject: x509.Name, public_key: ec.EllipticCurvePublicKey
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - CLOCK_SKEW)
            .not_valid_after(self._now + LIFETIME)
        )


def signing_key() -> str:
    """Return a new key, as PEM, that an OpenID provider signs with."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _save(
    pki: Pki, name: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate
) -> None:
    _write(pki.key(name), _private(key))
    _write(pki.certificate(name), _pem(certificate))


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
