"""What an operator can mend, told in one line; used by every command that opens the stores."""

import contextlib
import sys
from collections.abc import Iterator

from app.domain.errors import CannotStart
from app.domain.redaction import redact


@contextlib.contextmanager
def plainly(what: str) -> Iterator[None]:
    """CannotStart ends the command with exit code 1 and one line; anything else is a bug and keeps its trace."""
    try:
        yield
    except CannotStart as why:
        print(f"sre-agent cannot {what}: {redact(str(why))[0]}", file=sys.stderr)
        raise SystemExit(1) from None
