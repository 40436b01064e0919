"""What a machine of any cloud does of itself."""

from __future__ import annotations

from datetime import UTC, datetime


def guest_script(expires: datetime, hours: float) -> str:
    """Return what a machine runs at its first boot: its own end, whatever becomes of us.

    The shutdown ends the machine, because it is made with shutdown behaviour ``terminate``. It counts from
    the boot, so that a wrong clock cannot stop it; a machine that was made anew late ends with the others, if
    its clock is right. The text depends only on the plan and the cohort's end, because a repeated call with
    the same token must be the same call.
    """
    minutes = max(5, round(hours * 60))
    end = f"{expires.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return (
        "#!/bin/sh\n"
        f"shutdown -P +{minutes} 'the cohort ends'\n"
        f"left=$((($(date -ud {end} +%s) - $(date +%s)) / 60))\n"
        f'[ "$left" -lt 5 ] || [ "$left" -ge {minutes} ] || shutdown -P "+$left" "the cohort ends"\n'
        "mkdir -p /etc/fpgaclass\n"
        f"echo {end} > /etc/fpgaclass/expires\n"
    )
