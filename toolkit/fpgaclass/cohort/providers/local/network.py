"""The network on which local hosts live: one bridge on this machine, one cable for each host."""

from __future__ import annotations

import ipaddress
import subprocess

from fpgaclass.cohort.errors import ProviderError

BRIDGE = "fpgaclass0"


def run(*command: str, check: bool = True) -> str:
    """Run a program of the system and return what it printed.

    Raises:
        ProviderError: it failed.
    """
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if check and done.returncode:
        said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise ProviderError(f"{' '.join(command[:6])}: {said}", where="this machine")
    return done.stdout


def ensure_bridge(network: ipaddress.IPv4Network) -> None:
    """Make the bridge with the network's first address, if it is not there."""
    if not run("ip", "link", "show", BRIDGE, check=False):
        run("ip", "link", "add", BRIDGE, "type", "bridge")
    first = f"{network[1]}/{network.prefixlen}"
    if first not in run("ip", "-4", "addr", "show", "dev", BRIDGE):
        run("ip", "addr", "add", first, "dev", BRIDGE)
    run("ip", "link", "set", BRIDGE, "up")


def ensure_cable(namespace: str, address: str, prefix: int) -> None:
    """Make a host's network namespace and plug it into the bridge."""
    if namespace not in namespaces():
        run("ip", "netns", "add", namespace)
    cable = f"fc{namespace[-8:]}"
    if not run("ip", "link", "show", cable, check=False):
        # Neighbours remember who had an address for up to a minute: the next one there is the same.
        card = "02:fc:" + ipaddress.IPv4Address(address).packed.hex(":")
        peer = ("peer", "name", "eth0", "address", card, "netns", namespace)
        run("ip", "link", "add", cable, "type", "veth", *peer)
    run("ip", "link", "set", cable, "master", BRIDGE, "up")
    inside = ("ip", "-n", namespace)
    if address not in run(*inside, "-4", "addr", "show", "dev", "eth0"):
        run(*inside, "addr", "add", f"{address}/{prefix}", "dev", "eth0")
    run(*inside, "link", "set", "eth0", "up")
    run(*inside, "link", "set", "lo", "up")


def namespaces() -> set[str]:
    """Return the names of the network namespaces that are there."""
    return {line.split()[0] for line in run("ip", "netns", "list", check=False).splitlines() if line.strip()}


def remove_cable(namespace: str) -> None:
    """Remove a host's network namespace, and with it its cable."""
    run("ip", "link", "del", f"fc{namespace[-8:]}", check=False)
    if namespace in namespaces():
        run("ip", "netns", "del", namespace)


def remove_bridge() -> None:
    """Remove the bridge, once no host is left."""
    run("ip", "link", "del", BRIDGE, check=False)
