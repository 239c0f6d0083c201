"""What may happen, decided by plain functions on frozen values: no clock, no I/O."""
