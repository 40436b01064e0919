"""A class's machines: planned, priced, made, resumed, and never left behind; and turns on the cards.

::

    plan -> apply -> configure -> seats, leases -> destroy (audit of zero) -> sweep
"""

from fpgaclass.cohort.applied import Applied, Event, Failure
from fpgaclass.cohort.costs import Cost, cost
from fpgaclass.cohort.desk import Desk, HubDesk, LocalDesk, open_desk
from fpgaclass.cohort.desk.watch import give_back
from fpgaclass.cohort.differences import Changes, changes
from fpgaclass.cohort.errors import (
    AuthError,
    BusyError,
    CapacityError,
    CohortError,
    LeaseError,
    LeftoverError,
    LostError,
    PlanRefusedError,
    ProviderError,
    QuotaError,
    ThrottleError,
)
from fpgaclass.cohort.hosts import card_gate, cohort_inventory, configure, send_seats
from fpgaclass.cohort.leases import Card, Health, Lease, LeaseBook, Waiting, Window, follow_site, hand_over
from fpgaclass.cohort.moments import in_zone
from fpgaclass.cohort.planning import make_plan
from fpgaclass.cohort.plans import Offer, Plan, QuotaUse, Resource
from fpgaclass.cohort.playbook import Configured, HostResult, Task
from fpgaclass.cohort.port import Capabilities, Finding, Found, Marker, Order, Provider
from fpgaclass.cohort.prices import PriceBook
from fpgaclass.cohort.providers import connect
from fpgaclass.cohort.providers.local import why_not as why_no_local_hosts
from fpgaclass.cohort.reports import (
    applied_table,
    changes_text,
    configured_table,
    cost_table,
    images_table,
    leases_table,
    moved_table,
    seats_table,
    status_table,
    swept_table,
    windows_table,
)
from fpgaclass.cohort.roster import Student, read_roster
from fpgaclass.cohort.seat import SeatView, open_leases, seat_text, seats
from fpgaclass.cohort.show import apply_progress, configure_progress, counted, plan_table, progress
from fpgaclass.cohort.spec import CohortFile, CohortSpec, load_spec
from fpgaclass.cohort.state import CohortRow, Row, State
from fpgaclass.cohort.sweeping import Swept, sweep
from fpgaclass.cohort.timer import ensure_timer
from fpgaclass.cohort.verbs import Destroyed, Status, apply, check, destroy, images, plan, status

__all__ = [
    "Applied",
    "AuthError",
    "BusyError",
    "Capabilities",
    "CapacityError",
    "Card",
    "Changes",
    "CohortError",
    "CohortFile",
    "CohortRow",
    "CohortSpec",
    "Configured",
    "Cost",
    "Desk",
    "Destroyed",
    "Event",
    "Failure",
    "Finding",
    "Found",
    "Health",
    "HostResult",
    "HubDesk",
    "Lease",
    "LeaseBook",
    "LeaseError",
    "LeftoverError",
    "LocalDesk",
    "LostError",
    "Marker",
    "Offer",
    "Order",
    "Plan",
    "PlanRefusedError",
    "PriceBook",
    "Provider",
    "ProviderError",
    "QuotaError",
    "QuotaUse",
    "Resource",
    "Row",
    "SeatView",
    "State",
    "Status",
    "Student",
    "Swept",
    "Task",
    "ThrottleError",
    "Waiting",
    "Window",
    "applied_table",
    "apply",
    "apply_progress",
    "card_gate",
    "changes",
    "changes_text",
    "check",
    "cohort_inventory",
    "configure",
    "configure_progress",
    "configured_table",
    "connect",
    "cost",
    "cost_table",
    "counted",
    "destroy",
    "ensure_timer",
    "follow_site",
    "give_back",
    "hand_over",
    "images",
    "images_table",
    "in_zone",
    "leases_table",
    "load_spec",
    "make_plan",
    "moved_table",
    "open_desk",
    "open_leases",
    "plan",
    "plan_table",
    "progress",
    "read_roster",
    "seat_text",
    "seats",
    "seats_table",
    "send_seats",
    "status",
    "status_table",
    "sweep",
    "swept_table",
    "why_no_local_hosts",
    "windows_table",
]
