"""Boosted decision trees: read by conifer, made logic by da4ml."""
