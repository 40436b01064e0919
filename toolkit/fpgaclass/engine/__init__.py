"""What runs code that nobody has read: the jail, warm kernels in it, and checks in a clean process."""

from fpgaclass.engine.sandbox import Jail, Mount, NoJail, Person, find_jail

__all__ = ["Jail", "Mount", "NoJail", "Person", "find_jail"]
