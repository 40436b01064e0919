"""AMD's runtime, XRT: the C++ host beside Python, and cards that only ``pyxrt`` drives."""
