"""Quantisation after training: fixed-point types, and the HGQ2 model that has them."""
