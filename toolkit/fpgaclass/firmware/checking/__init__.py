"""Whether the stages of a build say the same, layer by layer, and how far that is from the model."""
