"""Pure torch, or numpy compiled: arrays in, arrays or distributions out; no files, no configuration."""
