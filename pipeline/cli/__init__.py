"""The command line: arguments, the files that they name, output."""
