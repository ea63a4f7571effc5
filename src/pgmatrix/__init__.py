"""pgmatrix proves a PostgreSQL data layer on every PostgreSQL major and driver a project supports.

The package owns servers, databases, the pytest plugin, records and reports. It knows nothing of the project it
tests, and imports neither SQLAlchemy nor Alembic. Importing it imports nothing else.
"""

__version__ = "0.1.0"
