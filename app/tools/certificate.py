"""A certificate as a peer sent it (DER) -> whom it is for, who issued it, from when until when. Used by `tls_probe`.

Read by hand because `ssl` decodes only what it has verified, and those that matter here it has not. Shapes: RFC 5280, 4.1;
X.690 for the encoding. What a peer sent is not to be trusted: every length is checked, every list capped.
"""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from app.domain.frozen import JsonObject, iso

MAX_NAMES = 50
MAX_TEXT = 120
# Object identifiers by their encoding.
_ATTRIBUTES = {b"\x55\x04\x03": "CN", b"\x55\x04\x0a": "O", b"\x55\x04\x0b": "OU"}
_ALTERNATIVE_NAMES = b"\x55\x1d\x11"
_SEQUENCE, _OID, _OCTETS, _BMP = 0x30, 0x06, 0x04, 0x1E
_VERSION, _EXTENSIONS = 0xA0, 0xA3
_DNS, _ADDRESS = 0x82, 0x87
_TIMES = {0x17: "%y%m%d%H%M%SZ", 0x18: "%Y%m%d%H%M%SZ"}


@dataclass(frozen=True)
class Certificate:
    """`names` are the DNS names and addresses it is for; `self_issued`: its issuer is itself by name."""

    subject: str
    issuer: str
    not_before: datetime
    not_after: datetime
    names: tuple[str, ...]
    self_issued: bool

    def days_left(self, now: datetime) -> int:
        """Whole days until it is past its date; negative from its last moment on."""
        return (self.not_after - now).days

    def told(self, now: datetime) -> JsonObject:
        """Its parts in the words of X.509."""
        dates = {"notBefore": iso(self.not_before), "notAfter": iso(self.not_after), "daysLeft": self.days_left(now)}
        return {"subject": self.subject, "issuer": self.issuer, **dates, "subjectAltName": list(self.names), "selfIssued": self.self_issued}


def certificate_of(der: bytes) -> Certificate:
    """Raises ValueError for what is no X.509 certificate."""
    parts = list(_items(_only(_only(der, _SEQUENCE), _SEQUENCE, more=True)))
    if parts and parts[0][0] == _VERSION:
        parts = parts[1:]
    if len(parts) < 6:
        raise ValueError("a certificate without issuer, dates and subject")
    issuer, validity, subject = (content for _, content in parts[2:5])
    times = [_time(tag, content) for tag, content in _items(validity)]
    if len(times) != 2:
        raise ValueError("a certificate without its two dates")
    extensions = next((content for tag, content in parts[6:] if tag == _EXTENSIONS), b"")
    names = tuple(name for _, name in zip(range(MAX_NAMES), _alternative_names(extensions), strict=False))
    begins, ends = times
    return Certificate(_name(subject), _name(issuer), begins, ends, names, issuer == subject)


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(tag, content) one after the other. Raises ValueError where a length leads outside."""
    at = 0
    while at < len(data):
        if at + 2 > len(data):
            raise ValueError("a cut certificate")
        tag, size, at = data[at], data[at + 1], at + 2
        if size & 0x80:
            octets = size & 0x7F
            if not 1 <= octets <= 4 or at + octets > len(data):
                raise ValueError("a length of another form")
            size, at = int.from_bytes(data[at : at + octets], "big"), at + octets
        if at + size > len(data):
            raise ValueError("a cut certificate")
        yield tag, data[at : at + size]
        at += size


def _only(data: bytes, wanted: int, more: bool = False) -> bytes:
    """The content of the first item, which must be of that tag, and alone unless `more`."""
    first, *rest = list(_items(data)) or [(0, b"")]
    if first[0] != wanted or (rest and not more):
        raise ValueError("another structure than a certificate's")
    return first[1]


def _time(tag: int, content: bytes) -> datetime:
    if tag not in _TIMES:
        raise ValueError("a date of another form")
    found = datetime.strptime(content.decode("ascii"), _TIMES[tag]).replace(tzinfo=UTC)
    # RFC 5280, 4.1.2.5.1: two digits mean 1950 to 2049; Python's border is 1969
    return found.replace(year=found.year - 100) if tag == 0x17 and found.year >= 2050 else found


def _name(content: bytes) -> str:
    """`CN=cart.example, O=Shop`: common name, organisation and unit."""
    found = []
    for _, pair_set in _items(content):
        for _, pair in _items(pair_set):
            items = list(_items(pair))
            if len(items) == 2 and items[0][0] == _OID and items[0][1] in _ATTRIBUTES:
                found.append(f"{_ATTRIBUTES[items[0][1]]}={_text(*items[1])}")
    return ", ".join(found[:4])


def _text(tag: int, content: bytes) -> str:
    text = content.decode("utf-16-be" if tag == _BMP else "utf-8", "replace")
    return "".join(c if c.isprintable() else "?" for c in text)[:MAX_TEXT]


def _alternative_names(extensions: bytes) -> Iterator[str]:
    for _, every in _items(extensions):
        for _, extension in _items(every):
            parts = list(_items(extension))
            if len(parts) >= 2 and parts[0] == (_OID, _ALTERNATIVE_NAMES) and parts[-1][0] == _OCTETS:
                for tag, content in _items(_only(parts[-1][1], _SEQUENCE)):
                    if tag == _DNS:
                        yield _text(tag, content)
                    elif tag == _ADDRESS and len(content) in (4, 16):
                        yield str(ipaddress.ip_address(content))
