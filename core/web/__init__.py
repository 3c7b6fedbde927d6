"""The HTTP door: bytes into a Request, a View into bytes, nothing else."""
