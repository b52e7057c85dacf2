"""The verbs of the command line, a file each: arguments, one call, what is printed."""
