"""The same networks compiled for a CPU, without torch."""
