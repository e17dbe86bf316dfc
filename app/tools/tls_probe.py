"""A TLS handshake over an open connection -> whether the peer's certificate holds, and if not, why; used by `probe`.

A certificate that does not hold is read over a second connection that verifies nothing and sends nothing.
"""

import ssl
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from app.tools.certificate import Certificate, certificate_of

# X509_V_ERR_* of OpenSSL (x509_vfy.h) -> what is wrong in our words. It names the first fault it meets, the chain's before the
# dates': further ones are read from the certificate itself.
EXPIRED, NOT_YET, WRONG_NAME, SELF_SIGNED, UNTRUSTED = "expired", "not_yet_valid", "wrong_name", "self_signed", "untrusted_chain"
FAULTS = {9: NOT_YET, 10: EXPIRED, 18: SELF_SIGNED, 62: WRONG_NAME, 64: WRONG_NAME, **dict.fromkeys((2, 19, 20, 21, 24, 27), UNTRUSTED)}
OTHER = "not_acceptable"


@dataclass(frozen=True)
class Trust:
    """`now` is what dates are held against, `authorities` a PEM file trusted beside those of the system."""

    now: datetime
    authorities: str = ""

    @cached_property
    def context(self) -> ssl.SSLContext:
        """Costs 0.1 s once: the system's authorities are read."""
        made = ssl.create_default_context()
        if self.authorities:
            made.load_verify_locations(self.authorities)
        return made


@dataclass(frozen=True)
class Handshake:
    """`faults` are empty when the certificate holds, else words of `FAULTS`, the one that ended the handshake first; `said` is
    OpenSSL's sentence. `certificate` is None where none could be read. `version` is the protocol's, e.g. TLSv1.3."""

    faults: tuple[str, ...] = ()
    said: str = ""
    certificate: Certificate | None = None
    version: str = ""


def check_authorities(path: str) -> None:
    """Raises ValueError for a file that holds no certificate."""
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:  # ssl.SSLError is one
        raise ValueError(f"{path} holds no certificate that can be read: {error.strerror or error}") from error


def unverified() -> ssl.SSLContext:
    """For reading a certificate that does not hold; nothing may be sent over it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def held(connection: ssl.SSLObject) -> Handshake:
    """The handshake went through."""
    return Handshake((), "", _sent(connection), connection.version() or "")


def broken(error: ssl.SSLCertVerificationError, connection: ssl.SSLObject | None, now: datetime) -> Handshake:
    """The certificate does not hold. `connection` is the second one, None if there was none."""
    certificate = _sent(connection) if connection is not None else None
    first = FAULTS.get(error.verify_code, OTHER)
    faults = (first, *(f for f in _by_date(certificate, now) if f != first))
    said = error.verify_message
    if first == EXPIRED and certificate is not None and certificate.not_after > now:
        faults, said = (UNTRUSTED,), f"{said} (of its issuer)"
    return Handshake(faults, said, certificate)


def _by_date(certificate: Certificate | None, now: datetime) -> tuple[str, ...]:
    if certificate is None:
        return ()
    return (EXPIRED,) if certificate.not_after <= now else (NOT_YET,) if certificate.not_before > now else ()


def _sent(connection: ssl.SSLObject) -> Certificate | None:
    sent = connection.getpeercert(binary_form=True)
    try:
        return certificate_of(sent) if sent else None
    except ValueError:
        return None
