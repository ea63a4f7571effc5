"""The proof that tests can fail: known faults are injected one by one, and the tests they must turn red are counted."""
