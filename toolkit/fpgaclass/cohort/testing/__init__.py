"""Clouds to test against, for our tests and for those who write a provider."""

from fpgaclass.cohort.testing.aws import FakeAws
from fpgaclass.cohort.testing.faults import Case, FaultMatrix, FaultyCloud, Proof
from fpgaclass.cohort.testing.memory import MemoryCloud, MemoryProvider
from fpgaclass.cohort.testing.openstack import MemoryProject
from fpgaclass.cohort.testing.orchestrator import FakeOrchestrator

__all__ = [
    "Case",
    "FakeAws",
    "FakeOrchestrator",
    "FaultMatrix",
    "FaultyCloud",
    "MemoryCloud",
    "MemoryProject",
    "MemoryProvider",
    "Proof",
]
