"""``firmware.search``: a sweep over settings of a training, its points, workers and result."""
