"""Recurrent layers: the library's cells, those of Chung et al. (2014), stacks of them."""
