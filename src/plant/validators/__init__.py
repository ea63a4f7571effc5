"""Rules that entities keep, checked as a whole: what a check finds is returned, all of it, never raised."""
