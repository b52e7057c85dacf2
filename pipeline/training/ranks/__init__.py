"""One training in several processes: each has a share of the sequences and the same weights.

In: the environment of `torchrun`. Out: what the processes compute together, and each one's share of a plan.
Imported by the loop and its step; it imports nothing of them.
"""
