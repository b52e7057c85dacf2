"""One file for each command, in folders named after the groups of `wavecast --help`."""
