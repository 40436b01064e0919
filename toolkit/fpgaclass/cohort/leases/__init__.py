"""Turns on scarce cards: no double booking, quotas, fairness, and a card that is reset between students."""

from fpgaclass.cohort.leases.book import LeaseBook
from fpgaclass.cohort.leases.gate import Health, hand_over
from fpgaclass.cohort.leases.ledger import Card, Lease, Waiting

__all__ = ["Card", "Health", "Lease", "LeaseBook", "Waiting", "hand_over"]
