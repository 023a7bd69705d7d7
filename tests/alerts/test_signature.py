"""What the city signs, others can verify; what was changed or signed by someone else, nobody takes for ours."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import io
import re
import shutil
import ssl
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from django.core.management import CommandError, call_command
from django.utils import translation
from lxml import etree
from signxml.algorithms import CanonicalizationMethod
from signxml.signer import XMLSigner

from alerts import cap
from alerts.cap.rules import faults
from alerts.signature import (
    CERTIFICATE_FILE,
    KEY_FILE,
    SignatureInvalid,
    Signer,
    SigningFailed,
    fingerprint,
    make_certificate,
    make_key,
    sign,
    verify,
)
from tests.alerts.capcases import minimal, told

NOW = dt.datetime.now(dt.UTC)
DSIG = "{http://www.w3.org/2000/09/xmldsig#}"
BODY = cap.write(minimal(headline="Bombenfund", description="eins\r\nzwei & <drei> 😀"))


def pem(key: Any) -> bytes:
    body: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return body


# Made once: making an RSA key takes its time.
RSA = make_key()
ELLIPTIC = pem(ec.generate_private_key(ec.SECP256R1()))
STRANGER = pem(ec.generate_private_key(ec.SECP256R1()))
KEYS = {"rsa": RSA, "elliptic": ELLIPTIC}
CERTIFICATES = {key: make_certificate(key, "Stadt Leipzig", NOW) for key in (RSA, ELLIPTIC, STRANGER)}
CERTIFICATE = CERTIFICATES[RSA]
SIGNED = sign(BODY, RSA, CERTIFICATE)


@pytest.fixture(autouse=True)
def _in_english() -> Iterator[None]:
    with translation.override("en"):
        yield


def xmlsec1(document: bytes, certificate: bytes, folder: Path) -> subprocess.CompletedProcess[str]:
    """An independent verifier's word."""
    program = shutil.which("xmlsec1")
    if program is None:
        pytest.fail("xmlsec1 is missing. Install it (Debian: apt install xmlsec1); without it nobody has checked us.")
    (folder / "a.xml").write_bytes(document)
    (folder / "a.pem").write_bytes(certificate)
    command = [program, "--verify", "--trusted-pem", str(folder / "a.pem"), str(folder / "a.xml")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


# What others see


@pytest.mark.parametrize("kind", KEYS)
def test_xmlsec1_verifies_our_signatures(kind: str, tmp_path: Path) -> None:
    certificate = CERTIFICATES[KEYS[kind]]
    signer = Signer(KEYS[kind], certificate)
    for document in [minimal(description="eins\r\nzwei & <drei> 😀"), *told()]:
        signed = signer.sign(cap.write(document))
        result = xmlsec1(signed, certificate, tmp_path)
        assert result.returncode == 0, result.stderr
        assert xmlsec1(signed.replace(b"Bomb", b"Bumb"), certificate, tmp_path).returncode != 0
        assert xmlsec1(signed, CERTIFICATES[STRANGER], tmp_path).returncode != 0


def test_real_alerts_can_be_signed_and_verified_elsewhere(real_data: Path, tmp_path: Path) -> None:
    signer = Signer(RSA, CERTIFICATE)
    for file in (real_data / "cap" / "samples").glob("*.xml"):
        signed = signer.sign(cap.write(cap.read(file.read_bytes())))
        result = xmlsec1(signed, CERTIFICATE, tmp_path)
        assert result.returncode == 0, (file.name, result.stderr)


@pytest.mark.parametrize(("kind", "algorithm"), [("rsa", "rsa-sha256"), ("elliptic", "ecdsa-sha256")])
def test_a_signature_has_the_form_that_cap_asks_for(kind: str, algorithm: str) -> None:
    root = etree.fromstring(sign(BODY, KEYS[kind], CERTIFICATES[KEYS[kind]]))
    signature = root[-1]
    assert signature.tag == f"{DSIG}Signature"
    assert [one.get("URI") for one in signature.iter(f"{DSIG}Reference")] == [""]
    (method,) = signature.iter(f"{DSIG}SignatureMethod")
    assert str(method.get("Algorithm")).endswith(f"#{algorithm}")
    exclusive = "http://www.w3.org/2001/10/xml-exc-c14n#"
    (canonical,) = signature.iter(f"{DSIG}CanonicalizationMethod")
    assert canonical.get("Algorithm") == exclusive
    transforms = [one.get("Algorithm") for one in signature.iter(f"{DSIG}Transform")]
    assert transforms == ["http://www.w3.org/2000/09/xmldsig#enveloped-signature", exclusive]
    (digest,) = signature.iter(f"{DSIG}DigestMethod")
    assert str(digest.get("Algorithm")).endswith("#sha256")
    (embedded,) = signature.iter(f"{DSIG}X509Certificate")
    found = x509.load_der_x509_certificate(base64.b64decode(embedded.text or ""))
    assert found == x509.load_pem_x509_certificate(CERTIFICATES[KEYS[kind]])


def test_a_signed_document_says_the_same_and_is_still_in_order() -> None:
    for document in told():
        signed = sign(cap.write(document), RSA, CERTIFICATE)
        assert cap.read(signed) == document
        report = faults(signed)
        assert (report.errors, report.warnings) == ((), ())


def test_the_fingerprint_is_the_one_of_the_whole_certificate() -> None:
    signer = Signer(RSA, CERTIFICATE)
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(CERTIFICATE.decode())).hexdigest().upper()
    assert signer.fingerprint == fingerprint(CERTIFICATE) == verify(SIGNED)
    assert signer.fingerprint.replace(":", "") == digest
    assert re.fullmatch(r"([0-9A-F]{2}:){31}[0-9A-F]{2}", signer.fingerprint)


