"""A run spread over several jobs, and a project's first steps: the matrix for a CI system, its workflow, the merge."""
