"""Room for what people send: so much at a time for each of them, and for all together.

A question whose body is large, and never ends, is kept in memory until it does; without an end to that, one
student with two hundred of them takes the memory of the machine.
"""

from __future__ import annotations

import asyncio
import hashlib


class Room:
    """Bytes that may be taken at a time; who finds none waits for those before to give back theirs.

    Args:
        of_one: for each person.
        of_all: for all together.
    """

    def __init__(self, of_one: int, of_all: int) -> None:
        self._of_one, self._of_all = of_one, of_all
        self._taken: dict[str, int] = {}
        self._waiting: list[asyncio.Future[None]] = []

    async def take(self, who: str, size: int, patience: float) -> bool:
        """Take room; return False if there was none for so many seconds. One alone is always let in."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + patience
        while not self._fits(who, size):
            turn = loop.create_future()
            self._waiting.append(turn)
            try:
                await asyncio.wait_for(turn, max(0.0, ends - loop.time()))
            except TimeoutError:
                return False
            finally:
                self._waiting.remove(turn)
        self._taken[who] = self._taken.get(who, 0) + size
        return True

    def give_back(self, who: str, size: int) -> None:
        """Give back what was taken."""
        self._taken[who] -= size
        if not self._taken[who]:
            del self._taken[who]
        for turn in self._waiting:
            if not turn.done():
                turn.set_result(None)

    def _fits(self, who: str, size: int) -> bool:
        mine, everybodys = self._taken.get(who, 0), sum(self._taken.values())
        return (not mine or mine + size <= self._of_one) and (
            not everybodys or everybodys + size <= self._of_all
        )


def address_of(name: str) -> str:
    """Return the address of the machine's loopback that a seat's questions come from: whose they are.

    Example:
        >>> address_of("ada"), address_of("ada") == address_of("emmy")
        ('127.254.238.68', False)
    """
    first, second, third = hashlib.sha256(name.encode()).digest()[:3]
    return f"127.{first % 254 + 1}.{second}.{third % 254 + 1}"
