"""A sweep that runs by itself: the layer of expiry above the machines' own, on any provider."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from fpgaclass.cohort.errors import CohortError
from fpgaclass.core import state_directory

_KEPT = (
    "FPGACLASS_STATE",
    "FPGACLASS_DATABASE",
    "FPGACLASS_PROVISIONING",
    "AWS_PROFILE",
    "OS_CLIENT_CONFIG_FILE",
    "OIDC_SOCK",  # where oidc-agent answers
)
_PASSWORD = re.compile(r"(://[^:/@]*):[^/@]*@")


def timer_units(
    cohort: str, command: Sequence[str], environment: Mapping[str, str], folder: Path
) -> dict[str, str]:
    """Return the two systemd units that run a command every hour, and their environment, by file name.

    What is in a unit every user of the machine may ask systemd for; the environment is in a file of its
    owner, since the database's address may have a password in it.

    Args:
        cohort: names them.
        command: absolute, and not asking anybody.
        environment: of it, what finds the state and the credentials is kept, and no credentials of a cloud.
        folder: where they will be.
    """
    kept = [f"{name}={_file_word(environment[name])}\n" for name in _KEPT if environment.get(name)]
    name = f"fpgaclass-sweep-{cohort}"
    service = (
        f"[Unit]\nDescription=Remove what has expired of cohort {cohort}\n"
        "Wants=network-online.target\nAfter=network-online.target\n\n"
        f"[Service]\nType=oneshot\nEnvironmentFile={str(folder / name).replace('%', '%%')}.env\n"
        f"ExecStart={' '.join(map(_command_word, command))}\n"
    )
    timer = (
        f"[Unit]\nDescription=Look every hour for what has expired of cohort {cohort}\n\n"
        "[Timer]\nOnCalendar=hourly\nRandomizedDelaySec=300\nPersistent=true\n\n"
        "[Install]\nWantedBy=timers.target\n"
    )
    return {f"{name}.env": "".join(kept), f"{name}.service": service, f"{name}.timer": timer}


def crontab_line(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """Return the line for a crontab that does the same where there is no systemd."""
    # What is printed ends up in mails and logs: whoever pastes the line puts the password in.
    shown = {name: _PASSWORD.sub(r"\1:PASSWORD@", environment.get(name, "")) for name in _KEPT}
    kept = [f"{name}={shlex.quote(value)}" for name, value in shown.items() if value]
    # cron takes a bare % for the end of the line.
    return " ".join(["17 * * * *", *kept, shlex.join(command)]).replace("%", "\\%")


def _file_word(text: str) -> str:
    """Quote a value of an environment file; in it systemd fills nothing in."""
    return '"' + re.sub(r'(["\\`$])', r"\\\1", text) + '"'


def _unit_word(text: str) -> str:
    """Quote a word of a unit; a folder may have ``%`` in its name, which systemd would fill in."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{quoted}"'


def _command_word(text: str) -> str:
    return _unit_word(text.replace("$", "$$")) if set(text) & set(" \t\"'\\%$;") else text


def ensure_timer(cohort: str, command: Sequence[str]) -> Path:
    """Install and start the timer of a cohort, root's or the user's own, and sweep once; return its file.

    Raises:
        CohortError: there is no systemd that runs; the message has the line for a crontab. Or it is installed
            and will not do: its first sweep failed, or it ends when its user logs out.
    """
    folder, control = _place()
    # However this state was found: a timer starts in another folder, and with another environment.
    environment = {**os.environ, "FPGACLASS_STATE": str(state_directory().resolve())}
    units = timer_units(cohort, command, environment, folder)
    timer = next(name for name in units if name.endswith(".timer"))
    if shutil.which("systemctl") is None or not _answers(control):
        line = crontab_line(command, environment)
        raise CohortError("no systemd runs here", where="systemctl", next_step=f"crontab -e, and add: {line}")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in units.items():
        path = folder / name
        path.touch(mode=0o600)
        path.chmod(0o600)  # one that was there already, too
        path.write_text(text)
    for words in (["daemon-reload"], ["enable", "--now", timer]):
        done = subprocess.run([*control, *words], capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise CohortError(f"systemctl {' '.join(words)}: {said}", where=str(folder / timer))
    _try_out(control, timer.removesuffix("timer") + "service", folder / timer)
    return folder / timer


def _try_out(control: Sequence[str], service: str, timer: Path) -> None:
    """Sweep once: what a terminal has, such as credentials in its environment, a timer has not."""
    if subprocess.run([*control, "start", service], capture_output=True, check=False).returncode:
        own = " --user" if "--user" in control else ""
        raise CohortError(
            "the timer is installed, and its first sweep failed",
            where=str(timer),
            next_step=f"journalctl{own} -u {service} says why; it has no credentials of this terminal's "
            "environment, only those in files (~/.aws, clouds.yaml) or in oidc-agent",
        )
    if "--user" not in control or shutil.which("loginctl") is None:
        return
    asked = ["loginctl", "show-user", str(os.getuid()), "--property=Linger", "--value"]
    if subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() != "yes":
        what = "the timer is installed, and will end when you log out"
        raise CohortError(what, where=str(timer), next_step="loginctl enable-linger lets it go on")


def remove_timer(cohort: str) -> None:
    """Stop and remove the timer of a cohort that is gone; nothing happens where there is none."""
    folder, control = _place()
    name = f"fpgaclass-sweep-{cohort}"
    if not (folder / f"{name}.timer").exists():
        return
    if shutil.which("systemctl"):
        stop = [*control, "disable", "--now", f"{name}.timer"]
        subprocess.run(stop, capture_output=True, check=False)
    for suffix in ("timer", "service", "env"):
        (folder / f"{name}.{suffix}").unlink(missing_ok=True)


def _place() -> tuple[Path, list[str]]:
    """Return where units go, and the words that reach the systemd which reads them."""
    if os.geteuid() == 0:
        return Path("/etc/systemd/system"), ["systemctl"]
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return config / "systemd" / "user", ["systemctl", "--user"]


def _answers(control: Sequence[str]) -> bool:
    done = subprocess.run([*control, "is-system-running"], capture_output=True, text=True, check=False)
    # "degraded" is a system that runs, with some unit of its own failed
    return done.stdout.strip() in ("running", "degraded", "starting")
