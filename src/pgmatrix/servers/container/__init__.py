"""The container provider: PostgreSQL in containers of a Docker engine or podman, run by testcontainers."""
