"""Pure torch: tensors in, tensors or distributions out. No files, no tracking, no configuration."""
