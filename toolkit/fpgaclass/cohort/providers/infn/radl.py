"""A machine in RADL, for sites that give the Infrastructure Manager itself and no Orchestrator."""

from __future__ import annotations

from fpgaclass.cohort.errors import ProviderError
from fpgaclass.cohort.port import Order


def machine_radl(order: Order, *, image: str, user: str) -> str:
    """Return the RADL of one machine, with its marker as the machine's tags.

    Args:
        order: what is to be made.
        image: the image's address, such as ``ost://keystone.example.org/8f6e``.
        user: the login that Ansible uses.

    Raises:
        ProviderError: a value has a quote in it, which RADL cannot hold.
    """
    resource = order.resource
    tags = ",".join(f"{name}={value}" for name, value in order.marker.tags().items())
    values = (image, user, tags, order.offer.size, resource.setting("public_key"))
    if any("'" in value or "\n" in value for value in values):
        raise ProviderError(
            "a value has a quote or a line end in it, which RADL cannot hold", where=resource.key
        )
    return (
        "network public (outbound = 'yes')\n"
        "system machine (\n"
        f"  instance_type = '{order.offer.size}' and\n"
        f"  instance_tags = '{tags}' and\n"
        "  net_interface.0.connection = 'public' and\n"
        "  disk.0.os.name = 'linux' and\n"
        f"  disk.0.image.url = '{image}' and\n"
        f"  disk.0.free_size = {resource.setting('disk_gb', '40')}GB and\n"
        f"  disk.0.os.credentials.username = '{user}' and\n"
        f"  disk.0.os.credentials.public_key = '{resource.setting('public_key')}'\n"
        ")\n"
        "deploy machine 1\n"
    )
