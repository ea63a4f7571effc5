"""plant's foundation: settings, typed errors, drivers, value types, engines, sessions and the connector.

It knows nothing of tables; models, security and search stand on it.
"""
