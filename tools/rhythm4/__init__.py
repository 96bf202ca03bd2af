"""The model that comes with ecglens, from real windows and records."""
