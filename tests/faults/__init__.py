"""The faults of plant: what the 74 tests of the contract must see when it is broken."""
