"""Clouds to test against, for our tests and for those who write a provider."""

from fpgaclass.cohort.testing.memory import MemoryCloud, MemoryProvider

__all__ = ["MemoryCloud", "MemoryProvider"]