def test_a_certificate_holds_for_years() -> None:
    assert Signer(RSA, CERTIFICATE).ends > NOW + dt.timedelta(days=3000)


# Verifying


@pytest.mark.parametrize("kind", KEYS)
def test_our_own_signature_is_verified_with_and_without_the_certificate(kind: str) -> None:
    certificate = CERTIFICATES[KEYS[kind]]
    signed = sign(BODY, KEYS[kind], certificate)
    assert verify(signed) == verify(signed, certificate) == fingerprint(certificate)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b">Bombenfund<", b">Fehlalarm<"),
        (b"</event>", b"</event><responseType>AllClear</responseType>"),
        (b"eins", b"eins<?zwei drei?>"),
        (b">test.1<", b">test.2<"),
    ],
)
def test_a_changed_document_is_not_ours(old: bytes, new: bytes) -> None:
    assert old in SIGNED
    with pytest.raises(SignatureInvalid, match="changed"):
        verify(SIGNED.replace(old, new))


def test_a_stranger_signature_is_not_ours_but_its_fingerprint_tells() -> None:
    foreign = sign(BODY, STRANGER, CERTIFICATES[STRANGER])
    with pytest.raises(SignatureInvalid, match="another key"):
        verify(foreign, CERTIFICATE)
    assert verify(foreign) != fingerprint(CERTIFICATE)


def test_a_document_without_a_signature_is_not_ours() -> None:
    with pytest.raises(SignatureInvalid, match="not signed"):
        verify(BODY)


def test_what_is_no_cap_is_not_ours() -> None:
    with pytest.raises(SignatureInvalid):
        verify(b"<feed/>")
    with pytest.raises(SignatureInvalid, match="DOCTYPE"):
        verify(b"<!DOCTYPE alert []>" + SIGNED.partition(b"?>\n")[2])


