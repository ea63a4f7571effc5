"""What each worker does once, before the first fault, so that no test has to do it again."""

from __future__ import annotations

from importlib import import_module

import numpy as np
from sqlalchemy.orm import configure_mappers

from pgmatrix.clients import installed_drivers
from tests.fixtures.vectors import as_texts, clustered

DRIVERS = "plant.core.drivers"


def warm() -> None:
    """Load the drivers, configure the mappers, and write down the vectors that searches are tried on."""
    for driver in installed_drivers():
        import_module(f"{DRIVERS}.on_{driver}")
        import_module(f"sqlalchemy.dialects.postgresql.{driver}")
    configure_mappers()
    np.random.default_rng(0)
    as_texts(clustered(2000).tobytes())
