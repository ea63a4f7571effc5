"""Every difference between asyncpg and psycopg 3 under SQLAlchemy 2.0 and 2.1, and nothing else has one.

`opener(target, backend)` gives what an engine needs; `translate` turns any exception into a PlantError. A
driver is imported when it is first used, so the other need not be installed. Differences in what untyped
SQL returns or accepts (`text()` binds, xmin, composites, "char") stay: give binds and results a type of
plant.core.values.
"""

from __future__ import annotations

from plant.core.drivers.backend import Backend, Raw, Sink, Target
from plant.core.drivers.failures import is_driver_error, translate, translate_connect
from plant.core.drivers.opening import backend_for, opener
from plant.core.drivers.target import target_for, transaction_options

__all__ = [
    "Backend",
    "Raw",
    "Sink",
    "Target",
    "backend_for",
    "is_driver_error",
    "opener",
    "target_for",
    "transaction_options",
    "translate",
    "translate_connect",
]
