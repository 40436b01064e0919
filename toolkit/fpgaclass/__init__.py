"""fpgaclass: a course on machine learning on FPGAs, as software.

The rooms of the package, top to bottom; each calls only those below it:

- ``cli``: the command line; one verb, one library function.
- ``classroom``: the hub, the exchange, grading, feedback.
- ``cohort``: seats in the cloud: plan, apply, destroy, leases of cards.
- ``course``: the course definition and the labs; what students get, and the gate each lab must pass.
- ``lab``: what a student's notebook imports.
- ``card``: the virtual card inside the real ``pynq`` package, and ``measure``.
- ``firmware``: a Keras model becomes firmware.
- ``muon``: the physics: data, baselines, metrics, plots.
- ``core``: errors, tools, progress, paths.
"""

__version__ = "0.1.0"
__all__ = ["__version__"]
