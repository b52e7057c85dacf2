"""The commands: folders are the groups of the help, a file holds one command."""
