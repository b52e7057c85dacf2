"""Commands of scheduled runs: start the services, look at them, stop them."""
