"""What all tests share: pytest's own fixture for running pytest inside a test."""

pytest_plugins = ["pytester"]
