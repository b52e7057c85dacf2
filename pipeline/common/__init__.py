"""Files, devices and progress bars, for every other room."""
