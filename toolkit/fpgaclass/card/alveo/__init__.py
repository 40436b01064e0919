"""The Alveo form: xclbin files, and what a virtual card is once one is on it."""
