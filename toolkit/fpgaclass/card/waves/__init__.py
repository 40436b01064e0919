"""Waveforms: every clock of a call written down, read back and drawn."""
