"""Working memory in Redis: what replicas share. Built by `main` when a Redis address is configured.

An entry is a hash of `value` and `timestamp`; counters and leases are plain strings. A plain string written by hand
(`redis-cli set kill_switch:sre-agent 1`) reads like an entry, so an operator needs no tool of ours.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import ConnectionError, RedisError

from app.domain.frozen import Clock
from app.memory.entry import DEFAULT_TTL, LEASE, Entry, checked_ttl, utc_now
from app.memory.failures import StoreUnreachable

_GET = """
local kind = redis.call('TYPE', KEYS[1])['ok']
if kind == 'string' then return {redis.call('GET', KEYS[1]), ''} end
if kind == 'hash' then return redis.call('HMGET', KEYS[1], 'value', 'timestamp') end
return false
"""
_PUT = """
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'value', ARGV[1], 'timestamp', ARGV[2])
return redis.call('PEXPIRE', KEYS[1], ARGV[3])
"""
_INCR = """
if redis.call('TYPE', KEYS[1])['ok'] == 'hash' then redis.call('DEL', KEYS[1]) end
local n = redis.call('INCR', KEYS[1])
if n == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return n
"""
_ACQUIRE = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_RENEW = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
"""
_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""
_TIMEOUT_SECONDS = 2.0
_LISTEN_SECONDS = 1.0


class RedisWorkingMemory:
    """Fills `WorkingMemory`. `client` must decode responses; `prefix` comes before every key and channel.

    Raises StoreUnreachable when Redis does not answer or refuses.
    """

    def __init__(self, client: "Redis", clock: Clock = utc_now, prefix: str = "") -> None:
        self._redis = client
        self._clock = clock
        self._prefix = prefix
        self._opening: set[asyncio.Task[None]] = set()
        self._get, self._put, self._incr = (client.register_script(s) for s in (_GET, _PUT, _INCR))
        self._acquire, self._renew, self._release = (client.register_script(s) for s in (_ACQUIRE, _RENEW, _RELEASE))

    @classmethod
    def connect(cls, url: str, prefix: str = "", clock: Clock = utc_now) -> "RedisWorkingMemory":
        """A client with pools and short timeouts; nothing is sent before the first call."""
        # Once more on a new connection: after a restart of Redis the pool is full of dead ones. What hangs is not asked again.
        again = Retry(NoBackoff(), 1, supported_errors=(ConnectionError,))
        client = Redis.from_url(url, decode_responses=True, socket_timeout=_TIMEOUT_SECONDS, socket_connect_timeout=_TIMEOUT_SECONDS, retry=again)
        return cls(client, clock, prefix)

    async def entry(self, key: str) -> Entry | None:
        """The value with the time it was written."""
        found = await self._call(self._get, key)
        if not found:
            return None
        value, written = found
        return Entry(value, datetime.fromtimestamp(float(written), UTC) if written else None)

    async def get(self, key: str) -> str | None:
        found = await self.entry(key)
        return found.value if found else None

    async def put(self, key: str, value: str, ttl: float = DEFAULT_TTL) -> None:
        await self._call(self._put, key, value, repr(self._clock().timestamp()), _milliseconds(ttl))

    async def delete(self, key: str) -> None:
        await _answer(self._redis.delete(self._prefix + key))

    async def incr_window(self, key: str, window: float) -> int:
        return int(await self._call(self._incr, key, _milliseconds(window)))

    async def acquire(self, name: str, holder: str, ttl: float) -> bool:
        return bool(await self._call(self._acquire, LEASE + name, holder, _milliseconds(ttl)))

    async def renew(self, name: str, holder: str, ttl: float) -> bool:
        return bool(await self._call(self._renew, LEASE + name, holder, _milliseconds(ttl)))

    async def release(self, name: str, holder: str) -> None:
        await self._call(self._release, LEASE + name, holder)

    async def publish(self, channel: str, message: str) -> None:
        # A subscription made before this call hears it, although its own request may still be on the way.
        await asyncio.gather(*self._opening, return_exceptions=True)
        await _answer(self._redis.publish(self._prefix + channel, message))

    def subscribe(self, channel: str) -> AsyncIterator[str]:
        pubsub = self._redis.pubsub(ignore_subscribe_messages=True)
        opening = asyncio.ensure_future(_answer(pubsub.subscribe(self._prefix + channel)))
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)
        return _Subscription(pubsub, opening)

    async def close(self) -> None:
        await self._redis.aclose()

    async def _call(self, script: AsyncScript, key: str, *arguments: str | int) -> Any:
        return await _answer(script(keys=[self._prefix + key], args=cast(Sequence[Any], arguments)))


class _Subscription:
    """One Redis subscription; it holds a connection until it is closed."""

    def __init__(self, pubsub: PubSub, opening: "asyncio.Task[None]") -> None:
        self._pubsub = pubsub
        self._opening = opening
        self._closed = False

    def __aiter__(self) -> "_Subscription":
        return self

    async def __anext__(self) -> str:
        await asyncio.shield(self._opening)
        while not self._closed:
            message = await _answer(self._pubsub.get_message(timeout=_LISTEN_SECONDS))
            if message is not None:
                return str(message["data"])
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self._closed = True
        await asyncio.gather(self._opening, return_exceptions=True)
        await self._pubsub.aclose()  # type: ignore[no-untyped-call]


def _milliseconds(seconds: float) -> int:
    return max(1, round(checked_ttl(seconds) * 1000))


async def _answer(reply: Awaitable[Any]) -> Any:
    try:
        return await reply
    except (RedisError, OSError) as error:
        raise StoreUnreachable(f"Redis: {error}") from error
