"""The city's signature on its CAP documents: key, certificate, signing and verifying (XML-DSig); pure."""

from __future__ import annotations

import base64
import datetime as dt
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID
from django.utils.translation import gettext as _
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureConstructionMethod, SignatureMethod
from signxml.exceptions import InvalidCertificate, SignXMLException
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, VerifyResult, XMLVerifier

from alerts.cap.schema import NotCap, parse, tag

KEY_FILE = "cap_key.pem"
CERTIFICATE_FILE = "cap_cert.pem"
# Long, because readers pin the fingerprint: a certificate that ends in the night would only harm the city.
VALID_FOR = dt.timedelta(days=3650)

_DSIG = "{http://www.w3.org/2000/09/xmldsig#}"
_EXCLUSIVE = CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0
_TRANSFORMS = {SignatureConstructionMethod.enveloped.value, _EXCLUSIVE.value}
_TRUSTED = SignatureConfiguration(
    location="./",
    expect_references=1,
    signature_methods=frozenset({SignatureMethod.RSA_SHA256, SignatureMethod.ECDSA_SHA256}),
    digest_algorithms=frozenset({DigestAlgorithm.SHA256}),
)


class SigningFailed(Exception):
    """The document can't be signed and must not go out; ``str()`` says what to mend, without any secret."""


class SignatureInvalid(ValueError):
    """The document is not signed, was changed, or was signed by someone else; ``str()`` says which."""


class Signer:
    """The city's key and certificate, loaded once: signing costs a few milliseconds, loading more."""

    def __init__(self, key_pem: bytes, certificate_pem: bytes) -> None:
        """PEM bytes; the certificate may be followed by its chain. Raises SigningFailed."""
        self._key = _private_key(key_pem)
        try:
            self._chain = x509.load_pem_x509_certificates(certificate_pem)
        except ValueError:
            raise SigningFailed(_("The certificate can't be read. Give it in PEM, or run make_keys.")) from None
        if self._chain[0].public_key() != self._key.public_key():
            raise SigningFailed(_("The certificate doesn't belong to the key. Replace both, or run make_keys --force."))
        _try(self._key)
        rsa_key = isinstance(self._key, rsa.RSAPrivateKey)
        self._signer = XMLSigner(
            method=SignatureConstructionMethod.enveloped,
            signature_algorithm=SignatureMethod.RSA_SHA256 if rsa_key else SignatureMethod.ECDSA_SHA256,
            digest_algorithm=DigestAlgorithm.SHA256,
            c14n_algorithm=_EXCLUSIVE,
        )

    @classmethod
    def load(cls, folder: Path) -> Signer:
        """The key and certificate that ``make_keys`` wrote to the folder; raises SigningFailed."""
        try:
            return cls((folder / KEY_FILE).read_bytes(), (folder / CERTIFICATE_FILE).read_bytes())
        except OSError as error:
            text = _("{file} can't be read: {reason}. Run make_keys.")
            raise SigningFailed(text.format(file=error.filename, reason=error.strerror)) from error

    @property
    def fingerprint(self) -> str:
        """The certificate's SHA-256, as ``openssl x509 -fingerprint`` prints it."""
        return _fingerprint(self._chain[0])

    @property
    def ends(self) -> dt.datetime:
        """When the certificate stops being valid."""
        return self._chain[0].not_valid_after_utc

    def sign(self, body: bytes) -> bytes:
        """The CAP document with an enveloped signature as the last child of ``alert``.

        Reference URI "", exclusive c14n, SHA-256, X.509 in KeyInfo. Raises SigningFailed; never gives
        the document back unsigned.
        """
        try:
            root = parse(body, whole=True)
            if root.find(f"{_DSIG}Signature") is not None:
                raise SigningFailed(_("The document is signed already."))
            signed = self._signer.sign(root, key=self._key, cert=self._chain)
            return etree.tostring(signed, xml_declaration=True, encoding="UTF-8")
        except (NotCap, SignXMLException, UnsupportedAlgorithm, etree.LxmlError, ValueError, TypeError) as error:
            raise SigningFailed(_("The CAP document can't be signed: {reason}").format(reason=error)) from error


def sign(body: bytes, key_pem: bytes, certificate_pem: bytes) -> bytes:
    """``Signer.sign`` for a single document."""
    return Signer(key_pem, certificate_pem).sign(body)