def test_a_signature_of_a_part_only_is_refused() -> None:
    """Signature wrapping: the stolen signed block stands inside a new message."""
    root = etree.fromstring(BODY)
    info = root.find("{*}info")
    assert info is not None
    info.set("Id", "part")
    signer = XMLSigner(c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0)
    key = serialization.load_pem_private_key(RSA, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    chain = x509.load_pem_x509_certificates(CERTIFICATE)
    signed = signer.sign(root, key=key, cert=chain, reference_uri="#part")
    with pytest.raises(SignatureInvalid, match="whole document"):
        verify(etree.tostring(signed), CERTIFICATE)


def test_two_signatures_or_one_in_the_middle_are_refused() -> None:
    root = etree.fromstring(SIGNED)
    signature = root[-1]
    root.append(etree.fromstring(etree.tostring(signature)))
    with pytest.raises(SignatureInvalid, match="only one"):
        verify(etree.tostring(root))
    root = etree.fromstring(SIGNED)
    root.insert(0, root[-1])
    with pytest.raises(SignatureInvalid, match="last"):
        verify(etree.tostring(root))


@pytest.mark.parametrize(
    ("pattern", "new"),
    [
        (rb"<ds:X509Certificate>.*</ds:X509Certificate>", b""),
        (rb"<ds:X509Certificate>[^<]*", b"<ds:X509Certificate>abcd"),
        (rb"<ds:SignatureValue>[^<]*", b"<ds:SignatureValue>"),
        (rb"<ds:SignatureValue>[^<]*", b"<ds:SignatureValue>AAAA"),
        (rb"<ds:SignedInfo>.*</ds:SignedInfo>", b""),
        (rb"rsa-sha256", b"rsa-sha1"),
        (rb"rsa-sha256", b"hmac-sha256"),
        (rb"<ds:DigestValue>[^<]*", b"<ds:DigestValue>AAAA"),
        (rb'URI=""', b'URI="http://127.0.0.1:9/x"'),
    ],
)
def test_a_broken_signature_is_refused_in_words(pattern: bytes, new: bytes) -> None:
    broken, count = re.subn(pattern, new, SIGNED, flags=re.DOTALL)
    assert count == 1
    with pytest.raises(SignatureInvalid, match=r"\w"):
        verify(broken)


def test_a_certificate_whose_time_is_over_is_named() -> None:
    old = make_certificate(RSA, "Leipzig", NOW - dt.timedelta(days=4000))
    with pytest.raises(SignatureInvalid, match="not valid now"):
        verify(sign(BODY, RSA, old))


# Signing that fails


def test_an_unfit_key_or_certificate_is_refused_at_once_and_shows_no_secret() -> None:
    short = pem(rsa.generate_private_key(public_exponent=65537, key_size=1024))  # noqa: S505  too short on purpose
    edwards = pem(ed25519.Ed25519PrivateKey.generate())
    locked = serialization.load_pem_private_key(RSA, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    broken = RSA.replace(b"M", b"!", 3)
    for key, certificate, words in (
        (b"", CERTIFICATE, "key can't be read"),
        (broken, CERTIFICATE, "key can't be read"),
        (locked, CERTIFICATE, "without a password"),
        (short, CERTIFICATE, "too short"),
        (edwards, CERTIFICATE, "elliptic"),
        (RSA, b"", "certificate can't be read"),
        (RSA, CERTIFICATE.replace(b"M", b"!", 3), "certificate can't be read"),
        (RSA, CERTIFICATES[STRANGER], "doesn't belong"),
    ):
        with pytest.raises(SigningFailed, match=words) as raised:
            Signer(key, certificate)
        assert "PRIVATE" not in str(raised.value)


def test_a_damaged_key_is_named_before_it_signs() -> None:
    """A number inside the key is wrong: it can be read, and the certificate's public half is still the same."""
    key = serialization.load_pem_private_key(RSA, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    sound = key.private_numbers()
    damaged = rsa.RSAPrivateNumbers(
        p=sound.p,
        q=sound.q,
        d=sound.d + 2,
        dmp1=sound.dmp1 + 2,
        dmq1=sound.dmq1 + 2,
        iqmp=sound.iqmp,
        public_numbers=sound.public_numbers,
    ).private_key(unsafe_skip_rsa_key_validation=True)
    with pytest.raises(SigningFailed, match="damaged"):
        Signer(pem(damaged), CERTIFICATE)


@pytest.mark.parametrize("body", [b"", b"<feed/>", b"<alert", SIGNED])
def test_what_cannot_be_signed_fails_loudly(body: bytes) -> None:
    with pytest.raises(SigningFailed, match="sign"):
        Signer(RSA, CERTIFICATE).sign(body)


def test_a_key_that_breaks_while_signing_fails_loudly(monkeypatch: pytest.MonkeyPatch) -> None:
    signer = Signer(RSA, CERTIFICATE)

    def broken(*_args: Any, **_options: Any) -> None:
        raise ValueError("hardware module is gone")

    monkeypatch.setattr("signxml.signer.XMLSigner._build_sig", broken)
    with pytest.raises(SigningFailed, match="hardware module is gone"):
        signer.sign(BODY)


def test_missing_files_name_the_command_that_makes_them(tmp_path: Path) -> None:
    with pytest.raises(SigningFailed, match="make_keys"):
        Signer.load(tmp_path)


# make_keys


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.KEYS_DIR = tmp_path / "keys"
    return tmp_path / "keys"


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elliptic keys: as new each time, and there at once."""
    monkeypatch.setattr(
        "alerts.management.commands.make_keys.make_key", lambda: pem(ec.generate_private_key(ec.SECP256R1()))
    )


def made(*args: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("make_keys", *args, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_keys_are_made_once_for_their_owner_alone(folder: Path) -> None:
    said, warned = made()
    signer = Signer.load(folder)
    assert signer.fingerprint in said
    assert warned == ""
    assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert verify(signer.sign(BODY), (folder / CERTIFICATE_FILE).read_bytes()) == signer.fingerprint
    before = (folder / KEY_FILE).read_bytes(), (folder / CERTIFICATE_FILE).read_bytes()
    assert signer.fingerprint in made()[0]
    assert before == ((folder / KEY_FILE).read_bytes(), (folder / CERTIFICATE_FILE).read_bytes())
    assert sorted(path.name for path in folder.iterdir()) == [CERTIFICATE_FILE, KEY_FILE]


@pytest.mark.usefixtures("_quick")
def test_keys_are_replaced_by_force_only_and_the_old_ones_kept(folder: Path) -> None:
    made()
    old = Signer.load(folder)
    key = (folder / KEY_FILE).read_bytes()
    made("--force")
    assert Signer.load(folder).fingerprint != old.fingerprint
    (kept,) = folder.glob("cap_key.2*.pem")
    assert kept.read_bytes() == key
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert len(list(folder.iterdir())) == 4


@pytest.mark.usefixtures("_quick")
def test_a_certificate_is_made_for_a_key_brought_along(folder: Path) -> None:
    folder.mkdir()
    (folder / KEY_FILE).write_bytes(ELLIPTIC)
    (folder / KEY_FILE).chmod(0o644)
    _said, warned = made()
    assert "chmod 600" in warned
    assert (folder / KEY_FILE).read_bytes() == ELLIPTIC
    Signer.load(folder)


@pytest.mark.usefixtures("_quick")
def test_a_certificate_without_its_key_is_not_overwritten(folder: Path) -> None:
    made()
    (folder / KEY_FILE).unlink()
    before = (folder / CERTIFICATE_FILE).read_bytes()
    with pytest.raises(CommandError, match="Bring the key back"):
        made()
    assert (folder / CERTIFICATE_FILE).read_bytes() == before
    assert not (folder / KEY_FILE).exists()


def test_a_pair_that_does_not_fit_is_named(folder: Path) -> None:
    folder.mkdir()
    (folder / KEY_FILE).write_bytes(ELLIPTIC)
    (folder / CERTIFICATE_FILE).write_bytes(CERTIFICATES[STRANGER])
    with pytest.raises(CommandError, match="doesn't belong"):
        made()


def test_a_folder_that_cannot_be_written_is_named(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings.KEYS_DIR = tmp_path / "file" / "keys"
    with pytest.raises(CommandError, match="can't be written"):
        made()
