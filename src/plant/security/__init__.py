"""Who may do what, and the proof of what was done: roles, row-level security, audit trail."""
