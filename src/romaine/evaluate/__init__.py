"""Measuring quality: the backend contract, recall of a memory, calibration."""
