"""What can go wrong in memory, as our own exceptions; raised by the adapters, turned into a note by `memory.py`."""

from app.domain.errors import SreAgentError


class StoreUnreachable(SreAgentError, OSError):
    """The working memory did not answer. An OSError too, as the port `WorkingMemory` promises its users."""


class IndexBroken(SreAgentError):
    """The vector index gave an error or a wrong answer: throw it away and build it anew from SQL."""


class IndexUnreachable(SreAgentError):
    """The vector index is not to be had just now (server down, path owned by another process): try again later."""


class EmbedderUnavailable(SreAgentError):
    """This embedder cannot be loaded here; the sentence says why."""
