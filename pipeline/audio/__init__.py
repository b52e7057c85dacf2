"""Sound files in, mono int16 samples at one rate out; and back."""
