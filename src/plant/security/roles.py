"""The three database roles, by name. Constants only; `plant.database.bootstrap` creates them."""

from __future__ import annotations

from typing import Final

OWNER: Final = "plant_owner"
"""Owns the schema and all in it; cannot log in."""

MIGRATOR: Final = "plant_migrator"
"""Logs in to migrate; its only right is to become the owner by SET ROLE."""

APP: Final = "plant_app"
"""Logs in for the application; owns nothing, is a member of nothing, is subject to row-level security."""
