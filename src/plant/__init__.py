"""plant: an async PostgreSQL data layer, the same on asyncpg and psycopg 3.

Importing this package loads nothing but its version; import the modules you need.
"""

__version__ = "0.1.0"
