"""Updates of the weights that run on a GPU without the host: one CUDA graph for each update.

In: a training whose rows lie on the device, and the plans of its epochs. Out: trained weights, and sums over
the updates since they were last read.
"""
