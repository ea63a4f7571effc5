"""Servers: ways to get a running PostgreSQL, proof that it is the wanted one, and the certainty that it goes away."""
