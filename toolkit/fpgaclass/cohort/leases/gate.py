"""Between two students a card is reset and looked at; a card that fails goes out of use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fpgaclass.cohort.errors import LeaseError, ProviderError
from fpgaclass.cohort.leases.book import LeaseBook
from fpgaclass.cohort.leases.entries import Lease


@dataclass(frozen=True)
class Health:
    """What a look at a card showed: usable or not, and why not."""

    ok: bool
    note: str = ""


def hand_over(book: LeaseBook, identity: str, gate: Callable[[str], Health], *, student: str) -> Lease:
    """Begin a lease: reset its card and look at it first; on a broken one, move the student to another.

    Args:
        book: the bookings.
        identity: the lease whose time has come.
        gate: resets and checks the card of a name; see :func:`fpgaclass.cohort.hosts.card_gate`.
        student: whose lease it must be.

    Returns:
        the lease that has begun, maybe another one on another card.

    Raises:
        LeaseError: it is not its time, or the card is broken and no other is free now.
    """
    lease = next((x for x in book.bookings(student) if x.identity == identity), None)
    if lease is None:
        raise LeaseError(f"{student} has no open lease {identity}", next_step="fpgaclass lease list")
    if book.current(student) != lease:
        # Before the gate: a reset out of turn would end the work of whoever has the card now.
        raise LeaseError(f"the booking begins at {book.said(lease.begins)}", next_step="come back then")
    while True:
        try:
            health = gate(lease.card)
        except ProviderError as trouble:
            health = Health(False, str(trouble))
        if health.ok:
            return book.begin(lease.identity, student=student)
        broken = lease.card
        book.set_health(broken, False, health.note)
        other = book.current(student)
        if other is None:
            step = "fpgaclass lease next tells when you are next; you are before your equals"
            raise LeaseError(
                f"card {broken} is broken ({health.note}), and no other is free now", next_step=step
            )
        lease = other
