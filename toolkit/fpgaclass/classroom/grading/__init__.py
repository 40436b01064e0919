"""Grading: submissions collected, run in the jail, marked, and given back as feedback."""
