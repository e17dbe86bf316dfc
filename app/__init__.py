"""sre-agent: alerts in, checked verdicts out.

onnxruntime's Linux wheels send telemetry unless this variable is set before the library is first
imported (../shared/stack.md section 3.3), so it is set before anything else of ours is imported.
"""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
