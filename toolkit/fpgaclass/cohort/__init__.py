"""A class's machines: planned, priced, made, resumed, and never left behind; and turns on the cards."""

from fpgaclass.cohort.plan import Offer, Plan, QuotaUse, Resource
from fpgaclass.cohort.planning import make_plan
from fpgaclass.cohort.prices import PriceBook
from fpgaclass.cohort.roster import Student, read_roster
from fpgaclass.cohort.spec import CohortFile, CohortSpec, load_spec

__all__ = [
    "CohortFile",
    "CohortSpec",
    "Offer",
    "Plan",
    "PriceBook",
    "QuotaUse",
    "Resource",
    "Student",
    "load_spec",
    "make_plan",
    "read_roster",
]
