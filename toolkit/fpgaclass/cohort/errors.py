"""What can go wrong with a cohort, by kind, so that the engine and a person know what to do.

::

    CohortError(FpgaClassError)
    ├── PlanRefusedError       the plan costs too much, or the site cannot hold it
    ├── BusyError              another instructor is working on this cohort
    ├── LeftoverError          destroy or sweep could not bring the cohort to zero
    ├── LeaseError             a booking breaks a rule
    └── ProviderError          the cloud said no; ``outcome_known`` tells whether anything can have happened
        ├── CapacityError      the zone has none left: the next zone or size may
        ├── QuotaError         the account's limit: ask for more, or plan less
        ├── ThrottleError      too many calls: wait and repeat
        ├── AuthError          no, or no longer, allowed: nothing else will work either
        ├── RefusedError       the request itself is wrong: it would fail for everybody
        ├── GoneError          what was named does not exist (any more)
        └── LostError          no answer came: it may or may not have happened
"""

from __future__ import annotations

from fpgaclass.core import CohortError as CohortError


class PlanRefusedError(CohortError):
    """The plan must not be applied as it is."""


class BusyError(CohortError):
    """Another process holds the cohort."""


class LeftoverError(CohortError):
    """Something of the cohort is still there, and may cost money."""


class LeaseError(CohortError):
    """A booking breaks a rule of the cards."""


class ProviderError(CohortError):
    """A provider refused or failed.

    Args:
        what: what failed.
        code: the provider's own code, such as ``VcpuLimitExceeded``.
        where: the provider and the place.
        next_step: what to do.
    """

    kind = "other"
    outcome_known = True

    def __init__(
        self, what: str, *, code: str = "", where: str | None = None, next_step: str | None = None
    ) -> None:
        self.code = code
        super().__init__(what, where=where, next_step=next_step)


class CapacityError(ProviderError):
    """The place has no free machine of this size."""

    kind = "capacity"


class QuotaError(ProviderError):
    """The account may not have more."""

    kind = "quota"


class ThrottleError(ProviderError):
    """Too many calls in a short time."""

    kind = "throttle"


class AuthError(ProviderError):
    """The credentials are missing, expired or too weak."""

    kind = "auth"


class RefusedError(ProviderError):
    """The request is wrong, whoever sends it; sending it for the others is of no use."""

    kind = "refused"


class GoneError(ProviderError):
    """What was named is not there."""

    kind = "gone"


class LostError(ProviderError):
    """The answer was lost: the call may have had its effect."""

    kind = "lost"
    outcome_known = False
