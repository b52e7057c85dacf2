"""Training of output heads on CPUs in one compiled pass: projection, likelihood and all gradients.

In: hidden vectors (B, T, H), targets, and a head's weights. Out: the loss, and its gradients. Rows are
computed in blocks that stay in the cache, so that no tensor of all parameters (B, T, P) exists.
"""