def verify(body: bytes, certificate_pem: bytes | None = None) -> str:
    """The SHA-256 fingerprint of the certificate that signed the whole document; raises SignatureInvalid.

    With ``certificate_pem``, only that certificate's key will do. Without it, the one inside the document
    is believed: compare the fingerprint with one that you know, since anyone can make a certificate.
    """
    try:
        root = parse(body, whole=True)
        found = root.findall(f"{_DSIG}Signature")
        if not found:
            raise SignatureInvalid(_("The document is not signed."))
        if len(found) > 1 or root[-1] is not found[0]:
            raise SignatureInvalid(_("The signature must be the only one, and the last element of the document."))
        certificate = (
            _embedded(found[0]) if certificate_pem is None else x509.load_pem_x509_certificate(certificate_pem)
        )
        result = XMLVerifier().verify(root, x509_cert=certificate, expect_config=_TRUSTED)
    except InvalidCertificate as error:
        raise SignatureInvalid(_("The certificate is not valid now: {reason}").format(reason=error)) from error
    except NotCap as error:
        raise SignatureInvalid(str(error)) from error
    except SignatureInvalid:
        raise
    except (SignXMLException, etree.LxmlError, UnsupportedAlgorithm, ValueError, TypeError) as error:
        text = _("The signature does not fit: the document was changed, or another key signed it.")
        raise SignatureInvalid(text) from error
    if not isinstance(result, VerifyResult) or not _covers_everything(result):
        raise SignatureInvalid(_("The signature does not cover the whole document."))
    return _fingerprint(certificate)


def fingerprint(certificate_pem: bytes) -> str:
    """A certificate's SHA-256, as ``openssl x509 -fingerprint`` prints it: for the page and the press."""
    return _fingerprint(x509.load_pem_x509_certificate(certificate_pem))


def make_key() -> bytes:
    """A new RSA key of 3072 bits, PEM: slower than an elliptic curve, but every CAP reader knows it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def make_certificate(key_pem: bytes, name: str, now: dt.datetime) -> bytes:
    """A self-signed certificate for the key, PEM; ``name`` is the city's, cut to X.509's 64 characters."""
    key = _private_key(key_pem)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))  # a reader's clock may be late
        .not_valid_after(now + VALID_FOR)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )


def _private_key(pem: bytes) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    try:
        # Checking an RSA key's primes takes 250 ms; that the key signs for its certificate is tried by Signer.
        key = serialization.load_pem_private_key(pem, password=None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise SigningFailed(_("The key can't be read. Give it in PEM, without a password.")) from None
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) or key.key_size < 256:
        raise SigningFailed(_("The key must be RSA or an elliptic curve (ECDSA)."))
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < 2048:
        raise SigningFailed(_("The RSA key is too short. Take 2048 bits or more."))
    return key


def _try(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> None:
    """Sign something and verify it: 2 ms that tell a damaged key. Raises SigningFailed."""
    if not isinstance(key, rsa.RSAPrivateKey):
        return  # the points of a curve are checked when it is read
    try:
        signed = key.sign(b"belfry", padding.PKCS1v15(), hashes.SHA256())
        key.public_key().verify(signed, b"belfry", padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ValueError):
        raise SigningFailed(_("The key is damaged: what it signs can't be verified. Run make_keys --force.")) from None


def _embedded(signature: etree._Element) -> x509.Certificate:
    text = signature.findtext(f"{_DSIG}KeyInfo/{_DSIG}X509Data/{_DSIG}X509Certificate")
    if not text:
        raise SignatureInvalid(_("The signature carries no certificate."))
    return x509.load_der_x509_certificate(base64.b64decode(text))


def _covers_everything(result: VerifyResult) -> bool:
    """False for a signature of a part only, or of a document changed on the way (signature wrapping)."""
    uris = [reference.get("URI") for reference in result.signature_xml.iter(f"{_DSIG}Reference")]
    transforms = {transform.get("Algorithm") for transform in result.signature_xml.iter(f"{_DSIG}Transform")}
    whole = result.signed_xml is not None and result.signed_xml.tag == tag("alert")
    return whole and uris == [""] and transforms <= _TRANSFORMS


def _fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()
