"""Where a cohort is and whose: what is there would live on, unseen, if it were looked for elsewhere."""

from __future__ import annotations

from fpgaclass.cohort.errors import PlanRefusedError
from fpgaclass.cohort.port import Provider
from fpgaclass.cohort.spec import CohortFile, place_of
from fpgaclass.cohort.state import CohortRow, State


def refuse_elsewhere(file: CohortFile, known: CohortRow | None, state: State) -> None:
    """Refuse a file that names another place than the cohort's.

    Raises:
        PlanRefusedError: it is another provider, region, project or Orchestrator.
    """
    if known is None or known.phase == "destroyed":
        return
    there, here = state.places().get(known.name, known.provider), place_of(file.spec)
    if there not in (here, file.spec.provider):
        step = f"have the file say {there} again; fpgaclass cohort destroy, before the cohort moves"
        raise PlanRefusedError(
            f"cohort {known.name} is on {there}, not on {here}", where=str(file.path), next_step=step
        )


def refuse_another(cloud: Provider, known: CohortRow | None, state: State) -> None:
    """Refuse the credentials of another account, project or user.

    Raises:
        PlanRefusedError: they are not of the account that the cohort was applied with.
        AuthError: the credentials are missing or have expired.
    """
    if known is None or known.phase == "destroyed" or not (there := state.accounts().get(known.name)):
        return
    if (here := cloud.account()) and here != there:
        step = "take the credentials with which it was applied; fpgaclass cohort destroy, before it moves"
        what = f"cohort {known.name} is of account {there}, and these credentials are of {here}"
        raise PlanRefusedError(what, where=cloud.name, next_step=step)
