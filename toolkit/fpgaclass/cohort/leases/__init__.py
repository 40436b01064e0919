"""Turns on scarce cards: no double booking, quotas, fairness, and a card that is reset between students."""

from fpgaclass.cohort.leases.blazar import Window
from fpgaclass.cohort.leases.book import LeaseBook
from fpgaclass.cohort.leases.entries import Card, Lease, Waiting
from fpgaclass.cohort.leases.gate import Health, hand_over
from fpgaclass.cohort.leases.site import follow_site

__all__ = ["Card", "Health", "Lease", "LeaseBook", "Waiting", "Window", "follow_site", "hand_over"]
