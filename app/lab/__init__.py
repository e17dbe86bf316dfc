"""A world to try it in: a frozen incident, servers that answer for it over the real wire protocols, scenarios of our own,
evaluation and demo. Stands on `domain` and `telemetry` alone; `cli` joins it with the service."""
