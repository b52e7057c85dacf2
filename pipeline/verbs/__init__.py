"""The command line's verbs on sounds and models, a file each: arguments, one call, what is printed."""
