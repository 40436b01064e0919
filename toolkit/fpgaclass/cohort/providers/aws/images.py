"""Amazon FPGA images (AFIs): firmware that AWS keeps, and that an F2 instance loads by its name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from fpgaclass.cohort.providers.aws.client import AwsClient


@dataclass(frozen=True)
class CardImage:
    """One image of the account.

    Attributes:
        identity: ``afi-...``, which belongs to one region.
        load_as: ``agfi-...``, which ``fpga-load-local-image`` takes.
        name: as it was made.
        state: ``pending``, ``available``, ``failed`` or ``unavailable``, in AWS's words.
        why: AWS's reason, for a failed one.
        made: when, UTC; None where AWS does not tell.
    """

    identity: str
    load_as: str
    name: str
    state: str
    why: str = ""
    made: datetime | None = None


def card_images(client: AwsClient) -> tuple[CardImage, ...]:
    """Return the account's own images in its region, the newest first."""
    images = client.pages("ec2", "describe_fpga_images", "FpgaImages", Owners=["self"])
    found = [
        CardImage(
            identity=image["FpgaImageId"],
            load_as=image.get("FpgaImageGlobalId", ""),
            name=image.get("Name", ""),
            state=image.get("State", {}).get("Code", ""),
            why=image.get("State", {}).get("Message", ""),
            made=image.get("CreateTime"),
        )
        for image in images
    ]
    oldest = datetime(1970, 1, 1, tzinfo=UTC)
    return tuple(sorted(found, key=lambda image: image.made or oldest, reverse=True))
