"""The finished report reaches the webhook of whoever is told: once, signed, without secrets."""

import asyncio
import hashlib
import hmac
import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.notify.receiver import receiving
from tests.real.processes import until
from tests.service.serving import looking_at, web_app

pytestmark = pytest.mark.slow
SECRET = "shared-secret-of-both"
